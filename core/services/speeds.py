"""Draft, Balanced and Best for a model on a device of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.domain import speed as speeds
from core.domain.environment import OPENVINO, Device
from core.domain.errors import InvalidInput, StudioError
from core.domain.generation import Generation
from core.domain.params import PARAMETERS
from core.domain.speed import BEST, FEW_STEPS, SPEEDS, Surroundings
from core.ports import FileLibrary, ModelCatalogue
from core.services.recommendations import Recommendations


@dataclass(frozen=True, slots=True)
class Speeds:
    recommendations: Recommendations
    models: ModelCatalogue
    loras: FileLibrary
    vaes: FileLibrary
    devices: Callable[[], Sequence[Device]]

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
            self.loras.paths() if has_few and device != OPENVINO else (),
            self.vaes.paths() if has_few else (),
            any(one.key == device and one.takes_bfloat16 and one.is_processor for one in self.devices()),
        )

    def values(self, speed: str, model: str, device: str | None, form: Mapping[str, Any]) -> dict[str, Any]:
        """Values of a form. form: its files, as speed.values takes them. Raises InvalidInput for an unknown speed."""
        if speed not in SPEEDS:
            raise InvalidInput(f"There is no speed {speed!r}. Choose one of {', '.join(SPEEDS)}.")
        around = self.around(model, device)
        return speeds.values(speed, around, form) if around else {}

    def of_generation(self, speed: str, generation: Generation, device: str | None = None) -> dict[str, Any]:
        """The parameters that make it one of this speed; its own LoRAs and VAE stay. Raises InvalidInput."""
        params = generation.params
        values = self.values(speed, params.model, device or generation.device, params.model_dump())
        return {name: value for name, value in values.items() if name in PARAMETERS}

    def finish(self, generation: Generation) -> dict[str, Any] | None:
        """What Best changes of a draft; None for a generation that is none."""
        params = generation.params
        around = self.around(params.model, generation.device)
        if around is None or not speeds.can_be_finished(params.model_dump(), around):
            return None
        return self.of_generation(BEST, generation)
