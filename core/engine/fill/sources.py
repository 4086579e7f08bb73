"""Where patches may be copied from: places whose colours also occur around the hole.

Without it, what fills a hole in a wall may come from a face elsewhere in the picture that happens to be as bright.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import maximum_filter

from core.engine.fill.picture import COLOURS, LAB_ZERO, REACH, Bools, Level, smoothed

BIN = 8
"""Units of Lab, a side of one cell of colours."""

BINS = 32

LEAST_SHARE = 0.004
"""Of the ring around the hole, so that a colour counts as one that occurs there."""

RING_SHARE, LEAST_RING_PX = 0.08, 8
"""Width of the ring: of the longer side of the hole, and at least."""

ENOUGH = 0.85
"""Share of a patch that must have such colours."""


def allowed_around(level: Level) -> Bools:
    """(H, W): whether a patch with its middle there may be copied into the hole."""
    # At half the size, where colours are blurred as grain and edges want it.
    small = level.halved()
    rows, columns = np.nonzero(level.hole)
    width = round(max(LEAST_RING_PX, RING_SHARE * max(np.ptp(rows), np.ptp(columns))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    ring = (cv2.dilate(level.hole.astype(np.uint8), disc) > 0)[::2, ::2] & ~small.hole
    blurred = smoothed(small.channels[..., COLOURS])
    cells = np.clip((blurred + LAB_ZERO) // BIN, 0, BINS - 1).astype(np.intp)
    numbers = (cells[..., 0] * BINS + cells[..., 1]) * BINS + cells[..., 2]
    counted = np.bincount(numbers[ring], minlength=BINS**3).reshape(BINS, BINS, BINS)
    occurring = maximum_filter(counted >= max(1, LEAST_SHARE * np.count_nonzero(ring)), size=3).ravel()[numbers]
    height, width = level.hole.shape
    large = np.repeat(np.repeat(occurring, 2, axis=0), 2, axis=1)[:height, :width]
    side = 2 * REACH + 1
    inside = cv2.boxFilter(large.astype(np.float32), cv2.CV_32F, (side, side), normalize=False)
    return np.asarray(inside >= ENOUGH * side * side)
