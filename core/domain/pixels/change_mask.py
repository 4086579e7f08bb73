"""Preserving unchanged areas: a model repaints all of the mask, an object often needs only a part of it.

Around the object the photograph itself is better than any repaint of it: with its grain, and without a tint.
The idea is that of soft inpainting in AUTOMATIC1111's web UI; here it is done on pixels, so it suits every model.
The figures behind the shares: docs/decisions/0007-the-repaint.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from scipy import ndimage

from core.domain.geometry import Bounds
from core.domain.pixels.mask import Mask

DETAIL_SHARE = 1 / 64
"""Blur before two pictures are compared (its sigma), of the longer side: lost grain is no change."""

SOFT_SHARE = 1 / 96
"""Blur of the result, of the mask's longer side, as are those below. More of it brings the halo back."""

GAP_SHARE = 1 / 32
"""Gaps and notches of twice this width belong to the object around them."""

SPECK_SHARE = 1 / 10
"""A changed area smaller than a square of this side is no object."""

Values = NDArray[np.float32]


def change_mask(repainted: Image.Image, around: Image.Image, mask: Mask, threshold: float) -> Mask:
    """How much of each repainted pixel is worth taking: 0 where it hardly differs from the picture, 255 in an object.

    repainted, around: RGB of the mask's size, at which the model worked. mask: what may change at all. threshold: a
    colour difference in Oklab, above 0; about 0.02 can just be seen, black and white are 1 apart.

    It rises from 0 at half the threshold to 255 at one and a half. What rises less than that far anywhere is left out,
    and what an object encloses belongs to it: so faint shadows of an object stay, faint tints do not.
    """
    bounds = mask.bounds
    if bounds is None:
        return mask
    side = max(bounds.size)
    difference = _difference(repainted, around, max(mask.size) * DETAIL_SHARE) * (mask.pixels > 0)
    rising = np.clip(difference / threshold - np.float32(0.5), 0, 1)
    objects = _solid(rising >= 0.5, side)
    reached = ndimage.binary_propagation(objects, mask=(rising > 0) | objects)
    taken = np.where(objects, np.float32(1), rising * reached)
    return Mask(np.rint(255 * ndimage.gaussian_filter(taken, side * SOFT_SHARE)).astype(np.uint8))


def scaled_by(mask: Mask, bounds: Bounds, weights: Mask) -> Mask:
    """The mask times the weights, which are for the part inside bounds, at any size; nothing of it gets stronger."""
    whole = Image.new("L", mask.size.sides)
    # Bilinear: a filter that overshoots would not keep the order of two weights.
    whole.paste(weights.to_image().resize(bounds.size.sides, Image.Resampling.BILINEAR), bounds.box)
    return Mask(np.asarray(ImageChops.multiply(mask.to_image(), whole)))


def _solid(on: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Without gaps, holes and specks."""
    gap, speck = max(1, round(side * GAP_SHARE)), round((side * SPECK_SHARE) ** 2)
    closed = Mask(np.where(on, np.uint8(255), np.uint8(0))).grown(gap).shrunk(gap)
    return closed.without_specks(speck).holes_filled.pixels > 0


def _difference(first: Image.Image, second: Image.Image, sigma: float) -> Values:
    """(H, W): how far two pictures are apart in Oklab, where equal distances look about equal."""
    apart = ndimage.gaussian_filter(oklab(first) - oklab(second), (sigma, sigma, 0))
    distance: Values = np.sqrt((apart**2).sum(axis=2))
    return distance


def oklab(image: Image.Image) -> Values:
    """RGB of 8 bits in sRGB -> (H, W, 3): lightness 0..1, and two of colour. (Ottosson, 2020.)"""
    red, green, blue = np.moveaxis(_LINEAR[np.asarray(image)], 2, 0)
    # Written out, not as a product of matrices: one order of adding on every machine.
    long = np.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = np.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = np.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    green_red = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    blue_yellow = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    return np.stack([lightness, green_red, blue_yellow], axis=2)


def _linear() -> Values:
    """Light of each of the 256 values of sRGB (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear()
