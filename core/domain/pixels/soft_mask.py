"""Soft masks: how grey a mask is says how much may change there, not how much of the new pixel is laid over.

Differential diffusion (Levin and Fried, 2023, arXiv 2306.00950); the part inside the model is core/engine/run/soft.py.
"""

from __future__ import annotations

import numpy as np

from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask


def has_greys(mask: Mask) -> bool:
    return bool(((mask.pixels > 0) & (mask.pixels < 255)).any())


def has_grey_parts(mask: Mask) -> bool:
    """Whether it is grey anywhere over 3 x 3 pixels: the smooth edges of strokes are thinner."""
    greys = (mask.pixels > 0) & (mask.pixels < 255)
    across = greys[:, :-2] & greys[:, 1:-1] & greys[:, 2:]
    return bool((across[:-2] & across[1:-1] & across[2:]).any())


def everything_on(mask: Mask) -> Mask:
    """255 wherever the mask is not 0."""
    return Mask(np.where(mask.pixels > 0, np.uint8(255), np.uint8(0)))


def degree_for_model(mask: Mask, bounds: Bounds, working: Size, cell: int) -> Mask:
    """The part inside bounds at the working size: in each latent cell the most that the mask allows anywhere in it.

    It is on in the same cells as Mask.for_model.
    """
    rows, columns = -(-working.height // cell), -(-working.width // cell)
    cells = _most(_most(mask.pixels[bounds.slices], columns).T, rows).T
    blocks = cells.repeat(cell, axis=0).repeat(cell, axis=1)
    return Mask(blocks[: working.height, : working.width].copy())


def _most(values: np.ndarray, columns: int) -> np.ndarray:
    """(H, W) -> (H, columns): the largest value in each of so many equal columns, with the pixels it cuts through."""
    width = values.shape[1]
    nth = np.arange(columns)
    first, end = nth * width // columns, -(-(nth + 1) * width // columns)
    # reduceat takes pairs: every other result is what lies between two columns. It reads one value past the end.
    padded = np.pad(values, ((0, 0), (0, 1)))
    return np.maximum.reduceat(padded, np.stack([first, end], axis=1).ravel(), axis=1)[:, ::2]
