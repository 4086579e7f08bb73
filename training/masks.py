"""Masks as people paint them, where the application's crop puts them. (S, S) bool, True = repaint; S = 256."""

import cv2
import numpy as np

from training.words import NATIVE_SIZE

S = NATIVE_SIZE
KINDS = {"rectangle": 0.3, "ellipse": 0.25, "strokes": 0.33, "odd": 0.12}

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def draw_mask(kind: str, box: Box, rng: np.random.Generator) -> np.ndarray:
    """A mask that fills the box: one of KINDS."""
    canvas = np.zeros((S, S), np.uint8)
    left, top, right, bottom = box
    if kind == "rectangle":
        canvas[round(top) : round(bottom), round(left) : round(right)] = 1
    elif kind == "ellipse":
        centre = (round((left + right) / 2), round((top + bottom) / 2))
        cv2.ellipse(canvas, centre, (round((right - left) / 2), round((bottom - top) / 2)), 0, 0, 360, 1, -1)
    elif kind == "odd":
        _outline(canvas, box, rng)
    else:
        _brush(canvas, box, rng)
    return canvas.astype(bool)


def _brush(canvas: np.ndarray, box: Box, rng: np.random.Generator) -> None:
    """Zigzag strokes that cover the box as a hand would: ragged edges, sometimes a rounded shape."""
    left, top, right, bottom = box
    radius = max(4.0, min(right - left, bottom - top) * rng.uniform(0.1, 0.22))
    lines = max(2, int((bottom - top - 2 * radius) / (radius * 1.2)) + 2)
    roundness = rng.uniform(0, 0.8)
    points = []
    for i, y in enumerate(np.linspace(top + radius, bottom - radius, lines)):
        bow = 1 - roundness * (1 - np.sqrt(1 - (2 * i / (lines - 1) - 1) ** 2 * 0.9))
        half = (right - left - 2 * radius) / 2 * bow
        middle = (left + right) / 2
        ends = [middle - half + rng.normal(0, 2.4), middle + half + rng.normal(0, 2.4)]
        points += [(x, y) for x in (ends if i % 2 else ends[::-1])]
    outline = np.round(points).astype(np.int32)
    cv2.polylines(canvas, [outline], False, 1, thickness=max(2, round(2 * radius)))


def _outline(canvas: np.ndarray, box: Box, rng: np.random.Generator) -> None:
    """A closed curve with bays and bumps, as of a lasso around something."""
    left, top, right, bottom = box
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.ones_like(angles)
    for wave in range(2, 7):
        radius += rng.normal(0, 0.32 / wave) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius / radius.max(), 0.4, 1)
    x = (left + right) / 2 + radius * np.cos(angles) * (right - left) / 2
    y = (top + bottom) / 2 + radius * np.sin(angles) * (bottom - top) / 2
    cv2.fillPoly(canvas, [np.round(np.stack([x, y], -1)).astype(np.int32)], 1)


def draw_box(rng: np.random.Generator, aspect: float) -> Box:
    """Where the mask goes, as the application's crop around a mask puts it: in the middle, 65 to 80 % of the side.

    Its context is 32 px of the picture or an eighth of the mask: masks of 120 px and more fill 65 to 80 % of the crop.
    Small masks fill less; at a picture's edge, or where several masks are painted at once, they lie off the middle.
    """
    usual = rng.random() < 0.7
    longest = rng.uniform(164, 208) if usual else rng.uniform(72, 200)
    aspect = aspect * np.exp(rng.normal(0, 0.08)) if rng.random() < 0.5 else np.exp(rng.uniform(-0.35, 0.35))
    width, height = (longest, longest / aspect) if aspect > 1 else (longest * aspect, longest)
    free_x, free_y = S - 4 - width, S - 4 - height
    place = rng.normal(0.5, 0.04, 2) if usual else rng.random(2)
    left, top = 2 + np.clip(place, 0, 1) * (free_x, free_y)
    return left, top, left + width, top + height


def eroded_at_the_edge(mask: np.ndarray, width: int) -> np.ndarray:
    """The band of the mask within `width` pixels of what is kept: it is known best what belongs there."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((2 * width + 1,) * 2, np.uint8), borderValue=1)
    return mask & ~inner.astype(bool)
