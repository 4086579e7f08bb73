"""Lines of text, by the detector of PaddleOCR (PP-OCRv6; differentiable binarization: Liao et al., 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.geometry import Size
from core.engine.selecting.networks import TEXT

SHORT_SIDE, LONG_SIDE = 736, 1536
"""To which a picture is enlarged at least, as PaddleOCR does, and at most: the work grows with its pixels."""

CELL = 32
"""Of what sides it takes multiples, in pixels."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of its three channels, as PaddleOCR has them. With RapidOCR's 0.5 it found text in five of the six sample
photographs, in which there is none."""

PIXEL_IS_TEXT, LINE_IS_TEXT = 0.3, 0.7
"""Probabilities. The first is PaddleOCR's; with its 0.6 for the second, cups and eyes were lines."""

SQUAT, SQUAT_IS_TEXT = 2.0, 0.84
"""What is shorter than so many of its heights is a single letter, or no text at all: it must be surer."""

GROWN = 1.6
"""The network is trained on lines that were shrunk; a line is grown on each side by this, times its area over its
perimeter (PaddleOCR's unclip ratio)."""

LEAST_PX = 3
"""Height of a shrunk line in what the network sees; what is lower is noise."""


def lines(picture: Image.Image) -> list[NDArray[np.float32]]:
    """picture: RGB. Corners of each line of text: (4, 2), x and y in its pixels."""
    import cv2

    seen = seen_at(Size(*picture.size))
    # It was trained on pictures that OpenCV had read: blue, green, red.
    blue_first = np.asarray(picture.resize(seen.sides, Image.Resampling.BILINEAR), np.float32)[..., ::-1]
    normal = (blue_first / np.float32(255) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    [sure] = TEXT.load().run(normal.transpose(2, 0, 1)[None].astype(np.float32))
    is_text = (sure[0, 0] > PIXEL_IS_TEXT).astype(np.uint8)
    contours, _ = cv2.findContours(is_text, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([picture.width / seen.width, picture.height / seen.height], np.float32)
    found = []
    for contour in contours:
        centre, (width, height), turned = cv2.minAreaRect(contour)
        low, long = sorted((width, height))
        if low < LEAST_PX:
            continue
        if _mean_inside(sure[0, 0], contour) < (SQUAT_IS_TEXT if long < SQUAT * low else LINE_IS_TEXT):
            continue
        by = GROWN * width * height / (width + height)
        corners = cv2.boxPoints((centre, (width + by, height + by), turned))
        found.append(np.asarray(corners * scale, np.float32))
    return found


def drawn(found: list[NDArray[np.float32]], size: Size) -> NDArray[np.uint8]:
    """(H, W), 255 in each line."""
    import cv2

    mask = np.zeros((size.height, size.width), np.uint8)
    for corners in found:
        cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 255)
    return mask


def seen_at(size: Size) -> Size:
    """The size at which the network sees a picture."""
    scale = max(1.0, SHORT_SIDE / min(size))
    scale = min(scale, LONG_SIDE / max(size))
    return Size(*(max(CELL, round(side * scale / CELL) * CELL) for side in size))


def _mean_inside(sure: NDArray[np.float32], contour: NDArray[np.int32]) -> float:
    import cv2

    left, top, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [contour - (left, top)], 1)
    return float(sure[top : top + height, left : left + width][inside > 0].mean())
