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

SHAPES = {"Rectangle": rectangle, "Ellipse": ellipse}
SIMILAR = "Magic wand"
TOLERANCE = 24


def mask_by_numbers(opened: OpenDraft) -> None:
    """The button, in the row that stands open."""
    with st.popover("By numbers", icon=":material/straighten:"):
        kind = st.segmented_control("Shape", [*SHAPES, SIMILAR], default="Rectangle", required=True, key="numbers-kind")
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
        width = _pixels("Width", opened, max(1, picture.width // 2), 1, picture.width)
        height = _pixels("Height", opened, max(1, picture.height // 2), 1, picture.height)

    def change(mask: Mask, takes_away: bool) -> Mask:
        # At the picture's size, where the numbers are exact.
        made = shape(picture, Bounds(left, top, left + width, top + height))
        mask = mask.resized(picture)
        return mask.without(made) if takes_away else mask.union(made)

    return change


def _similar(opened: OpenDraft) -> Change:
    picture = opened.picture
    left, top = _place(opened, Size(picture.width // 2, picture.height // 2))
    tolerance = st.slider(
        "Tolerance",
        0,
        128,
        TOLERANCE,
        key="numbers-tolerance",
        help="How far a colour may differ from the one at this point",
    )
    connected = st.toggle(
        "Contiguous", value=True, key="numbers-connected", help="Only the connected area around this point"
    )

    def change(mask: Mask, takes_away: bool) -> Mask:
        size = painted_size(picture)
        x, y = left * size.width // picture.width, top * size.height // picture.height
        return with_similar(opened.studio, opened.source, mask, Place(x, y, tolerance, connected, takes_away))

    return change


def _place(opened: OpenDraft, at: Size) -> tuple[int, int]:
    with st.container(horizontal=True):
        left = _pixels("From the left", opened, at.width, 0, opened.picture.width - 1)
        top = _pixels("From the top", opened, at.height, 0, opened.picture.height - 1)
    return left, top


def _pixels(title: str, opened: OpenDraft, value: int, lowest: int, highest: int) -> int:
    # Of this picture: what was typed for another may lie outside of it.
    return st.number_input(
        title,
        lowest,
        highest,
        value,
        key=f"numbers-{title}-{opened.source}",
        help="In pixels of the picture",
        width=136,
    )
