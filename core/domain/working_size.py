"""The size at which the model works, chosen by the mask: pixels that are not in the picture cost for nothing."""

from __future__ import annotations

from core.domain.crops import crop_for
from core.domain.geometry import MULTIPLE, Bounds, Size
from core.domain.params import MASKED, InpaintParams, number
from core.domain.pixels.mask import Mask

LEAST = int(number("size").low)
STEPS = 8
"""Sizes are eighths of the largest one."""


def sized_by_mask(params: InpaintParams, mask: Mask, picture: Size) -> InpaintParams:
    """These choices at a size between half of theirs and all of it: the least at which the crop loses no detail.

    Of one crop only: of several, and of the whole picture, the size stays. An empty mask leaves it, too.
    """
    return sized_by_bounds(params, mask.visible.grown_bounds(params.mask_grow_px), picture)


def sized_by_bounds(params: InpaintParams, bounds: Bounds | None, picture: Size) -> InpaintParams:
    """The same, given the bounds of the mask after it was grown."""
    if bounds is None or params.area != MASKED or params.is_at_own_resolution or params.upscale is not None:
        return params
    step = max(MULTIPLE, params.size // STEPS // MULTIPLE * MULTIPLE)
    needed = -(-max(crop_for(bounds, picture, params).bounds.size) // step) * step
    half = -(-params.size // 2 // step) * step
    return params.changed(size=min(params.size, max(LEAST, half, needed)))
