"""Draft, Balanced and Best for a model on a device of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.domain import speed as speeds
from core.domain.environment import OPENVINO, Device
from core.domain.errors import InvalidInput, StudioError
from core.domain.generation import Generation
from core.domain.geometry import Size
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.speed import BEST, FEW_STEPS, SPEEDS, Surroundings
from core.domain.working_size import sized_by_mask
from core.ports import FileLibrary, ImageStore, ModelCatalogue
from core.services.recommendations import Recommendations

Sized = Callable[[InpaintParams], InpaintParams]


@dataclass(frozen=True, slots=True)
class Speeds:
    recommendations: Recommendations
    models: ModelCatalogue
    loras: FileLibrary
    vaes: FileLibrary
    devices: Callable[[], Sequence[Device]]
    images: ImageStore

    def around(self, model: str, device: str | None) -> Surroundings | None:
        """device: a key; None where it is not known yet. None for a model that cannot be found."""
        recommended = self.recommendations.for_model(model)
        if not recommended:
            return None
        # The LoRAs of few steps were not made for models that are told what to do.
        is_told = self.recommendations.takes_instructions(model)
        try:
            bases = () if is_told else self.models.bases(model) or ()
        except StudioError:
            bases = ()
        # Only then are the folders looked through: each run of the page asks.
        has_few = not FEW_STEPS.keys().isdisjoint(bases)
        return Surroundings(
            recommended,
            self.recommendations.unused(model),
            bases,
            self.loras.paths() if has_few else (),
            self.vaes.paths() if has_few else (),
            any(one.key == device and one.takes_bfloat16 and one.is_processor for one in self.devices()),
            takes_loras=device != OPENVINO,
        )

    def values(self, speed: str, model: str, device: str | None, form: Mapping[str, Any]) -> dict[str, Any]:
        """Values of a form. form: its files, as speed.values takes them. Raises InvalidInput for an unknown speed."""
        if speed not in SPEEDS:
            raise InvalidInput(f"There is no speed {speed!r}. Choose one of {', '.join(SPEEDS)}.")
        around = self.around(model, device)
        return speeds.values(speed, around, form) if around else {}

    def changes(self, speed: str, params: InpaintParams, device: str | None, sized: Sized) -> dict[str, Any]:
        """The parameters that make these choices ones of this speed; their own LoRAs and VAE stay.

        sized: at the size that their mask needs. Raises InvalidInput for an unknown speed.
        """
        values = self.values(speed, params.model, device, params.model_dump())
        found = {name: value for name, value in values.items() if name in PARAMETERS}
        return found | {"size": sized(params.changed(**found)).size} if values.get("auto_size") else found

    def of_generation(self, speed: str, generation: Generation, device: str | None = None) -> dict[str, Any]:
        """The same of a generation. Raises what the image store raises of its mask."""

        def sized(params: InpaintParams) -> InpaintParams:
            mask = Mask.stored(self.images.get(generation.mask))
            return sized_by_mask(params, mask, Size(generation.width, generation.height))

        return self.changes(speed, generation.params, device or generation.device, sized)

    def finish(self, generation: Generation) -> dict[str, Any] | None:
        """What Best changes of a draft; None for a generation that is none."""
        params = generation.params
        around = self.around(params.model, generation.device)
        if around is None or not speeds.can_be_finished(params.model_dump(), around):
            return None
        return self.of_generation(BEST, generation)
