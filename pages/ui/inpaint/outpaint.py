"""More canvas around the open picture: the new part is masked, and the picture before stays within reach."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import InvalidInput
from core.domain.geometry import Size
from core.domain.pixels.outpaint import MAX_PX, OVERLAP_PX, CanvasExtension
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.panel import is_drawn
from pages.ui.shell.prepared import picture_size

SHAPES = ("1:1", "4:3", "3:2", "16:9", "21:9", "3:4", "2:3", "9:16")
SIDES = ("left", "right", "top", "bottom")
STEP_PX = 64
BY_PIXELS, TO_A_SHAPE = "Pixels", "To an aspect ratio"
PANEL = "extend-canvas"
FIELDS = ("overlap", "extend-by", "extend-shape", *(f"extend-{side}" for side in SIDES))


def outpaint_popover(studio: Studio, id: str, draft: Draft) -> None:
    """Extending makes a draft of its own: to take it back is to go back to the one before."""
    if draft.source is None:
        return
    panel = st.popover(
        "Extend",
        icon=":material/aspect_ratio:",
        key=PANEL,
        on_change="rerun",
        help="Extend the canvas: add space on any side",
    )
    if not is_drawn(panel, (f"{id}.{field}" for field in FIELDS)):
        return
    with panel, shown_errors():
        size = picture_size(studio, draft.source)
        extension, reason = _chosen(id, size)
        state.set_default(f"{id}.overlap", OVERLAP_PX)
        st.slider(
            "Overlap (px)",
            0,
            256,
            step=8,
            key=f"{id}.overlap",
            help="How far the mask reaches into the picture, so that the model can continue lines and light.",
        )
        # Never off: the number that makes it possible may be in the very field that is left for the button.
        action_button(
            "Extend the canvas", _extend, studio, id, size, key=f"{id}.extend", icon=":material/open_in_full:"
        )
        st.caption(reason if extension is None else f"From {size} to {extension.of(size)} pixels.")


def _extend(studio: Studio, id: str, size: Size) -> None:
    session = state.snapshot()
    if session.get(f"{id}.extend-by") == TO_A_SHAPE:
        extension = _of_shape(size, session[f"{id}.extend-shape"])
    else:
        extension = CanvasExtension(**{side: session[f"{id}.extend-{side}"] for side in SIDES})
    max_pixels = studio.settings.max_pixels
    larger = studio.drafts.extend_canvas(id, extension, overlap_px=session[f"{id}.overlap"], max_pixels=max_pixels)
    state.open_draft(studio, larger)
    state.set_value(PANEL, False)


def _chosen(id: str, size: Size) -> tuple[CanvasExtension | None, str]:
    """What is to be added, or why nothing can be."""
    state.set_default(f"{id}.extend-by", BY_PIXELS)
    by = st.segmented_control("Add", [BY_PIXELS, TO_A_SHAPE], required=True, key=f"{id}.extend-by")
    try:
        return (_to_shape(id, size) if by == TO_A_SHAPE else _by_pixels(id)), ""
    except InvalidInput as error:
        return None, str(error)


def _by_pixels(id: str) -> CanvasExtension:
    chosen = {}
    for column, side in zip(st.columns(4), SIDES, strict=True):
        with column:
            key = f"{id}.extend-{side}"
            chosen[side] = st.number_input(f"{side.capitalize()} (px)", 0, MAX_PX, step=STEP_PX, key=key)
    return CanvasExtension(**chosen)


def _to_shape(id: str, size: Size) -> CanvasExtension:
    shape = st.selectbox("Aspect ratio (width:height)", SHAPES, key=f"{id}.extend-shape")
    return _of_shape(size, shape)


def _of_shape(size: Size, shape: str) -> CanvasExtension:
    width, height = shape.split(":")
    return CanvasExtension.to_ratio(size, int(width), int(height))
