"""The canvas on which the mask is painted, and its tools. The only file that knows the canvas component.

Every stroke is one rerun of the fragment here, and is stored in the draft. The mask itself is made from the drawing
at the picture's full size when it is needed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.drawing import ERASE, PAINT, Drawing, canvas_size
from core.domain.errors import SizeMismatch
from core.domain.geometry import Size
from core.domain.mask import Mask
from core.domain.picture import read_picture
from pages.ui import prepared, state
from pages.ui.messages import shown_errors
from pages.ui.picture_picker import FILE_TYPES

BOX = Size(900, 700)
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
        return self.mode == "freedraw"


TOOLS = {
    "brush": Tool("Brush", ":material/brush:", "freedraw", touch=True),
    "eraser": Tool("Eraser", ":material/ink_eraser:", "freedraw", ERASE, touch=True),
    "rectangle": Tool("Rectangle", ":material/rectangle:", "rect"),
    "circle": Tool("Circle", ":material/circle:", "circle"),
    "polygon": Tool("Polygon", ":material/pentagon:", "polygon"),
}


@st.fragment
def mask_canvas(studio: Studio, id: str) -> None:
    """The open picture of this draft, to paint its mask on. Raises nothing: errors are shown."""
    with shown_errors():
        draft = studio.drafts.get(id) or Draft()
        if draft.source is None:
            return
        picture = prepared.picture_size(studio, draft.source)
        if not state.is_on_screen("canvas-tool"):
            # The canvas has gone away with its page, and what it held is only in the draft.
            state.leave_seat()
        tool, brush_px = _tools()
        room = _measured_width()
        if room is None:
            # The answer comes at once, and with it the next run.
            st.skeleton(height=400)
            return
        size = _fitting(picture, room)
        news = st.container()
        with news:
            draft = _uploaded_mask(studio, id, draft, picture)
        drawing = _draw(studio, draft, size, tool, brush_px)
        if drawing.to_json() != (draft.drawing or Drawing((), size).to_json()) or draft.canvas_width != size.width:
            text = None if drawing.is_empty else drawing.to_json()
            draft = state.change_draft(studio, id, drawing=text, canvas_width=size.width)
        _actions(studio, id, draft, picture)
        _outcome(studio, draft, drawing, size)


def mask_of(studio: Studio, draft: Draft) -> Mask:
    """The mask of this draft at the full size of its picture. Raises InvalidMask."""
    picture = prepared.picture_size(studio, draft.source)
    base = Mask.from_image(studio.gallery.image(draft.base_mask)) if draft.base_mask else None
    return _drawing_of(draft, picture).mask(picture, base)


def _drawing_of(draft: Draft, picture: Size) -> Drawing:
    return Drawing.from_json(draft.drawing, canvas_size(picture, draft.canvas_width or picture.width))


# Drawing -------------------------------------------------------------------------------------------------------


def _tools() -> tuple[Tool, int]:
    choices = [key for key, tool in TOOLS.items() if tool.touch or not _is_phone()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Tool", choices, default="brush", required=True, key="canvas-tool",
            format_func=lambda key: f"{TOOLS[key].icon} {TOOLS[key].title}",
        )  # fmt: skip
        brush_px = st.slider("Brush size", 4, 120, 40, key="canvas-brush", format="%d px", width=200)
    return TOOLS[chosen or "brush"], brush_px


def _draw(studio: Studio, draft: Draft, size: Size, tool: Tool, brush_px: int) -> Drawing:
    # Imported here: its component can only be registered while a server runs.
    from streamlit_drawable_canvas import st_canvas

    shows = (draft.source, draft.base_mask, tuple(size))
    seat = state.seat()
    if seat is None or seat.shows != shows:
        kept = _drawing_of(draft, prepared.picture_size(studio, draft.source)).scaled_to(size)
        seat = state.take_seat(shows, None if kept.is_empty else kept.to_json())
    initial = Drawing.from_json(seat.initial, size)
    result = st_canvas(
        fill_color=tool.colour,
        stroke_color=tool.colour,
        stroke_width=brush_px if tool.is_brush else 0,
        # Bytes of a small JPEG: an image object would be encoded again on each stroke, 30 s for a large photo.
        background_image=prepared.canvas_picture(studio, draft.source, draft.base_mask, tuple(size)),
        width=size.width,
        height=size.height,
        drawing_mode=tool.mode,
        initial_drawing={"objects": list(initial.objects)} if initial.objects else None,
        key=f"canvas-{seat.number}",
    )
    return Drawing.from_canvas(result.json_data, size)


def _fitting(picture: Size, width: int) -> Size:
    """As wide as there is room, and no higher than a screen. Small pictures are enlarged: a stroke needs some room."""
    box = PHONE if _is_phone() else BOX
    return canvas_size(picture, max(16, min(width, box.width, box.height * picture.width // picture.height)))


def _measured_width() -> int | None:
    """The room that the page has for the canvas, in pixels; None until the browser has told."""
    return _ruler()(key="canvas-ruler", data={}, on_width_change=lambda: None).get("width")


def _ruler():
    """A line without height that tells how wide it is: Streamlit does not know the size of the window."""
    return st.components.v2.component("inpaint_ruler", html="<div></div>", js=_RULER_JS)


_RULER_JS = """
export default function ({ parentElement, setStateValue }) {
  let told = 0, waiting
  const tell = () => {
    const width = Math.floor(parentElement.clientWidth ?? parentElement.host?.clientWidth ?? 0)
    // A scroll bar that comes or goes is no reason to make another canvas.
    if (width < 100 || Math.abs(width - told) < 24) return
    told = width
    setStateValue("width", width)
  }
  const observer = new ResizeObserver(() => { clearTimeout(waiting); waiting = setTimeout(tell, 250) })
  observer.observe(parentElement.host ?? parentElement)
  return () => { clearTimeout(waiting); observer.disconnect() }
}
"""


def _is_phone() -> bool:
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


# What can be done to the whole mask ----------------------------------------------------------------------------


def _actions(studio: Studio, id: str, draft: Draft, picture: Size) -> None:
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Undo", icon=":material/undo:", disabled=draft.drawing is None, help="Take back the last stroke",
            on_click=_undo, args=(studio, id, picture), key="canvas-undo",
        )  # fmt: skip
        st.button(
            "Clear", icon=":material/delete_sweep:", help="Remove the whole mask",
            on_click=_replace, args=(studio, id, None), key="canvas-clear",
            disabled=draft.drawing is None and draft.base_mask is None,
        )  # fmt: skip
        st.button(
            "Invert", icon=":material/invert_colors:", help="Repaint what is kept now, and keep the rest",
            on_click=_invert, args=(studio, id), key="canvas-invert",
        )  # fmt: skip
        with st.popover("Mask file", icon=":material/draft:"):
            st.file_uploader(
                "Upload a mask", FILE_TYPES, key=_upload_key(id),
                help="White is repainted, black and transparent are kept. It replaces what is painted now.",
            )  # fmt: skip
            st.download_button(
                "Download the mask", lambda: _png(mask_of(studio, studio.drafts.get(id) or draft)),
                "mask.png", "image/png", on_click="ignore", icon=":material/download:", key="canvas-download",
                width="stretch",
            )  # fmt: skip
        st.toggle("Show the mask", key="canvas-preview", help="The picture with everything that will be repainted")


def _undo(studio: Studio, id: str, picture: Size) -> None:
    with shown_errors():
        drawing = _drawing_of(studio.drafts.get(id) or Draft(), picture).without_last
        state.change_draft(studio, id, drawing=None if drawing.is_empty else drawing.to_json())
        state.leave_seat()


def _replace(studio: Studio, id: str, mask: Mask | None) -> Draft:
    """The drawing gives way to this mask; None: to nothing."""
    state.leave_seat()
    key = None if mask is None else studio.drafts.images.put(mask.to_image())
    return state.change_draft(studio, id, drawing=None, base_mask=key)


def _invert(studio: Studio, id: str) -> None:
    with shown_errors():
        _replace(studio, id, mask_of(studio, studio.drafts.get(id) or Draft()).inverted)


def _upload_key(id: str) -> str:
    return f"{id}.mask"


def _uploaded_mask(studio: Studio, id: str, draft: Draft, picture: Size) -> Draft:
    """Taken before the canvas is drawn, though its widget stands below: the mask goes under the drawing."""
    file = state.held(_upload_key(id))
    if file is not None and state.is_new_file("mask", file.file_id):
        with shown_errors():
            return _replace(studio, id, _read_mask(file.getvalue(), picture))
    return draft


def _read_mask(data: bytes, picture: Size) -> Mask:
    mask = Mask.from_image(read_picture(data).image)
    if abs(mask.size.width * picture.height / (mask.size.height * picture.width) - 1) > 0.02:
        raise SizeMismatch(
            f"The mask is {mask.size} pixels and the picture {picture}: they differ in shape. "
            "Use a mask of the picture's size."
        )
    return mask.resized(picture)


def _png(mask: Mask) -> bytes:
    file = io.BytesIO()
    mask.to_image().save(file, "PNG")
    return file.getvalue()


def _outcome(studio: Studio, draft: Draft, drawing: Drawing, size: Size) -> None:
    base = prepared.small_mask(studio, draft.base_mask, tuple(size)) if draft.base_mask else None
    mask = drawing.mask(size, base)
    if mask.is_empty:
        st.caption(":material/info: Nothing is painted yet. Paint over what should change.")
    else:
        st.caption(f":material/brush: {_percent(mask.coverage)} of the picture will be repainted.")
    if state.held("canvas-preview"):
        st.image(prepared.preview(studio, draft.source, mask), alt="What will be repainted", width="stretch")


def _percent(share: float) -> str:
    return "Less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
