"""What a mask file means: masks of every tool, in grey, in colour, in transparency, become one that we paint by.

White on black is the rule. What is understood beyond it is told in a note; what could mean two things is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.errors import EmptyMask, InvalidMask
from core.domain.geometry import Bounds, Size
from core.domain.pixels import compositing
from core.domain.pixels.mask import FAINT, Mask, has_transparency

COLOURED = "The mask is coloured: everything in it that is not black is repainted."
DRAWN = "The mask is drawn on transparency: what is drawn is repainted, what is transparent is kept."
TRANSPARENT = "The mask is in the transparency of its file: the transparent part is repainted."
OWN_TRANSPARENCY = "The transparent part of the picture is repainted."

OPAQUE = 256 - FAINT

COLOURED_SHARE = 1 / 1000
"""Of what is not black: fewer coloured pixels are the fringes of smooth edges, or noise."""

FEW_COLOURS = 256
"""A coloured mask of more has been compressed with loss, as JPEG does: around red on black it leaves values up to 30
as far as 20 pixels away (measured, qualities 60 to 95). Its black ends at LOSSY_FAINT."""
LOSSY_FAINT = 32

LOOKED_AT = Size(512, 512)
ALIKE = 8
"""Mean difference, of 255, up to which the opaque part of a mask is taken for a copy of the picture."""


@dataclass(frozen=True, slots=True)
class GivenMask:
    """notes: one sentence for everything that was not plain white on black."""

    mask: Mask
    notes: tuple[str, ...] = ()


def given_mask(image: Image.Image, picture: Image.Image | None = None) -> GivenMask:
    """The mask in a file. image: as it was opened, or as files.picture makes it. picture: what it is to mask.

    Greys are kept, from FAINT on. Of colours everything that is not black is wholly on. With transparency, what is
    drawn is on; if nothing is, or if it is the picture itself with a hole, what is transparent.

    Raises EmptyMask if nothing is on, InvalidMask if it is a coloured drawing on white.
    """
    given = _read(image, picture)
    if given.mask.is_empty:
        raise EmptyMask
    return given


def own_transparency(picture: Image.Image) -> GivenMask | None:
    """The mask that a picture brings along: what is transparent in it. None if nothing is."""
    mask = Mask.from_transparency(picture)
    return None if mask.is_empty else GivenMask(mask, (OWN_TRANSPARENCY,))


def _read(image: Image.Image, picture: Image.Image | None) -> GivenMask:
    if has_transparency(image):
        return _with_alpha(image.convert("RGBA"), picture)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        return GivenMask(_grey((values >> 8).clip(0, 255).astype(np.uint8), of="65535", brightest=int(values.max())))
    return _drawn(image.convert("RGB"))


def _with_alpha(image: Image.Image, picture: Image.Image | None) -> GivenMask:
    alpha = np.asarray(image.getchannel("A"))
    if (alpha >= OPAQUE).all():
        return _drawn(image.convert("RGB"))
    shown = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("RGB")
    is_nothing_drawn = not (np.asarray(shown) >= FAINT).any()
    if is_nothing_drawn or (picture is not None and _is_copy(image, picture)):
        # A layer on which nothing is painted says nothing, rather than everything.
        is_blank = not (alpha >= FAINT).any()
        mask = Mask.empty(Mask(alpha).size) if is_blank else Mask.from_transparency(image)
        return GivenMask(mask, (TRANSPARENT,))
    drawn = _drawn(shown)
    return GivenMask(drawn.mask, (*drawn.notes, DRAWN))


def _is_copy(image: Image.Image, picture: Image.Image) -> bool:
    """Whether what is opaque of it shows the picture: the mask is then where it was erased. Looked at while small."""
    size = Size(*image.size).fitted(LOOKED_AT)
    small = image.resize(size.sides, Image.Resampling.BOX)
    opaque = np.asarray(small.getchannel("A")) >= OPAQUE
    if not opaque.any():
        return False
    below = compositing.for_model(picture, Bounds(0, 0, *picture.size), size)
    apart = np.abs(np.asarray(small.convert("RGB"))[opaque].astype(np.int16) - np.asarray(below)[opaque])
    return float(apart.mean()) <= ALIKE


def _drawn(image: Image.Image) -> GivenMask:
    """image: RGB."""
    pixels = np.asarray(image)
    high, low = pixels.max(axis=2), pixels.min(axis=2)
    visible, spread = high >= FAINT, high - low
    coloured = visible & (spread >= FAINT) & (spread > high // 4)
    if np.count_nonzero(coloured) <= np.count_nonzero(visible) * COLOURED_SHARE:
        return GivenMask(_grey(np.asarray(image.convert("L")), of="255", brightest=int(high.max())))
    if _has_white_border(low):
        raise InvalidMask(
            "This mask is a coloured drawing on white, so which part is meant is not clear. Draw on black, or on "
            "nothing: white, or any colour, is repainted and black is kept."
        )
    faint = FAINT if image.getcolors(FEW_COLOURS) else LOSSY_FAINT
    return GivenMask(Mask(np.where(high >= faint, np.uint8(255), np.uint8(0))), (COLOURED,))


def _has_white_border(low: NDArray[np.uint8]) -> bool:
    border = np.concatenate([low[0], low[-1], low[:, 0], low[:, -1]])
    return bool((border >= OPAQUE).mean() > 0.5)


def _grey(pixels: NDArray[np.uint8], *, of: str, brightest: int) -> Mask:
    """Raises EmptyMask for a mask that is nearly black all over, as one is whose white was saved as 1."""
    mask = Mask(pixels).visible
    if mask.is_empty and brightest:
        raise EmptyMask(
            f"This mask is black nearly everywhere: its brightest value is {brightest} of {of}, and white is "
            f"repainted. Save it with {of} for white."
        )
    return mask
