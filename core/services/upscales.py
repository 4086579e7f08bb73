"""Upscaling a result: a generation of its own, with the result as its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.domain.environment import AUTOMATIC
from core.domain.errors import ImageTooLarge, InvalidMove, InvalidParams
from core.domain.generation import Generation, Origin, Relation
from core.domain.geometry import Size
from core.domain.model_library import KindFilter
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.upscale import LANCZOS, Upscale
from core.ports import ModelCatalogue
from core.services.generations import Generations
from core.services.models import Models
from core.services.prompts import escape


@dataclass(frozen=True, slots=True)
class Upscales:
    """max_pixels: a result is not made larger, as no picture of more could be opened again."""

    generations: Generations
    library: Models
    models: ModelCatalogue
    max_pixels: int

    def methods(self) -> Mapping[str, str]:
        """What enlarges, and its name for people."""
        files = (one for one in self.library.here() if one.kind is KindFilter.UPSCALER and one.told.problem is None)
        return {LANCZOS: "Lanczos (no model)", **{entry.key: entry.found.title for entry in files}}

    def named(self, method: str, factor: int) -> Upscale:
        """method: as methods has it, or a name or a path for it. Raises InvalidParams, UnknownModel."""
        path = Path(method).expanduser()
        if method != LANCZOS:
            method = str(path.absolute()) if path.is_file() else self.library.find(method).key
        try:
            return Upscale(method, factor)
        except ValueError as error:
            raise InvalidParams(f"Upscale: {error}.") from error

    def size(self, generation: Generation, factor: int) -> Size:
        """That the result would have. Raises InvalidMove without a result, ImageTooLarge."""
        if generation.output is None:
            raise InvalidMove(f"Generation {generation.id} has no result, so there is nothing to enlarge.")
        size = Size(generation.width * factor, generation.height * factor)
        if size.pixels > self.max_pixels:
            raise ImageTooLarge(
                f"Enlarged {factor}x this picture would have {size} pixels, {size.pixels / 1e6:.0f} megapixels; the "
                f"limit is {self.max_pixels / 1e6:.0f}. Choose a smaller factor."
            )
        return size

    def has_part(self, generation: Generation) -> bool:
        """Whether it is known which part of its result was painted."""
        return generation.params.upscale is None and not generation.is_imported_picture

    def submit(
        self,
        generation: Generation,
        upscale: Upscale,
        *,
        part_only: bool = False,
        device: str = AUTOMATIC,
        session: str | None = None,
    ) -> str:
        """Queue it; returns the id of the new generation. part_only: the model works on what was painted, and the rest
        is enlarged by Lanczos.

        Raises InvalidMove without a result or, for a part, without a mask; ImageTooLarge, InvalidParams, UnknownModel.
        """
        self.size(generation, upscale.factor)
        if upscale.method != LANCZOS:
            self.models.find(upscale.key)
        params, before = InpaintParams(**_VALUES, model=upscale.key), generation.params
        mask: Mask | str = Mask.empty(Size(generation.width, generation.height)).inverted
        if part_only:
            if not self.has_part(generation):
                raise InvalidMove(f"It is not known which part of generation {generation.id} was painted.")
            mask = generation.mask
            # A soft mask was not grown either.
            grown = 0 if before.soft_mask else before.mask_grow_px
            params = params.changed(mask_grow_px=grown, mask_feather_px=before.mask_feather_px)
        params = params.changed(prompt=escape(before.spoken_prompt), seed=before.seed)
        request = self.generations.stored(generation.result, mask, params)
        origin = Origin(
            generation.id, Relation.UPSCALE, session, generation.source_name, source_exif=generation.source_exif
        )
        return self.generations.submit(request, device=device, origin=origin)[0]


_VALUES = {"num_inference_steps": 1, "strength": 1.0, "mask_grow_px": 0, "mask_feather_px": 0}
