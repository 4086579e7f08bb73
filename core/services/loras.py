"""Which LoRAs there are for a model, and whether those that are asked for can be used with it."""

from __future__ import annotations

from core.domain.errors import InvalidLora
from core.domain.params import InpaintParams
from core.services.additions import Additions


class Loras(Additions):
    __slots__ = ()

    FIELD = "loras"

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidLora for one that is not there or was made for other models, and for a model that takes none.

        What cannot be told by headers is told when it is painted.
        """
        spec = self._spec(params.model)
        if spec is not None and self.FIELD in spec.unused:
            # A model that reads no prompt does not mind what stands in it.
            wanted = params.loras if "prompt" in spec.unused else params.all_loras
            if wanted:
                raise InvalidLora(
                    f"{spec.title} takes no LoRA. Leave it out, also of the prompt, or choose another model."
                )
            return
        bases = self._bases(params.model)
        for lora in params.all_loras:
            if problem := self._problem(self.library.find(lora.name), bases):
                raise InvalidLora(f"LoRA: {problem}")
