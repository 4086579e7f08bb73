"""Selections: masks found in the picture itself, by the colour at a place, and those of a plain shape."""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.domain.errors import InvalidMask
from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask, areas_of

MAX_TOLERANCE = 255


def rectangle(size: Size, box: Bounds) -> Mask:
    """Every pixel in the box, for a mask of this size; what hangs over its border is cut off."""
    rows, columns = np.ogrid[: size.height, : size.width]
    down, across = (box.top <= rows) & (rows < box.bottom), (box.left <= columns) & (columns < box.right)
    return Mask(np.where(down & across, 255, 0).astype(np.uint8))


def ellipse(size: Size, box: Bounds) -> Mask:
    """As rectangle, every pixel whose middle lies in the ellipse that fills the box."""
    rows, columns = np.ogrid[: size.height, : size.width]
    # All doubled, so that the middles of pixels and box are whole numbers.
    down = (2 * rows + 1 - box.top - box.bottom) / box.size.height
    across = np.abs(2 * columns + 1 - box.left - box.right)
    reach = np.where(down**2 <= 1, box.size.width * np.sqrt(np.maximum(0, 1 - down**2)), -1)
    return Mask(np.where(across <= reach, 255, 0).astype(np.uint8))


def similar(image: Image.Image, at: tuple[int, int], *, tolerance: int, connected: bool = True) -> Mask:
    """Every pixel whose red, green and blue each differ by at most the tolerance from those at a place.

    at: column and row in pixels. tolerance: 0 to 255. connected: only what hangs together with the place, not through
    corners; otherwise everywhere in the picture.

    Raises InvalidMask if the place lies outside of the picture, or the tolerance is none.
    """
    column, row = at
    if not (0 <= column < image.width and 0 <= row < image.height) or not 0 <= tolerance <= MAX_TOLERANCE:
        raise InvalidMask("This point or tolerance is invalid. Choose again.")
    colours = np.asarray(image.convert("RGB"))
    alike = np.ones(colours.shape[:2], bool)
    for channel in np.moveaxis(colours, 2, 0):
        low = max(0, int(channel[row, column]) - tolerance)
        high = min(255, int(channel[row, column]) + tolerance)
        # One comparison for both ends: what lies below the low one wraps around to a large number.
        alike &= (channel - np.uint8(low)) <= high - low
    if connected:
        areas, _ = areas_of(alike)
        alike = areas == areas[row, column]
    return Mask(np.where(alike, 255, 0).astype(np.uint8))
