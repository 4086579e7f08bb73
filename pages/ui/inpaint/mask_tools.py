"""What can be done to the whole mask, whichever canvas it was painted on, and masks that come from elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st
from PIL import Image

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import SizeMismatch, StudioError
from core.domain.files.encoding import encoded
from core.domain.files.painted_mask import painted_size
from core.domain.files.picture_formats import FILE_TYPES
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Generation
from core.domain.geometry import Size
from core.domain.pixels.drawing import Drawing, canvas_size
from core.domain.pixels.given_mask import given_mask
from core.domain.pixels.mask import Mask
from pages.ui.inpaint.open_draft import OpenDraft
from pages.ui.inpaint.painter import take_painted
from pages.ui.shell import prepared, state
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.page import button_label
from pages.ui.shell.panel import is_drawn
from pages.ui.shell.wording import beginning

SAME_SHAPE = 0.02
"""By how much the shapes of a mask and its picture may differ: a pixel or two of a small one."""

MAX_SELECTION = 20
"""Of what was found for a mask, the latest that are remembered."""

LOOKED_THROUGH = 60
OFFERED = 8
THUMBNAIL = Size(120, 120)
ADJUST, PX = "mask-adjust", "canvas-px"


def mask_of(studio: Studio, draft: Draft) -> Mask:
    """The mask of this draft at the full size of its picture. Raises InvalidMask."""
    picture = prepared.picture_size(studio, draft.picture)
    base = _stored(studio, draft.base_mask).resized(picture) if draft.base_mask else None
    return drawing_of(draft, picture).mask(picture, base)


def drawing_of(draft: Draft, picture: Size) -> Drawing:
    return Drawing.from_json(draft.drawing, canvas_size(picture, draft.canvas_width or picture.width))


def replace_mask(
    opened: OpenDraft,
    mask: Mask | None,
    notes: Sequence[str] = (),
    selection: Sequence[Mapping[str, Any]] = (),
) -> OpenDraft:
    """The mask, painted or not, gives way to this one; None: to nothing.

    notes: what is to be told about it. selection: what was found for it, as Draft has it.
    """
    state.invalidate_canvas()
    key = None if mask is None or mask.is_empty else opened.studio.drafts.images.put(mask.to_image())
    found = tuple(selection)[-MAX_SELECTION:] if key else ()
    return opened.changed(drawing=None, base_mask=key, mask_notes=tuple(notes), selection=found)


def mask_notes(draft: Draft) -> None:
    """What was understood of a mask from elsewhere, as long as it is there."""
    for note in draft.mask_notes if draft.base_mask else ():
        st.caption(f":material/info: {escaped(note)}")


def mask_tools(opened: OpenDraft) -> None:
    """The buttons, in the container that stands open."""
    st.button(
        "Invert",
        icon=":material/invert_colors:",
        help="Swap the masked and the unmasked areas",
        on_click=change_mask,
        args=(opened, lambda mask: mask.inverted),
        key="canvas-invert",
    )
    adjust = st.popover(
        "Adjust", icon=":material/tune:", disabled=opened.draft.has_no_mask, key=ADJUST, on_change="rerun"
    )
    if is_drawn(adjust, [PX]):
        with adjust:
            _changes(opened)
    # Always drawn: the file that was chosen stays in its field.
    with st.popover("Mask from", icon=":material/draft:"):
        _sources(opened)


def uploaded_mask(opened: OpenDraft) -> OpenDraft:
    """Taken before the canvas is drawn, though its widget stands below: the mask goes under the drawing."""
    file = state.widget_value(_upload_key(opened.id))
    if file is not None and state.is_new_file("mask", file.file_id):
        with shown_errors():
            studio = opened.studio
            given = given_mask(studio.pictures.read(file.getvalue()).image, studio.gallery.image(opened.source))
            return replace_mask(opened, _fitting(given.mask, opened.picture), given.notes)
    return opened


# Changes -------------------------------------------------------------------------------------------------------


def _changes(opened: OpenDraft) -> None:
    picture = opened.picture
    state.set_default(PX, 8)
    help = "How far to expand or contract the mask on every side"
    px = st.number_input("Pixels of the picture", 1, 256, key=PX, help=help)
    tools: dict[str, tuple[str, str, Callable[[Mask], Mask]]] = {
        "Grow": ("zoom_out_map", "Expand the mask on every side", lambda mask: mask.grown(_at(mask, picture, px))),
        "Shrink": ("zoom_in_map", "Contract the mask on every side", lambda mask: mask.shrunk(_at(mask, picture, px))),
        "Fill holes": ("format_color_fill", "Fill areas that the mask encloses", lambda mask: mask.holes_filled),
        "Remove specks": (
            "cleaning_services",
            "Remove spots smaller than this many pixels across",
            lambda mask: mask.without_specks(_at(mask, picture, px) ** 2),
        ),
    }
    with st.container(horizontal=True, gap="small"):
        for title, (icon, words, change) in tools.items():
            st.button(
                title,
                icon=f":material/{icon}:",
                help=words,
                on_click=change_mask,
                args=(opened, change),
                key=f"canvas-{title.lower().replace(' ', '-')}",
            )
    st.caption("To soften the edge of the blend, use Feather in the parameters.")


def change_mask(opened: OpenDraft, change: Callable[[Mask], Mask]) -> None:
    """The stroke that came in with this very click goes first."""
    take_painted(opened.studio, opened.id)
    with shown_errors():
        opened = opened.read_again()
        replace_mask(opened, change(mask_as_stored(opened)), selection=opened.draft.selection)


def mask_as_stored(opened: OpenDraft) -> Mask:
    """The mask at the size at which it was made: nothing is gained by enlarging it before it is changed."""
    if opened.draft.drawing is not None:
        return mask_of(opened.studio, opened.draft)
    if opened.draft.base_mask is not None:
        return _stored(opened.studio, opened.draft.base_mask)
    return Mask.empty(painted_size(opened.picture))


def _stored(studio: Studio, key: str) -> Mask:
    return Mask.from_image(studio.gallery.image(key))


def _at(mask: Mask, picture: Size, px: int) -> int:
    """Pixels of the picture as pixels of the mask."""
    return max(1, round(px * mask.size.width / picture.width))


# Masks from elsewhere ------------------------------------------------------------------------------------------


def _sources(opened: OpenDraft) -> None:
    studio = opened.studio
    st.file_uploader(
        "Upload a mask",
        FILE_TYPES,
        key=_upload_key(opened.id),
        help="White is repainted, black is kept; in a coloured mask everything that is not black is repainted. It "
        "replaces what is painted now.",
    )
    st.download_button(
        "Download the mask",
        lambda: _png(mask_of(studio, opened.read_again().draft)),
        "mask.png",
        "image/png",
        on_click="ignore",
        icon=":material/download:",
        key="canvas-download",
        width="stretch",
    )
    transparent = prepared.transparent_part(studio, opened.source)
    if transparent is not None:
        st.button(
            "Transparent areas",
            icon=":material/opacity:",
            width="stretch",
            key="canvas-transparent",
            help="Repaint the transparent part of the picture. It replaces what is painted now.",
            on_click=change_mask,
            args=(opened, lambda _: transparent),
        )
    if st.toggle("Masks of earlier generations", key="canvas-earlier"):
        _earlier(opened)


def _earlier(opened: OpenDraft) -> None:
    studio = opened.studio
    found = _of_this_shape(studio, opened.picture)
    if not found:
        st.caption("No earlier generation had a picture of this shape.")
        return
    with st.container(horizontal=True, gap="small"):
        for generation in found:
            with st.container(width=THUMBNAIL.width), shown_errors():
                st.image(_thumbnail(studio, generation), alt=f"Mask: {generation.params.prompt}", width="stretch")
                st.button(
                    button_label("Take", beginning(generation.params.prompt, 60) or "without a prompt"),
                    help=escaped(generation.params.prompt) or None,
                    width="stretch",
                    key=f"canvas-take-{generation.id}",
                    on_click=_take,
                    args=(opened, generation),
                )


def _of_this_shape(studio: Studio, picture: Size) -> list[Generation]:
    """The latest generations, each mask once, whose pictures have this one's shape at whatever size."""
    latest = studio.gallery.browse(GalleryFilter(), limit=LOOKED_THROUGH).generations
    masks = {g.mask: g for g in reversed(latest) if _is_same_shape(Size(g.width, g.height), picture)}
    return list(reversed(masks.values()))[:OFFERED]


def _thumbnail(studio: Studio, generation: Generation) -> bytes:
    """The result, small, with its mask laid over it; the mask alone where there is no result."""
    size = Size(generation.width, generation.height).fitted(THUMBNAIL)
    mask = prepared.small_mask(studio, generation.mask, size.sides)
    image = mask.to_image()
    if generation.thumbnail is not None:
        try:
            with Image.open(io.BytesIO(studio.gallery.thumbnail(generation.id, generation.thumbnail))) as opened:
                image = prepared.tinted(opened.convert("RGB").resize(size.sides), mask)
        except StudioError:
            # Its file is gone; the mask says enough.
            pass
    return encoded(image, "PNG")


def _take(opened: OpenDraft, generation: Generation) -> None:
    take_painted(opened.studio, opened.id)
    with shown_errors():
        mask = _fitting(opened.studio.gallery.mask(generation), opened.picture)
        replace_mask(opened, mask, selection=generation.record.selection)


def _fitting(mask: Mask, picture: Size) -> Mask:
    """The mask at the size of the picture. Raises SizeMismatch."""
    if not _is_same_shape(mask.size, picture):
        raise SizeMismatch(
            f"The mask is {mask.size} pixels and the picture {picture}: they differ in shape. "
            "Use a mask of the picture's size."
        )
    return mask.resized(picture)


def _is_same_shape(one: Size, other: Size) -> bool:
    return abs(one.width * other.height / (one.height * other.width) - 1) <= SAME_SHAPE


def _upload_key(id: str) -> str:
    return f"{id}.mask"


def _png(mask: Mask) -> bytes:
    return encoded(mask.to_image(), "PNG")
