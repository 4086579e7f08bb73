"""What is compared between two places of a picture, and the pyramid of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

CHANNELS = 5
"""L, a, b, and two of texture."""

LAB_ZERO = np.array([0, 128, 128], np.float32)

COLOURS, TEXTURE = slice(0, 3), slice(3, 5)

TEXTURE_WEIGHT = 1.5
TEXTURE_WINDOW = 9
"""Pixels a side. Texture as Newson et al. (2014) compare it: patches of blurred grass then differ from a plain wall."""

REACH = 3
"""Pixels from the middle of a patch to its side: 7 x 7."""

COARSEST_DEPTH = 3.5
"""Pixels from the border to the middle of the hole at the coarsest level: one patch then sees both of its sides."""

LEAST_SIDE = 36
"""Pixels of the picture's shorter side at the coarsest level, so that there are patches to choose from."""


@dataclass(frozen=True, slots=True)
class Level:
    """One size of the picture. channels: (H, W, CHANNELS), unknown in the hole. hole, allowed: (H, W).

    allowed: where the middle of a patch may lie that is copied.
    """

    channels: Floats
    hole: Bools
    allowed: Bools

    def halved(self) -> Level:
        known = (~self.hole)[..., None].astype(np.float32)
        share = np.maximum(smoothed(known), np.float32(1e-6))
        # One by one: all at once they would take the memory of the picture several times.
        each = [smoothed(self.channels[..., nth : nth + 1] * known)[::2, ::2] for nth in range(CHANNELS)]
        channels = np.concatenate(each, axis=2) / share[::2, ::2]
        return Level(np.asarray(channels, np.float32), self.hole[::2, ::2].copy(), self.allowed[::2, ::2].copy())


def lab(rgb: Bytes) -> Floats:
    """CIE Lab, L 0..100. By way of 8 bits, which OpenCV converts in whole numbers: the same on every processor."""
    levels = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.float32)
    return (levels - LAB_ZERO) * np.array([100 / 255, 1, 1], np.float32)


def channels_of(rgb: Bytes, hole: Bools) -> Floats:
    """(H, W, CHANNELS); what is in the hole means nothing."""
    channels = np.zeros((*hole.shape, CHANNELS), np.float32)
    channels[..., COLOURS] = colours = lab(rgb)
    channels[..., TEXTURE] = _texture(colours[..., 0], hole)
    return channels


def _texture(lightness: Floats, hole: Bools) -> Floats:
    """(H, W, 2): how much lightness changes from column to column and from row to row, on average around a pixel."""
    window = (TEXTURE_WINDOW, TEXTURE_WINDOW)
    found = np.empty((*hole.shape, 2), np.float32)
    for nth, axis in enumerate((1, 0)):
        ends = np.diff(lightness, axis=axis, append=np.take(lightness, [-1], axis=axis))
        # In whole numbers, as these sums are exact in any order.
        changes = np.rint(np.abs(ends) * np.float32(255 / 100))
        known = ~(hole | np.roll(hole, -1, axis=axis))
        total = cv2.boxFilter(changes * known, cv2.CV_32F, window, normalize=False)
        count = cv2.boxFilter(known.astype(np.float32), cv2.CV_32F, window, normalize=False)
        found[..., nth] = total / np.maximum(count, 1) * np.float32(TEXTURE_WEIGHT * 100 / 255)
    return found


def smoothed(values: Floats) -> Floats:
    """Binomial, of variance 1 (1 4 6 4 1), along the first two axes of (H, W, K). Beyond the sides it is 0."""
    for axis in (0, 1):
        spread = [(2, 2) if at == axis else (0, 0) for at in range(3)]
        wide, length = np.pad(values, spread), values.shape[axis]

        def shifted(by: int, wide: Floats = wide, axis: int = axis, length: int = length) -> Floats:
            return wide[by : by + length] if axis == 0 else wide[:, by : by + length]

        values = shifted(2) * np.float32(6 / 16)
        values += (shifted(1) + shifted(3)) * np.float32(4 / 16)
        values += (shifted(0) + shifted(4)) * np.float32(1 / 16)
    return values


def depth(hole: Bools) -> Floats:
    """(H, W): pixels to the nearest known one, 0 outside the hole. The sides of the picture are no border of it."""
    wide = np.pad(hole, 1, mode="edge").astype(np.uint8)
    return np.asarray(cv2.distanceTransform(wide, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def pyramid(full: Level) -> list[Level]:
    """From full size to the coarsest."""
    levels, left = [full], float(depth(full.hole).max())
    while left > COARSEST_DEPTH and min(levels[-1].hole.shape) >= 2 * LEAST_SIDE:
        levels.append(levels[-1].halved())
        left /= 2
    return levels


def shifts(reach: int = REACH) -> Iterator[tuple[int, int]]:
    """Every place of a patch from its middle, (rows, columns)."""
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            yield dy, dx
