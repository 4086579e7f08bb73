"""How good a filled hole is whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

PATCH, DIRECTIONS, PATCHES = 7, 96, 4000
"""Of the sliced distance: pixels a side, directions, and patches at most."""


@dataclass(frozen=True)
class Measures:
    """psnr: dB over the hole. delta_e: mean distance in Lab over the hole, both blurred by 1.5 px, so that grain in
    another place does not count as an error. seam: mean step over the border, in shares of the truth's (1 is best).
    swd: sliced Wasserstein distance of Lab patches, whatever their places. detail: what is finer than 2 px, likewise.
    """

    psnr: float
    delta_e: float
    seam: float
    swd: float
    detail: float


UP, DOWN, TO_ONE = 1, -1, 0
BETTER = {"psnr": UP, "delta_e": DOWN, "seam": TO_ONE, "swd": DOWN, "detail": TO_ONE}


def measured(truth: Bytes, filled: Bytes, hole: Bools) -> Measures:
    error = (truth.astype(np.float64) - filled)[hole]
    first, second = lab(truth), lab(filled)
    apart = np.linalg.norm(blurred(first, 1.5) - blurred(second, 1.5), axis=2)
    fine = [np.std((one[..., 0] - blurred(one[..., :1], 2)[..., 0])[hole]) for one in (first, second)]
    steps = [_border_step(one, hole) for one in (first, second)]
    return Measures(
        psnr=float(10 * np.log10(255**2 / max(1e-6, np.mean(error**2)))),
        delta_e=float(apart[hole].mean()),
        seam=float(steps[1] / max(steps[0], 0.1)),
        swd=sliced_distance(first, second, hole),
        detail=float(fine[1] / max(fine[0], 0.05)),
    )


def badness(name: str, value: float) -> float:
    """Lower is better, so that two values can be compared."""
    return abs(float(np.log(max(value, 1e-3)))) if BETTER[name] == TO_ONE else -BETTER[name] * value


def lab(rgb: Bytes) -> Floats:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def blurred(values: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32).reshape(values.shape)


def _border_step(values: Floats, hole: Bools) -> float:
    steps = []
    for axis in (0, 1):
        crossing = np.diff(hole.astype(np.int8), axis=axis) != 0
        steps.append(np.linalg.norm(np.diff(values, axis=axis), axis=2)[crossing])
    return float(np.concatenate(steps).mean())


def sliced_distance(first: Floats, second: Floats, hole: Bools) -> float:
    chance = np.random.default_rng(0)
    reach = PATCH // 2
    inside = np.zeros_like(hole)
    inside[reach:-reach, reach:-reach] = hole[reach:-reach, reach:-reach]
    at = np.argwhere(inside)
    if len(at) > PATCHES:
        at = at[chance.choice(len(at), PATCHES, replace=False)]
    directions = chance.normal(size=(PATCH * PATCH * 3, DIRECTIONS)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    ordered = []
    for values in (first, second):
        windows = np.lib.stride_tricks.sliding_window_view(values, (PATCH, PATCH), axis=(0, 1))
        patches = windows[at[:, 0] - reach, at[:, 1] - reach].reshape(len(at), -1)
        ordered.append(np.sort(patches @ directions, axis=0))
    return float(np.abs(ordered[0] - ordered[1]).mean())
