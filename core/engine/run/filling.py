"""What the masked part starts from: the fills of the domain, and the classical ones of OpenCV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from core.domain.params import ORIGINAL, InpaintParams
from core.domain.pixels import fill
from core.domain.pixels.mask import Mask

REACH_SHARE = 1 / 100
"""How far a classical fill looks around each pixel, of the longer side; at least 3 pixels."""


def start(image: Image.Image, mask: Mask, params: InpaintParams) -> Image.Image:
    """The picture that the model starts from. image: RGB at the working size. mask: grey values mix the two."""
    if params.fill == ORIGINAL:
        return image
    return Image.composite(_filled(image, mask, params), image, mask.to_image())


def record(params: InpaintParams) -> Mapping[str, Any]:
    """What decides the fill beside the params; nothing if nothing is filled."""
    if params.fill not in ("telea", "navier-stokes"):
        return {}
    import cv2

    return {"opencv": cv2.__version__}


def _filled(image: Image.Image, mask: Mask, params: InpaintParams) -> Image.Image:
    match params.fill:
        case "blur":
            return fill.blurred(image)
        case "noise":
            return fill.neutral_noise(image, params.seed)
        case "border":
            return fill.border_colours(image, mask)
    return _classical(image, mask, params.fill)


def _classical(image: Image.Image, mask: Mask, method: str) -> Image.Image:
    """Telea (2004) or Navier-Stokes (Bertalmio, Bertozzi and Sapiro, 2001), as OpenCV has them."""
    import cv2

    flag = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}[method]
    hole = np.where(mask.pixels > 0, np.uint8(255), np.uint8(0))
    # It treats the three channels alike, so their order does not matter.
    return Image.fromarray(cv2.inpaint(np.asarray(image), hole, max(3, round(max(image.size) * REACH_SHARE)), flag))
