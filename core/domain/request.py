"""What is asked for: a picture, a mask and params that agree. By their keys until a worker needs the pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from PIL import Image

from core.domain.control import takes_picture, used_guides
from core.domain.crops import crop_for, whole_crop, wide_crop_for
from core.domain.errors import EmptyMask, InvalidParams, SizeMismatch
from core.domain.geometry import MULTIPLE, Bounds, Crop, Size
from core.domain.guide import Guide, Role, picture_in
from core.domain.params import FIRST_PROCESSING, MASKED, ORIGINAL, SEPARATE, TWO_PASS, WHOLE, InpaintParams
from core.domain.pixels import compositing, seam, soft_mask
from core.domain.pixels.areas import Parts
from core.domain.pixels.change_mask import change_mask, scaled_by
from core.domain.pixels.colour import ColourSpace, space_of
from core.domain.pixels.mask import Mask


@dataclass(frozen=True, slots=True)
class InpaintRequest:
    """image: RGB, RGBA or I;16, as core.domain.files.picture makes them. mask: of the same size, as it was given.
    guides: further pictures that the model is shown, at any size.

    Raises SizeMismatch or EmptyMask.
    """

    image: Image.Image
    mask: Mask
    params: InpaintParams
    guides: tuple[Guide[Image.Image], ...] = ()

    def __post_init__(self) -> None:
        size = Size(*self.image.size)
        for guide in self.guides:
            check_guide(guide, Size(*guide.picture.size), size)
        _check(size, self.mask, self.params)

    @property
    def painted(self) -> Mask:
        """The mask as it counts: without what is nearly black. By the first rules everything that is not 0 counted."""
        return _painted(self.mask, self.params)

    @property
    def is_soft(self) -> bool:
        """Whether greys of the mask say how much may change; a mask without any is a hard one."""
        return self.params.soft_mask and soft_mask.has_greys(self.painted)

    @property
    def space(self) -> ColourSpace | None:
        """Of the picture's colours, if they are not sRGB's. By the first rules models were shown the bare numbers."""
        return None if self.params.processing == FIRST_PROCESSING else space_of(self.image)

    @property
    def may_change(self) -> Mask:
        """0 where the artist may rely on it that nothing changes: by the mask as it was given and how far it is to be
        grown, whatever becomes of it on the way through the model."""
        seen = self.mask.visible
        return seen if self.is_soft else seen.grown(self.params.mask_grow_px)


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """The same of pictures in the image store, by their keys: nothing is decoded to be queued.

    size: of both, in pixels.
    """

    source: str
    mask: str
    size: Size
    params: InpaintParams
    guides: tuple[Guide[str], ...] = ()

    @classmethod
    def of(
        cls,
        source: str,
        size: Size,
        mask: str,
        pixels: Mask,
        params: InpaintParams,
        guides: tuple[Guide[str], ...] = (),
    ) -> StoredRequest:
        """pixels: of the mask of that key. Raises SizeMismatch or EmptyMask, as InpaintRequest does."""
        _check(size, pixels, params)
        return cls(source, mask, size, params, guides)

    def under(self, params: InpaintParams) -> StoredRequest:
        """The same under other params, without pictures that nothing would look at then."""
        return replace(self, params=params, guides=used_guides(params.controlnet, self.guides))

    @property
    def factor(self) -> int:
        """By which the result is larger than the picture."""
        return self.params.upscale.factor if self.params.upscale else 1


def check_guide(guide: Guide[Any], size: Size, picture: Size) -> None:
    """size: of the guide's own picture. picture: of the one that is repainted. Raises SizeMismatch."""
    if guide.role is not Role.CONTROL:
        return
    # Scaled to the picture, it is at most as much too high or too wide as rounding of its size can explain.
    off = abs(size.width * picture.height - size.height * picture.width)
    if off > max(*size, *picture):
        raise SizeMismatch(
            f"The control picture is {size} pixels and the picture {picture}. Use one of the same proportions."
        )


def _check(picture: Size, mask: Mask, params: InpaintParams) -> None:
    if mask.size != picture:
        raise SizeMismatch(
            f"The mask is {mask.size} pixels and the picture {picture}. Use a mask of the picture's size."
        )
    if _painted(mask, params).is_empty:
        raise EmptyMask


def _painted(mask: Mask, params: InpaintParams) -> Mask:
    return mask if params.processing == FIRST_PROCESSING else mask.visible


@dataclass(frozen=True, slots=True)
class WorkingRequest:
    """What one pipeline call gets: everything at the working size.

    image: RGB. mask: of its size, black and white, in whole latent cells. params: as in the request. degree: of a soft
    mask how much each cell may change, grey; None for a hard one. guides: RGB; control pictures of the image's size,
    one for each of the params' ControlNets, of which hints are yet to be made. recorded: what the inpainter recorded of
    an earlier run, to restore its conditions (threads, scheduler) as far as it can.

    Raises InvalidParams for anything else.
    """

    image: Image.Image
    mask: Mask
    params: InpaintParams
    degree: Mask | None = None
    guides: tuple[Guide[Image.Image], ...] = ()
    recorded: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mask.size != self.size or self.image.mode != "RGB":
            raise InvalidParams(f"The model was handed a {self.image.mode} picture of {self.size} and another mask.")

    @property
    def size(self) -> Size:
        return Size(*self.image.size)

    def check_cells(self, cell: int) -> None:
        """cell: pixels a side that the model cannot divide. Raises InvalidParams for a size in parts of them."""
        if self.size.width % cell or self.size.height % cell:
            raise InvalidParams(
                f"This model takes sizes in multiples of {cell} pixels, not {self.size}. Change the size."
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request goes through a model: the crop, and the mask that weighs the result.

    context: the plan of the pass before this one, if there are two. parts, part_crops: of the mask, if each is painted
    by itself; the crop is then around all of these, and each part has a plan of its own.
    """

    request: InpaintRequest
    crop: Crop
    blend_mask: Mask
    context: Plan | None = None
    parts: Parts | None = None
    part_crops: tuple[Crop, ...] = ()

    @classmethod
    def of(cls, request: InpaintRequest, cell: int = MULTIPLE) -> Plan:
        """cell: pixels a side that the model cannot divide: one latent, or a token of several."""
        params = request.params
        mask = request.painted
        grown = soft_mask.everything_on(mask) if request.is_soft else mask.grown(params.mask_grow_px)
        bounds = grown.bounds
        if bounds is None:
            raise EmptyMask
        blend_mask = grown.feathered(params.mask_feather_px)
        picture = Size(*request.image.size)
        if params.area == WHOLE:
            return cls(request, whole_crop(picture, params, cell), blend_mask)
        if params.area == SEPARATE:
            parts = Parts.of(grown, lambda box: crop_for(box, picture, params, cell).bounds)
            crops = tuple(crop_for(box, picture, params, cell) for box in parts.bounds)
            crop = Crop(reduce(Bounds.union, (one.bounds for one in crops)), crops[0].working)
            return cls(request, crop, blend_mask, parts=parts, part_crops=crops)
        context = None
        if params.area == TWO_PASS:
            alone = replace(request, params=params.changed(area=MASKED))
            context = cls(alone, wide_crop_for(bounds, picture, params, cell), grown)
        return cls(request, crop_for(bounds, picture, params, cell), blend_mask, context)

    def part(self, nth: int, picture: Image.Image, cell: int = MULTIPLE) -> Plan:
        """The plan of a part of the mask, counted from 0. picture: with the parts before it painted.

        Each has a seed of its own, as each of several images has: beside each other, equal things look copied.
        """
        if self.parts is None:
            raise ValueError("this mask is not painted in parts")
        request, params = self.request, self.request.params.nth(nth).changed(area=MASKED)
        if request.is_soft:
            # A part without greys is no soft mask by itself, and must not be grown either.
            params = params.changed(mask_grow_px=0)
        mask = self.parts.within(request.painted, nth)
        return Plan.of(replace(request, image=picture, mask=mask, params=params), cell)

    @property
    def effective_steps(self) -> int:
        """The steps really run, in all passes."""
        return self.request.params.effective_steps * (len(self.parts) if self.parts else 1)

    def working_request(self, cell: int, start: Image.Image | None = None) -> WorkingRequest:
        """cell: pixels a side that share one latent in this model. start: what the pass before this one made."""
        bounds, working = self.crop.bounds, self.crop.working
        params = self.request.params
        if start is not None:
            params = params.changed(area=MASKED, strength=params.refine_strength, fill=ORIGINAL)
        return WorkingRequest(
            image=compositing.for_model(start or self.request.image, bounds, working, self.request.space),
            mask=self.blend_mask.for_model(bounds, working, cell),
            params=params,
            degree=self._degree(cell),
            guides=tuple(self._guides()),
        )

    def _guides(self) -> Iterator[Guide[Image.Image]]:
        """What is shown to ControlNets: the picture that was given for each, or else what is repainted; always the
        part that the model sees. References as they are."""
        request = self.request
        size, (bounds, working) = Size(*request.image.size), (self.crop.bounds, self.crop.working)
        for at, control in enumerate(request.params.controlnet):
            given = picture_in(request.guides, Role.CONTROL, at) if takes_picture(control.hint) else None
            if given is None:
                shown = compositing.for_model(request.image, bounds, working, request.space)
            else:
                shown = compositing.control_for_model(given, bounds, size, working)
            yield Guide(Role.CONTROL, at, shown)
        for guide in request.guides:
            if guide.role is Role.REFERENCE:
                own = Size(*guide.picture.size)
                yield guide.showing(compositing.for_model(guide.picture, Bounds(0, 0, *own), own))

    def _degree(self, cell: int) -> Mask | None:
        if not self.request.is_soft:
            return None
        return soft_mask.degree_for_model(self.request.painted, self.crop.bounds, self.crop.working, cell)

    def finish(self, repainted: Image.Image) -> Image.Image:
        """The whole picture with the repainted part laid in; outside the grown mask it is bit-identical."""
        params, mask = self.request.params, self.blend_mask
        if params.colour_match:
            repainted = seam.matched(repainted, *self._replaced_by(repainted), params.colour_match)
        if params.keep_threshold:
            mask = self._preserving(repainted)
        result = compositing.composite(self.request.image, repainted, self.crop.bounds, mask, self.request.space)
        result.info = {k: v for k, v in self.request.image.info.items() if k == "icc_profile"}
        return result

    def unchanged_outside(self, result: Image.Image) -> bool:
        """Whether it is still the picture wherever the mask and its growth do not reach: computed, not assumed."""
        return compositing.unchanged_outside(self.request.image, result, self.request.may_change)

    def _preserving(self, repainted: Image.Image) -> Mask:
        """The blend mask where it hardly changed anything; what was transparent cannot be kept beside an object."""
        changed = change_mask(repainted, *self._replaced_by(repainted), self.request.params.keep_threshold)
        clear = Mask.from_transparency(self.request.image.crop(self.crop.bounds.box))
        return scaled_by(self.blend_mask, self.crop.bounds, changed.union(clear.resized(changed.size)))

    def _replaced_by(self, repainted: Image.Image) -> tuple[Image.Image, Mask]:
        """What was in the place of the repainted part, and the mask there, both at its size."""
        size = Size(*repainted.size)
        return (
            compositing.for_model(self.request.image, self.crop.bounds, size, self.request.space),
            self.blend_mask.for_model(self.crop.bounds, size, cell=1),
        )
