"""Pictures made ready for the screen once, and kept: by their keys, which name their pixels."""

from __future__ import annotations

import io

import numpy as np
import streamlit as st
from PIL import Image

from core.bootstrap import Studio
from core.domain.draft import KeptDraft
from core.domain.files.encoding import encoded
from core.domain.files.painted_mask import painted_size
from core.domain.geometry import Bounds, Size, frame_around
from core.domain.pixels import compositing, soft_mask
from core.domain.pixels.drawing import Drawing, canvas_size
from core.domain.pixels.mask import Mask, has_transparency

HINT_PX = 768
"""Longer side of a hint to look at: about what a model is shown of a picture."""

TINT = (225, 29, 116)
"""The colour of what is repainted, as core.domain.pixels.drawing.PAINT."""

KEPT = 32
"""Of each kind, for all who are here. Only files: a picture for the painter has about a megabyte, a mask 50 kB. Its
pixels have up to 4 MB, and each stroke makes a new one.
"""

MANY = 1000
"""Of what has a few bytes."""

LARGEST = Size(4096, 4096)
"""Of what is looked at closely."""

SCREEN = Size(1200, 1200)
"""No picture is shown larger on the page."""


@st.cache_data(max_entries=KEPT, show_spinner=False)
def _opened(
    _studio: Studio, key: str, _image: Image.Image | None = None
) -> tuple[tuple[int, int], bytes, bytes, bytes | None]:
    """The size of a picture, a JPEG of it for the screen and one for the painter, and a PNG of what is transparent.

    The one place that reads the whole picture: seconds. _image: the picture of this key, if it is at hand.
    """
    image = _image or _studio.gallery.image(key)
    size = Size(*image.size)
    transparent = Mask.from_transparency(image).resized(painted_size(size)) if has_transparency(image) else None
    painted = _fitted(image, painted_size(size))
    screen = _fitted(painted, size.fitted(SCREEN))
    mask = _png(transparent) if transparent and not transparent.is_empty else None
    return image.size, _jpeg(screen), _jpeg(painted), mask


def prepare(studio: Studio, key: str, image: Image.Image) -> None:
    """While the picture of this key is at hand, so that it is not decoded again for the screen."""
    _opened(studio, key, image)


@st.cache_data(max_entries=MANY, show_spinner=False)
def _told(_studio: Studio, key: str) -> tuple[tuple[int, int], bytes | None]:
    """The size, and the transparent part: every run asks for them, and what is cached is copied each time."""
    size, _, _, transparent = _opened(_studio, key)
    return size, transparent


def picture_size(studio: Studio, key: str) -> Size:
    return Size(*_told(studio, key)[0])


def screen_picture(studio: Studio, key: str) -> bytes:
    """The picture as a JPEG, at most as large as SCREEN."""
    return _opened(studio, key)[1]


def painter_picture(studio: Studio, key: str) -> bytes:
    """The picture as a JPEG at the size at which the painter paints on it."""
    return _opened(studio, key)[2]


@st.cache_data(max_entries=4 * KEPT, show_spinner=False)
def part_of(_studio: Studio, key: str, box: tuple[int, int, int, int]) -> bytes:
    """This part of a picture (left, top, right, bottom) as a JPEG, with all its pixels up to LARGEST a side."""
    part = _studio.gallery.image(key).crop(box)
    return _jpeg(_fitted(part, Size(*part.size).fitted(LARGEST)))


def transparent_part(studio: Studio, key: str) -> Mask | None:
    """Transparent areas in the picture, at the painter's size; None if nothing is."""
    png = _told(studio, key)[1]
    return _mask(png) if png else None


@st.cache_data(max_entries=KEPT, show_spinner=False)
def hint_picture(_studio: Studio, key: str, hint: str) -> bytes:
    """What a ControlNet is shown of the picture of this key, as a JPEG."""
    return _jpeg(_studio.controlnets.hint(key, hint, HINT_PX))


@st.cache_data(max_entries=KEPT, show_spinner=False)
def painter_mask(_studio: Studio, key: str, size: tuple[int, int]) -> bytes:
    """The mask as a PNG of this size."""
    return _png(Mask.from_image(_studio.gallery.image(key)).resized(Size(*size)).visible)


@st.cache_data(max_entries=KEPT, show_spinner=False)
def canvas_picture(_studio: Studio, key: str, base_mask: str | None, size: tuple[int, int]) -> bytes:
    """The picture as a JPEG of exactly this size, with the mask below the drawing laid over it in colour."""
    image = _fitted(Image.open(io.BytesIO(screen_picture(_studio, key))), Size(*size))
    return _jpeg(image if base_mask is None else tinted(image, small_mask(_studio, base_mask, size)))


@st.cache_data(max_entries=8, show_spinner=False)
def small_mask(_studio: Studio, key: str, size: tuple[int, int]) -> Mask:
    return _mask(painter_mask(_studio, key, size))


@st.cache_data(max_entries=MANY, show_spinner=False)
def has_grey_parts(_studio: Studio, key: str, size: tuple[int, int]) -> bool:
    """Whether the mask of this key is grey somewhere, at this size. Asked in every run; the mask has up to 4 MB."""
    return soft_mask.has_grey_parts(small_mask(_studio, key, size))


def preview(studio: Studio, key: str, mask: Mask) -> bytes:
    """The picture at the mask's size: what is kept as it is, what is repainted in colour."""
    return _jpeg(tinted(Image.open(io.BytesIO(canvas_picture(studio, key, None, mask.size.sides))), mask))


def draft_picture(studio: Studio, kept: KeptDraft, size: tuple[int, int]) -> bytes:
    """A JPEG of this size of what a draft is about: its picture around the mask, which is laid over it in colour."""
    draft = kept.draft
    return _draft_picture(studio, kept, size, draft.picture, draft.base_mask, draft.drawing)


@st.cache_data(max_entries=MANY, show_spinner=False)
def masked_tile(_studio: Studio, source: str, mask: str, size: tuple[int, int]) -> bytes:
    """A JPEG of this size of the part of a picture that is repainted, with the mask over it in colour."""
    image = Image.open(io.BytesIO(screen_picture(_studio, source)))
    small = Mask.from_image(_studio.gallery.image(mask)).resized(Size(*image.size))
    return _around(image, small, size, context=0.8, least=0.2)


def _around(image: Image.Image, mask: Mask | None, size: tuple[int, int], *, context: float, least: float) -> bytes:
    """A tile of the image around the mask, which lies over it in colour; context, least: as frame_around has them."""
    box = mask.bounds if mask is not None else None
    if mask is not None and box is not None:
        image = tinted(image, mask)
    whole = Size(*image.size)
    frame = frame_around(box or Bounds(0, 0, *whole), whole, Size(*size), context=context, least=least)
    return _jpeg(image.resize(size, Image.Resampling.LANCZOS, box=frame.box))


@st.cache_data(max_entries=MANY, show_spinner=False)
def _draft_picture(
    _studio: Studio, _kept: KeptDraft, size: tuple[int, int], source: str, base_mask: str | None, drawing: str | None
) -> bytes:
    """Of the thumbnail and the painter's mask: the picture itself is not decoded."""
    image = Image.open(io.BytesIO(_studio.drafts.thumbnail(_kept))).convert("RGB")
    small = Size(*image.size)
    mask = Mask.from_image(_studio.gallery.image(base_mask)).resized(small) if base_mask else None
    if drawing is not None:
        strokes = Drawing.from_json(drawing, canvas_size(small, _kept.draft.canvas_width or small.width))
        mask = strokes.mask(small, mask)
    return _around(image, mask, size, context=0, least=1)


def tinted(image: Image.Image, mask: Mask) -> Image.Image:
    weight = Image.fromarray((mask.pixels // 2).astype(np.uint8))
    return Image.composite(Image.new("RGB", image.size, TINT), image, weight)


def _fitted(image: Image.Image, size: Size) -> Image.Image:
    return compositing.for_screen(image, size)


def _png(mask: Mask) -> bytes:
    return encoded(mask.to_image(), "PNG", compress_level=1)


def _mask(png: bytes) -> Mask:
    return Mask(np.asarray(Image.open(io.BytesIO(png))))


def _jpeg(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", quality=90)
