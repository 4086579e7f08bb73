"""What our painter sends: the mask as a PNG, from a browser that nobody vouches for."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from core.domain.errors import InvalidMask
from core.domain.files.picture_file import facts_of
from core.domain.geometry import Size
from core.domain.pixels.mask import Mask

LARGEST = Size(2048, 2048)
"""The painter paints at the picture's own size up to this one: a finer mask would cost a phone its memory, and a
pixel of it is less than two of a 12-megapixel photo (docs/decisions/0008-the-painter.md)."""

MAX_PNG_BYTES = 6_000_000
"""More than any mask of the largest size, which has 4.2 million pixels of one byte."""


def painted_size(picture: Size) -> Size:
    """The size at which the painter shows and sends the mask of this picture."""
    return picture.fitted(LARGEST)


def read_painted(png: bytes, size: Size) -> Mask:
    """The mask in a PNG of one channel and exactly this size. Raises InvalidMask, before decoding where it can."""
    if len(png) > MAX_PNG_BYTES:
        raise InvalidMask("The painter sent a mask that is too large. Reload the page and paint again.")
    try:
        facts_of(png)
        with Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
            if opened.size != size.sides or opened.mode not in ("1", "L"):
                raise InvalidMask("The painter sent a mask for another picture. Reload the page and paint again.")
            return Mask(np.asarray(opened.convert("L"))).visible
    except InvalidMask:
        raise
    except Exception as error:
        # A decoder raises what it meets: OSError, SyntaxError, struct.error, ...
        raise InvalidMask("The painter sent a mask that cannot be read. Reload the page and paint again.") from error


def repainted(base: Mask, painted: Mask) -> Mask:
    """The mask as it was painted, with the finer detail of the base wherever nothing was changed.

    base: the mask that the painter began with, at its own size. painted: what came of it, at the painter's size.
    The result is as fine as the finer of the two.
    """
    shown = base.resized(painted.size)
    if base.size.pixels <= painted.size.pixels:
        return painted
    is_changed = Mask(np.where(shown.pixels != painted.pixels, 255, 0).astype(np.uint8)).resized(base.size)
    # A pixel more on each side: the border of a change lies between two pixels of the painter.
    around = is_changed.grown(-(-base.size.width // painted.size.width)).pixels > 0
    return Mask(np.where(around, painted.resized(base.size).pixels, base.pixels))
