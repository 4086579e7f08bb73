"""What a ControlNet is shown, made of a picture: by OpenCV, as ControlNets were trained to read it.

Depth, poses and other hints that take a model of their own are given as pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from core.domain import control
from core.domain.control import CANNY, INPAINT, LINEART, SOFT_EDGE
from core.domain.pixels.mask import Mask

HINTS_VERSION = 1
"""Of these methods. Another one needs another of the rules of processing, so that what was painted stays EXACT."""

CANNY_THRESHOLDS = (100, 200)
"""Those of ControlNet's own examples, of A1111 and of diffusers' documentation."""

LINE_WIDTH_PX = 6.0
"""Standard deviation of the surroundings that a line is darker than, at the working size."""

STRONGEST = 99.0
"""Percentile of the values that becomes white: a few extreme pixels must not make all others black."""

FAINTEST = 16.0
"""Grey levels that STRONGEST is taken for at least: noise of an even picture is no line."""

MASKED = -1.0
"""What the ControlNet for inpainting reads where the mask is on (control_v11p_sd15_inpaint)."""


def hint(image: Image.Image, mask: Mask, kind: str) -> np.ndarray:
    """(H, W, 3) float32 of 0..1, or MASKED where a hint for inpainting leaves the picture out.

    image: RGB. mask: of its size, black and white. kind: a key of HINTS.
    """
    values = np.asarray(drawn(image, kind), np.float32) / 255
    if kind == INPAINT:
        values[mask.pixels > 0] = MASKED
    return values


def drawn(image: Image.Image, kind: str) -> Image.Image:
    """The hint as a picture, RGB; the one for inpainting without its mask."""
    match kind:
        case control.CANNY:
            return _grey(_canny(image))
        case control.LINEART:
            return _grey(_lines(image))
        case control.SOFT_EDGE:
            return _grey(_soft_edges(image))
    return image


def record(kind: str) -> Mapping[str, Any]:
    """What decides the hint beside the picture."""
    if kind not in (CANNY, LINEART, SOFT_EDGE):
        return {"hint_version": HINTS_VERSION}
    import cv2

    return {"hint_version": HINTS_VERSION, "opencv": cv2.__version__}


def _canny(image: Image.Image) -> np.ndarray:
    import cv2

    return cv2.Canny(np.asarray(image), *CANNY_THRESHOLDS)


def _lines(image: Image.Image) -> np.ndarray:
    """White where the picture is darker than its surroundings, as if drawn with a pencil, inverted."""
    import cv2

    grey = np.asarray(image.convert("L"), np.float32)
    return _stretched(cv2.GaussianBlur(grey, (0, 0), LINE_WIDTH_PX) - grey)


def _soft_edges(image: Image.Image) -> np.ndarray:
    """How steeply the brightness changes."""
    import cv2

    grey = cv2.GaussianBlur(np.asarray(image.convert("L"), np.float32), (0, 0), 1.0)
    # A step of one grey level between two pixels counts as one: Scharr's weights of one side add up to 16, over two.
    steepness = np.hypot(cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)) / 32
    return _stretched(steepness)


def _stretched(values: np.ndarray) -> np.ndarray:
    """uint8: 0 or less is black, STRONGEST white."""
    white = max(FAINTEST, float(np.percentile(values, STRONGEST)))
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values).convert("RGB")
