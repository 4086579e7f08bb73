"""Which LoRAs there are for a model, and whether those that are asked for can be used with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.domain.errors import InvalidLora, StudioError
from core.domain.model import ModelSpec
from core.domain.model_file import Base, NamedFile
from core.domain.params import InpaintParams
from core.ports import FileLibrary, ModelCatalogue

FIELD = "loras"


@dataclass(frozen=True, slots=True)
class Loras:
    library: FileLibrary
    models: ModelCatalogue

    def for_model(self, model: str) -> Sequence[NamedFile]:
        """Those in the folders that can have been made for this model, by name; none for one that takes none."""
        spec, bases = self._about(model)
        if spec is None or FIELD in spec.unused:
            return ()
        return [file for file in self.library.listed() if file.can_be_for(bases)]

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidLora for one that is not there or was made for other models, and for a model that takes none.

        What cannot be told by headers is told when it is painted.
        """
        spec, bases = self._about(params.model)
        if spec is not None and FIELD in spec.unused:
            # A model that reads no prompt does not mind what stands in it.
            wanted = params.loras if "prompt" in spec.unused else params.all_loras
            if wanted:
                raise InvalidLora(
                    f"{spec.title} takes no LoRA. Leave it out, also of the prompt, or choose another model."
                )
            return
        for lora in params.all_loras:
            file = self.library.find(lora.name)
            if not file.can_be_for(bases):
                this = next(iter(bases or ()), "another one")
                raise InvalidLora(
                    f"LoRA: {file.path.name} was made for {file.about.base}, and this model is {this}. Choose one that "
                    "was made for this model."
                )

    def _about(self, model: str) -> tuple[ModelSpec | None, Collection[Base] | None]:
        """What is known of a model; nothing of one that cannot be found, which is told elsewhere."""
        try:
            return self.models.find(model), self.models.bases(model)
        except StudioError:
            return None, None
