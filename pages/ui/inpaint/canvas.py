"""Where the mask is painted: on our painter, or on the simple canvas. The only file that knows the canvas component.

Every stroke is one rerun of the fragment here, and is stored in the draft: by the painter as a mask, by the simple
canvas as a drawing, from which the mask is made at the picture's full size when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.files.painted_mask import painted_size
from core.domain.geometry import Size
from core.domain.pixels.drawing import ERASE, LASSO, PAINT, Drawing, canvas_size
from core.domain.pixels.mask import Mask
from pages.ui.inpaint.mask_numbers import mask_by_numbers
from pages.ui.inpaint.mask_parts import few_pixels_offer
from pages.ui.inpaint.mask_size import tell_again
from pages.ui.inpaint.mask_tools import drawing_of, mask_notes, mask_of, mask_tools, replace_mask, uploaded_mask
from pages.ui.inpaint.open_draft import OpenDraft
from pages.ui.inpaint.painter import ACTED, Shown, painter
from pages.ui.inpaint.selecting import selecting
from pages.ui.inpaint.workspace import MASK_NOTES, MASK_TOOLS, SIMPLE_CANVAS
from pages.ui.shell import prepared, state
from pages.ui.shell.component import script
from pages.ui.shell.messages import shown_errors

__all__ = ["mask_canvas", "mask_of"]

BOX = Size(900, 700)
LINE_PX = 2
"""Of the lasso: enough to see it."""

PHONE = Size(900, 440)
"""Lower, so that a finger finds room beside the canvas to scroll on: upon it, it paints."""


@dataclass(frozen=True, slots=True)
class Tool:
    title: str
    icon: str
    mode: str
    colour: str = PAINT
    touch: bool = False

    @property
    def is_brush(self) -> bool:
        return self.mode == "freedraw" and self.colour != LASSO


TOOLS = {
    "brush": Tool("Brush", ":material/brush:", "freedraw", touch=True),
    "eraser": Tool("Eraser", ":material/ink_eraser:", "freedraw", ERASE, touch=True),
    "lasso": Tool("Lasso", ":material/lasso_select:", "freedraw", LASSO, touch=True),
    "rectangle": Tool("Rectangle", ":material/rectangle:", "rect"),
    "circle": Tool("Circle", ":material/circle:", "circle"),
    "polygon": Tool("Polygon", ":material/pentagon:", "polygon"),
}


@st.fragment
def mask_canvas(studio: Studio, id: str, shown: Shown) -> None:
    """The open picture of this draft, to paint its mask on. Raises nothing: errors are shown."""
    if state.pop_flash(ACTED):
        st.rerun()
    with shown_errors():
        opened = OpenDraft.read(studio, id)
        if opened is None:
            return
        opened = uploaded_mask(opened)
        if opened.draft.has_simple_canvas:
            _simple_canvas(opened)
        else:
            _painter(opened, shown)
        tell_again(studio, id)


def _painter(opened: OpenDraft, shown: Shown) -> None:
    if opened.draft.drawing is not None:
        # Painted on the simple canvas, or before there was a painter.
        opened = replace_mask(opened, mask_of(opened.studio, opened.draft), selection=opened.draft.selection)
    painter(opened, shown)
    opened = opened.read_again()
    with st.container(key=MASK_TOOLS, horizontal=True, gap=None):
        mask_tools(opened)
        selecting(opened)
        mask_by_numbers(opened)
    with st.container(key=MASK_NOTES, gap=None):
        _soft_mask_offer(opened)
        few_pixels_offer(opened, lambda: _small_mask(opened, painted_size(opened.picture)))
        mask_notes(opened.draft)


def _small_mask(opened: OpenDraft, size: Size) -> Mask | None:
    """What lies under the drawing, at this size."""
    key = opened.draft.base_mask
    return prepared.small_mask(opened.studio, key, size.sides) if key else None


def _soft_mask_offer(opened: OpenDraft) -> None:
    """Who paints in grey means it, and the parameter that makes it count stands far away."""
    mask, size = opened.draft.base_mask, painted_size(opened.picture)
    key = f"{opened.id}.soft_mask"
    if state.pop_flash(key):
        # In a run of the whole page, before its form is drawn: what a fragment says of a field outside is forgotten.
        state.set_value(key, True)
    is_on = state.widget_value(key)
    if mask is None or (opened.draft.params.get("soft_mask") if is_on is None else is_on):
        return
    if not prepared.has_grey_parts(opened.studio, mask, size.sides):
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption("Parts of the mask are grey: new and old pixels are blended there.", width="content")
        if st.button(
            "Use as a soft mask",
            icon=":material/gradient:",
            key=f"{opened.id}.use-soft-mask",
            help="Grey areas change in proportion to how light they are. Also available under More parameters.",
        ):
            state.flash(key, True)
            st.rerun()


def choice_of_canvas(studio: Studio, id: str, draft: Draft) -> None:
    st.toggle(
        "Simple canvas",
        draft.has_simple_canvas,
        key=f"{id}.simple-canvas",
        on_change=_change_canvas,
        args=(studio, id),
        help=(
            "A fallback without zoom, pressure and shortcuts, in case the painter does not work in your browser. "
            "Your mask is kept."
        ),
    )


def _change_canvas(studio: Studio, id: str) -> None:
    state.invalidate_canvas()
    state.change_draft(studio, id, has_simple_canvas=bool(state.widget_value(f"{id}.simple-canvas")))


# The simple canvas ---------------------------------------------------------------------------------------------


def _simple_canvas(opened: OpenDraft) -> None:
    with st.container(key=SIMPLE_CANVAS):
        _canvas_and_tools(opened)


def _canvas_and_tools(opened: OpenDraft) -> None:
    if not state.is_on_screen("canvas-tool"):
        # The canvas has gone away with its page, and what it held is only in the draft.
        state.invalidate_canvas()
    tool, brush_px = _tools()
    room = _measured_width()
    if room is None:
        # The answer comes at once, and with it the next run.
        st.skeleton(height=400)
        return
    size = _fitting(opened.picture, room)
    drawing = _draw(opened, size, tool, brush_px)
    kept, has_new_width = opened.draft.drawing or Drawing((), size).to_json(), opened.draft.canvas_width != size.width
    if drawing.to_json() != kept or has_new_width:
        text = None if drawing.is_empty else drawing.to_json()
        opened = opened.changed(drawing=text, canvas_width=size.width)
    _simple_tools(opened)
    mask = _outcome(opened, drawing, size)
    few_pixels_offer(opened, lambda: mask)
    mask_notes(opened.read_again().draft)


def _simple_tools(opened: OpenDraft) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            "Undo",
            icon=":material/undo:",
            disabled=opened.draft.drawing is None,
            help="Take back the last stroke",
            on_click=_undo,
            args=(opened,),
            key="canvas-undo",
        )
        st.button(
            "Clear",
            icon=":material/delete_sweep:",
            help="Remove the whole mask",
            on_click=_clear,
            args=(opened,),
            key="canvas-clear",
            disabled=opened.draft.has_no_mask,
        )
        mask_tools(opened)
        selecting(opened)
        mask_by_numbers(opened)
        st.toggle("Show the mask", key="canvas-preview", help="The picture with the mask in red")


def _clear(opened: OpenDraft) -> None:
    replace_mask(opened, None)


def _undo(opened: OpenDraft) -> None:
    with shown_errors():
        drawing = drawing_of(opened.read_again().draft, opened.picture).without_last
        opened.changed(drawing=None if drawing.is_empty else drawing.to_json())
        state.invalidate_canvas()


def _tools() -> tuple[Tool, int]:
    choices = [key for key, tool in TOOLS.items() if tool.touch or not state.is_phone()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Tool",
            choices,
            default="brush",
            required=True,
            key="canvas-tool",
            format_func=lambda key: f"{TOOLS[key].icon} {TOOLS[key].title}",
        )
        brush_px = st.slider("Brush size", 4, 120, 40, key="canvas-brush", format="%d px", width=200)
    return TOOLS[chosen or "brush"], brush_px


def _draw(opened: OpenDraft, size: Size, tool: Tool, brush_px: int) -> Drawing:
    # Imported here: its component can only be registered while a server runs.
    from streamlit_drawable_canvas import st_canvas

    shows = (opened.source, opened.draft.base_mask, size.sides)
    instance = state.current_canvas()
    if instance is None or instance.shows != shows:
        kept = drawing_of(opened.draft, opened.picture).scaled_to(size)
        instance = state.new_canvas(shows, None if kept.is_empty else kept.to_json())
    initial = Drawing.from_json(instance.initial, size)
    result = st_canvas(
        fill_color=tool.colour,
        stroke_color=tool.colour,
        stroke_width=brush_px if tool.is_brush else LINE_PX if tool.colour == LASSO else 0,
        # Bytes of a small JPEG: an image object would be encoded again on each stroke, 30 s for a large photo.
        background_image=prepared.canvas_picture(opened.studio, *shows),
        width=size.width,
        height=size.height,
        drawing_mode=tool.mode,
        initial_drawing={"objects": list(initial.objects)} if initial.objects else None,
        key=f"canvas-{instance.number}",
    )
    return Drawing.from_canvas(result.json_data, size)


def store_drawn(studio: Studio, id: str, session: Mapping[str, Any]) -> None:
    """Store what stands on the simple canvas in this snapshot of the session: strokes that came with a click."""
    draft, instance = studio.drafts.get(id) or Draft(), state.current_canvas(session)
    if instance is None:
        return
    sent = (session.get(f"canvas-{instance.number}") or {}).get("drawing")
    if not sent or draft.source is None or draft.canvas_width is None:
        return
    size = canvas_size(prepared.picture_size(studio, draft.source), draft.canvas_width)
    if instance.shows != (draft.source, draft.base_mask, size.sides):
        # It has gone away, or was changed behind its back.
        return
    drawing = Drawing.from_canvas(sent.get("raw"), size)
    state.change_draft(studio, id, drawing=None if drawing.is_empty else drawing.to_json())


def _fitting(picture: Size, width: int) -> Size:
    """As wide as there is room, and no higher than a screen. Small pictures are enlarged: a stroke needs some room."""
    box = PHONE if state.is_phone() else BOX
    return canvas_size(picture, max(16, min(width, box.width, box.height * picture.width // picture.height)))


def _measured_width() -> int | None:
    """The room that the page has for the canvas, in pixels; None until the browser has told."""
    return _ruler(key="canvas-ruler", data={}, on_width_change=lambda: None).get("width")


_ruler = script("inpaint_ruler", Path(__file__).with_name("ruler.js"))


def _outcome(opened: OpenDraft, drawing: Drawing, size: Size) -> Mask:
    """Told below the canvas. Returns what will be repainted, at this size."""
    mask = drawing.mask(size, _small_mask(opened, size)).visible
    if mask.is_empty:
        st.caption(":material/info: Nothing is masked yet. Paint over what should change.")
    else:
        st.caption(f":material/brush: {_percent(mask.coverage)} of the picture will be repainted.")
    if state.widget_value("canvas-preview"):
        st.image(prepared.preview(opened.studio, opened.source, mask), alt="What will be repainted", width="stretch")
    return mask


def _percent(share: float) -> str:
    return "Less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
