"""The style of the bundled LoRA: a drawing in ink on paper, made of any drawing by counting, not by hand."""

import cv2
import numpy as np

INK, PAPER = (28, 30, 52), (247, 242, 230)
"""Blue-black and cream, RGB."""

TONES = (0.0, 0.38, 0.72, 1.0)
"""Shares of paper of the areas, from the darkest parts of a drawing to its lightest."""

OUTLINE = 0.028
LINE = 0.009
"""Widths of the outline and of the lines inside, of the longer side."""

DETAIL = 0.05
"""How much darker than its surroundings a line is, of 1."""


def inked(sprite: np.ndarray) -> np.ndarray:
    """(h, w, 4) uint8, RGBA, premultiplied -> the same drawing in ink, with the same alpha."""
    opaque = sprite[..., 3].astype(np.float32)
    inside = opaque > 127
    rgb = sprite[..., :3].astype(np.float32) * 255 / np.maximum(opaque, 1)[..., None]
    # A vivid red or blue counts as lighter than it is, or most of a picture would be ink.
    grey = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) + rgb.max(-1)) / 2
    grey = np.where(inside, np.clip(grey, 0, 255), np.median(grey[inside]))
    grey = cv2.bilateralFilter(grey.astype(np.float32), -1, 30, 0.015 * max(grey.shape))
    share = _tones(grey, inside)
    share = np.minimum(share, 1 - _lines(grey))
    share = np.where(_outline(inside), 0.0, share)
    colour = np.array(INK, np.float32) + share[..., None] * (np.array(PAPER, np.float32) - np.array(INK, np.float32))
    return np.concatenate([np.rint(colour * opaque[..., None] / 255).astype(np.uint8), sprite[..., 3:]], -1)


def _tones(grey: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Every area in one of TONES, by where its grey stands among those of the drawing."""
    low, high = np.percentile(grey[inside], (2, 98))
    level = np.clip((grey - low) / max(high - low, 60), 0, 1)
    steps = np.array(TONES, np.float32)
    chosen = steps[np.clip((level * len(steps)).astype(int), 0, len(steps) - 1)]
    return cv2.GaussianBlur(chosen, (0, 0), 0.8)


def _lines(grey: np.ndarray) -> np.ndarray:
    """0 to 1: ink where it is darker than about it."""
    width = LINE * max(grey.shape)
    near, far = (cv2.GaussianBlur(grey, (0, 0), factor * width) for factor in (1, 2.2))
    return np.clip((far - near) / 255 / DETAIL - 0.4, 0, 1)


def _outline(inside: np.ndarray) -> np.ndarray:
    width = max(2, round(OUTLINE * max(inside.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2)
    framed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return inside & ~cv2.erode(framed, kernel, borderValue=0)[1:-1, 1:-1].astype(bool)
