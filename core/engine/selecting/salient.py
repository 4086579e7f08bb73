"""What stands out in a picture, by U2-Net (its small variant u2netp; Qin et al., U^2-Net, 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.engine.selecting.networks import U2NETP

SIDE = 320
"""Of the square that it takes, in pixels: any picture is stretched to it."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours, from 0 to 1, that it was trained with (ImageNet's)."""


def salient(picture: Image.Image) -> NDArray[np.float32]:
    """picture: RGB, (W, H). Returns (H, W): how surely each pixel is of what stands out, from 0 to 1."""
    small = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float32)
    # By the brightest value rather than by 255, as its authors do it.
    scaled = small / max(1.0, float(small.max()))
    normal = (scaled - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    [sure] = U2NETP.load().run(normal.transpose(2, 0, 1)[None].astype(np.float32))
    whole = Image.fromarray(sure[0, 0]).resize(picture.size, Image.Resampling.BICUBIC)
    return np.asarray(whole).clip(0, 1)
