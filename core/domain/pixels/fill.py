"""What the masked part starts from, before a model repaints it: blurred, neutral noise, colours of the border.

The classical fills of OpenCV stand in core/engine/run/filling.py, which chooses among all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.domain.pixels.mask import Mask

BLUR_SHARE = 1 / 16
"""Radius of the blur, of the longer side: shapes are gone, and rough colours are left."""

GREY, NOISE_SPREAD = 128, 48

Values = NDArray[np.float32]


def blurred(image: Image.Image) -> Image.Image:
    """Rough colours of what was there, without its shapes."""
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * BLUR_SHARE))


def neutral_noise(image: Image.Image, seed: int) -> Image.Image:
    """Grey noise of the image's size, the same for the same seed."""
    # RandomState: numpy has frozen its numbers for ever; those of its newer generators may change.
    noise = np.random.RandomState(seed).normal(GREY, NOISE_SPREAD, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.rint(noise), 0, 255).astype(np.uint8))


def border_colours(image: Image.Image, mask: Mask) -> Image.Image:
    """image: RGB. The colours around the mask, flowing together inside it; outside it stays as it is."""
    filled = pull_push_fill(np.asarray(image, np.float32), np.where(mask.pixels == 0, np.float32(1), np.float32(0)))
    return Image.fromarray(np.clip(np.rint(filled), 0, 255).astype(np.uint8))


def pull_push_fill(values: Values, weights: Values) -> Values:
    """(H, W, C), with weights (H, W) of 0..1 -> the same where the weight is 1, and a smooth continuation elsewhere.

    Pull-push (Gortler, Grzeszczuk, Szeliski and Cohen, The Lumigraph, SIGGRAPH 1996, section 3.4.1): averages of what
    is known are pulled up a pyramid, and pushed down to where nothing is. Without anything known all is 0.
    """
    if max(weights.shape) == 1 or weights.min() >= 1:
        return values * (weights[..., None] > 0)
    coarse = pull_push_fill(*_halved(values, weights))
    share = weights[..., None]
    return values * share + _enlarged(coarse, weights.shape) * (1 - share)


def _halved(values: Values, weights: Values) -> tuple[Values, Values]:
    odd = [(0, side % 2) for side in weights.shape]
    weights = np.pad(weights, odd)
    weighted = np.pad(values, [*odd, (0, 0)]) * weights[..., None]
    height, width = weights.shape[0] // 2, weights.shape[1] // 2
    sums = weighted.reshape(height, 2, width, 2, -1).sum(axis=(1, 3))
    known = weights.reshape(height, 2, width, 2).sum(axis=(1, 3))
    return sums / np.maximum(known, 1e-6)[..., None], np.minimum(known, np.float32(1))


def _enlarged(values: Values, shape: tuple[int, int]) -> Values:
    height, width = shape
    channels = [
        np.asarray(Image.fromarray(np.ascontiguousarray(channel)).resize((width, height), Image.Resampling.BILINEAR))
        for channel in np.moveaxis(values, 2, 0)
    ]
    return np.stack(channels, axis=2)
