"""How an upscale goes through its model: the part that is to gain detail, and the enlarged picture around it.

Sizes of the crop and the blend mask are those of the result. The picture around the mask is enlarged by Lanczos, and
that it is just this, to the bit, is what "nothing outside the mask changes" means here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.domain.errors import EmptyMask
from core.domain.geometry import MULTIPLE, Bounds, Crop, Size
from core.domain.pixels import compositing
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan, WorkingRequest
from core.domain.upscale import LANCZOS, Upscale

CONTEXT_PX = 16
"""Of the small picture, around the mask, for the model to see."""


def plan_of(request: InpaintRequest, cell: int = MULTIPLE) -> Plan:
    """The plan of any request. cell: pixels a side that the model cannot divide."""
    upscale = request.params.upscale
    return Plan.of(request, cell) if upscale is None else EnlargingPlan.of_upscale(request, upscale)


@dataclass(frozen=True, slots=True)
class EnlargingPlan(Plan):
    """Made by plan_of for an upscale."""

    @classmethod
    def of_upscale(cls, request: InpaintRequest, upscale: Upscale) -> EnlargingPlan:
        params, factor = request.params, upscale.factor
        grown = request.painted.grown(params.mask_grow_px)
        if grown.bounds is None:
            raise EmptyMask
        part = _scaled(grown.bounds.grown(CONTEXT_PX, within=Size(*request.image.size)), factor)
        blend_mask = enlarged_mask(grown, factor).feathered(params.mask_feather_px * factor)
        return cls(request, Crop(part, part.size), blend_mask)

    @property
    def upscale(self) -> Upscale:
        upscale = self.request.params.upscale
        assert upscale is not None, "made by plan_of"
        return upscale

    def working_request(self, cell: int, start: Image.Image | None = None) -> WorkingRequest:
        """The small part, which is to come back enlarged. The colours of transparent pixels stay what they are."""
        large, factor = self.crop.bounds, self.upscale.factor
        box = Bounds(*(side // factor for side in large.box))
        part = self.request.image.crop(box.box)
        part = part.convert("RGB") if part.mode == "RGBA" else part
        image = compositing.for_model(part, Bounds(0, 0, *part.size), box.size, self.request.space)
        mask = Mask(np.where(self.request.painted.pixels[box.slices] > 0, 255, 0).astype(np.uint8))
        return WorkingRequest(image, mask, self.request.params)

    def finish(self, repainted: Image.Image) -> Image.Image:
        picture = enlarged(self.request.image, self.upscale.factor)
        if self.upscale.method == LANCZOS:
            return picture
        result = self._laid_into(picture, repainted)
        if picture.mode == "RGBA":
            result.putalpha(picture.getchannel("A"))
        result.info = dict(picture.info)
        return result

    def _laid_into(self, picture: Image.Image, repainted: Image.Image) -> Image.Image:
        space = self.request.space
        if picture.mode == "I;16" or not (self.blend_mask.pixels == 255).all():
            return compositing.composite(picture, repainted, self.crop.bounds, self.blend_mask, space)
        # The same, without the 32 bytes a pixel that blending takes: a whole picture at 4x is a large one.
        return (space.from_srgb(repainted) if space else repainted).convert(picture.mode)

    def unchanged_outside(self, result: Image.Image) -> bool:
        factor, may_change = self.upscale.factor, self.request.may_change
        if (may_change.pixels > 0).all():
            return True  # there is nothing outside
        return compositing.unchanged_outside(
            enlarged(self.request.image, factor), result, enlarged_mask(may_change, factor)
        )


def enlarged(picture: Image.Image, factor: int) -> Image.Image:
    """By Lanczos, in its own mode, with its colour profile."""
    size = (picture.width * factor, picture.height * factor)
    if picture.mode == "I;16":
        values = Image.fromarray(np.asarray(picture).astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
        large = Image.fromarray(np.asarray(values).round().clip(0, 65535).astype(np.uint16))
    else:
        large = picture.resize(size, Image.Resampling.LANCZOS)
    large.info = {name: value for name, value in picture.info.items() if name == "icc_profile"}
    return large


def enlarged_mask(mask: Mask, factor: int) -> Mask:
    """Each pixel as factor x factor of its like: what was 0 stays 0 everywhere."""
    return Mask(mask.pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def _scaled(bounds: Bounds, factor: int) -> Bounds:
    return Bounds(*(side * factor for side in bounds.box))
