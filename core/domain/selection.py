"""Selections: masks found in the picture itself, by the colour at a place."""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.domain.errors import InvalidMask
from core.domain.mask import Mask, areas_of

MAX_TOLERANCE = 255


def similar(image: Image.Image, at: tuple[int, int], *, tolerance: int, connected: bool = True) -> Mask:
    """Every pixel whose red, green and blue each differ by at most the tolerance from those at a place.

    at: column and row in pixels. tolerance: 0 to 255. connected: only what hangs together with the place, not through
    corners; otherwise everywhere in the picture.

    Raises InvalidMask if the place lies outside of the picture, or the tolerance is none.
    """
    column, row = at
    if not (0 <= column < image.width and 0 <= row < image.height) or not 0 <= tolerance <= MAX_TOLERANCE:
        raise InvalidMask("This place or this tolerance cannot be used. Choose again.")
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
