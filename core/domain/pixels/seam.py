"""The seam: where the repainted part meets the picture. Matching its colours there, and measuring what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from core.domain.pixels.fill import Values, pull_push_fill
from core.domain.pixels.mask import Mask

RING_SHARE = 1 / 64
"""Width of the ring on which colours are compared, of the longer side; at least 2 pixels.
A wider one leaves more of the seam."""

AVERAGED_PX = 8
"""Pixels over which each side of a border is averaged to see the step between them."""


def matched(repainted: Image.Image, around: Image.Image, mask: Mask, strength: float) -> Image.Image:
    """repainted with its colours shifted towards those of the picture around it.

    repainted, around: RGB of the mask's size. mask: what will be taken from the repainted picture. strength: 0..1.

    On a ring just outside the mask both show the same place: what they differ by there, smoothed, flows together
    inside the mask and is added (a membrane, as in Perez, Gangnet and Blake, Poisson Image Editing, 2003, without the
    equation's exactness: single pixels of the ring must not be drawn in as streaks).
    """
    ring_px = max(2, round(max(mask.size) * RING_SHARE))
    ring = (mask.grown(ring_px).pixels > 0) & (mask.pixels == 0)
    if not ring.any():
        return repainted
    painted = np.asarray(repainted, np.float32)
    weights = ring.astype(np.float32)
    offsets, near = _averaged(np.asarray(around, np.float32) - painted, weights, ring_px / 2)
    shifted = painted + strength * pull_push_fill(offsets, weights * (near > 0))
    return Image.fromarray(np.clip(np.rint(shifted), 0, 255).astype(np.uint8))


def _averaged(values: Values, weights: Values, sigma_px: float) -> tuple[Values, Values]:
    """Gaussian averages of the values (H, W, C) with these weights, and how much weight each of them has."""
    near = ndimage.gaussian_filter(weights, sigma_px, mode="constant")
    weighted: Values = values * weights[..., None]
    sums = ndimage.gaussian_filter(weighted, (sigma_px, sigma_px, 0), mode="constant")
    floor: Values = np.maximum(near, np.float32(1e-6))
    return sums / floor[..., None], near


@dataclass(frozen=True, slots=True)
class Seam:
    """How much a border can be seen, as differences of 0..255, averaged along it.

    jump: how much steeper the picture is across the border than just beside it. step: how far the averages of the two
    sides are apart.
    """

    jump: float
    step: float


_TURNS: tuple[Callable[[NDArray[Any]], NDArray[Any]], ...] = (lambda a: a, lambda a: np.swapaxes(a, 0, 1))


def seam(picture: Image.Image, mask: Mask) -> Seam | None:
    """The seam along the border of a mask: where 0 meets anything else. None if it has no border inside the picture."""
    bounds = mask.bounds
    if bounds is None:
        return None
    near = bounds.grown(4 * AVERAGED_PX, within=mask.size)
    values = np.asarray(picture.crop(near.box).convert("RGB"), np.float32)
    inside = mask.pixels[near.slices] > 0
    within = _averaged(values, inside.astype(np.float32), AVERAGED_PX)[0]
    without = _averaged(values, (~inside).astype(np.float32), AVERAGED_PX)[0]
    jumps, steps = [], []
    for turned in _TURNS:
        value, on = turned(values), turned(inside)
        # Four neighbours in a row, the border between the two in the middle.
        first, last = np.nonzero((on[1:-2] != on[2:-1]) & (on[:-3] == on[1:-2]) & (on[2:-1] == on[3:]))
        rows = [value[first + n, last] for n in range(4)]
        beside = (np.abs(rows[1] - rows[0]) + np.abs(rows[3] - rows[2])) / 2
        jumps.append((np.abs(rows[2] - rows[1]) - beside).mean(axis=1))
        at = (first + 1, last)
        steps.append(np.abs(turned(within)[at] - turned(without)[at]).mean(axis=1))
    jump, step = np.concatenate(jumps), np.concatenate(steps)
    return Seam(float(jump.mean()), float(step.mean())) if jump.size else None
