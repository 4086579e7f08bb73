"""Which part of a picture a model gets, at which size: by the parameters."""

from __future__ import annotations

from math import isqrt

from core.domain.geometry import MULTIPLE, Bounds, Crop, Size, crop_around, crop_of, wide_crop_around
from core.domain.params import InpaintParams

LEAST_CONTEXT_PX = 128
"""For a model that works at the picture's own resolution: what it copies from must be in the crop."""

LEAST_CONTEXT_SHARE = 1 / 4
"""Likewise, of the mask's longer side: less is not given up for the sake of resolution."""


def crop_for(mask: Bounds, picture: Size, params: InpaintParams, cell: int = MULTIPLE) -> Crop:
    """The crop around a box of the mask. cell: pixels a side that the model cannot divide."""
    if params.is_at_own_resolution:
        return _reduced(_in_context(mask, picture, params), params, cell)
    return crop_around(mask, picture, padding_px=params.crop_padding_px, native_px=params.size, cell=cell)


def wide_crop_for(mask: Bounds, picture: Size, params: InpaintParams, cell: int = MULTIPLE) -> Crop:
    """The same for the first of two passes."""
    if params.is_at_own_resolution:
        return crop_for(mask, picture, params, cell)
    return wide_crop_around(mask, picture, padding_px=params.crop_padding_px, native_px=params.size, cell=cell)


def whole_crop(picture: Size, params: InpaintParams, cell: int = MULTIPLE) -> Crop:
    """The whole picture as a crop."""
    whole = Bounds(0, 0, *picture)
    if params.is_at_own_resolution:
        return _reduced(whole, params, cell)
    return crop_of(whole, native_px=params.size, cell=cell)


def _in_context(mask: Bounds, picture: Size, params: InpaintParams) -> Bounds:
    """As much around the mask again as it is large; less where the crop would have to be reduced for it."""
    longer = max(mask.size)
    wanted = max(params.crop_padding_px, LEAST_CONTEXT_PX, isqrt(mask.size.pixels))
    context = min(wanted, max((params.size - longer) // 2, round(longer * LEAST_CONTEXT_SHARE), LEAST_CONTEXT_PX))
    return mask.grown(context, within=picture)


def _reduced(bounds: Bounds, params: InpaintParams, cell: int) -> Crop:
    """At its own resolution, or so that the longer side is as long as the parameters allow."""
    size = bounds.size.fitted(Size(params.size, params.size))
    return Crop(bounds, Size(*(max(cell, round(side / cell) * cell) for side in size)))
