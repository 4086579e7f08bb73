"""A part of the mask by numbers instead of by hand: without a mouse, to the pixel, on either canvas."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.domain.files.painted_mask import painted_size
from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask
from core.domain.pixels.selection import ellipse, rectangle
from pages.ui.inpaint.mask_tools import change_mask
from pages.ui.inpaint.open_draft import OpenDraft
from pages.ui.inpaint.painter import Place, with_similar
from pages.ui.shell import state
from pages.ui.shell.panel import is_drawn

SHAPES = {"Rectangle": rectangle, "Ellipse": ellipse}
SIMILAR = "Magic wand"
TOLERANCE = 24
PIXELS = LEFT, TOP, WIDTH, HEIGHT = "From the left", "From the top", "Width", "Height"
PANEL, KIND, TOLERATED, CONNECTED = "numbers", "numbers-kind", "numbers-tolerance", "numbers-connected"


def mask_by_numbers(opened: OpenDraft) -> None:
    """The button, in the row that stands open."""
    panel = st.popover("By numbers", icon=":material/straighten:", key=PANEL, on_change="rerun")
    if not is_drawn(panel, (KIND, TOLERATED, CONNECTED, *(_key(title, opened) for title in PIXELS))):
        return
    with panel:
        state.set_default(KIND, "Rectangle")
        kind = st.segmented_control("Shape", [*SHAPES, SIMILAR], required=True, key=KIND)
        change = _similar(opened) if kind == SIMILAR else _shape(opened, SHAPES[kind or "Rectangle"])
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Add",
                icon=":material/add:",
                type="primary",
                help="Add this area to the mask",
                key="numbers-add",
                on_click=change_mask,
                args=(opened, lambda mask: change(mask, False)),
            )
            st.button(
                "Subtract",
                icon=":material/remove:",
                help="Remove this area from the mask",
                key="numbers-take-away",
                on_click=change_mask,
                args=(opened, lambda mask: change(mask, True)),
            )


Change = Callable[[Mask, bool], Mask]
"""(the mask, whether to take away from it) -> the mask."""


def _shape(opened: OpenDraft, shape: Callable[[Size, Bounds], Mask]) -> Change:
    picture = opened.picture
    left, top = _place(opened, Size(picture.width // 4, picture.height // 4))
    with st.container(horizontal=True):
        width = _pixels(WIDTH, opened, max(1, picture.width // 2), 1, picture.width)
        height = _pixels(HEIGHT, opened, max(1, picture.height // 2), 1, picture.height)

    def change(mask: Mask, takes_away: bool) -> Mask:
        # At the picture's size, where the numbers are exact.
        made = shape(picture, Bounds(left, top, left + width, top + height))
        mask = mask.resized(picture)
        return mask.without(made) if takes_away else mask.union(made)

    return change


def _similar(opened: OpenDraft) -> Change:
    picture = opened.picture
    left, top = _place(opened, Size(picture.width // 2, picture.height // 2))
    state.set_default(TOLERATED, TOLERANCE)
    tolerance = st.slider(
        "Tolerance",
        0,
        128,
        key=TOLERATED,
        help="How far a colour may differ from the one at this point",
    )
    state.set_default(CONNECTED, True)
    connected = st.toggle("Contiguous", key=CONNECTED, help="Only the connected area around this point")

    def change(mask: Mask, takes_away: bool) -> Mask:
        size = painted_size(picture)
        x, y = left * size.width // picture.width, top * size.height // picture.height
        return with_similar(opened.studio, opened.source, mask, Place(x, y, tolerance, connected, takes_away))

    return change


def _place(opened: OpenDraft, at: Size) -> tuple[int, int]:
    with st.container(horizontal=True):
        left = _pixels(LEFT, opened, at.width, 0, opened.picture.width - 1)
        top = _pixels(TOP, opened, at.height, 0, opened.picture.height - 1)
    return left, top


def _pixels(title: str, opened: OpenDraft, value: int, lowest: int, highest: int) -> int:
    key = _key(title, opened)
    state.set_default(key, value)
    return st.number_input(title, lowest, highest, key=key, help="In pixels of the picture", width=136)


def _key(title: str, opened: OpenDraft) -> str:
    # Of this picture: what was typed for another may lie outside of it.
    return f"numbers-{title}-{opened.source}"
