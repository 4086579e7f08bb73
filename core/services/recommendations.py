"""Which values suit: a model, what is to be done, a new draft, another picture. The one place that decides it.

Pages and the command line ask; what an artist has chosen goes before all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.domain import instructions
from core.domain.environment import AUTOMATIC
from core.domain.errors import InvalidInput, StudioError
from core.domain.model import ModelSpec, Vocabulary
from core.domain.modes import ADD, EDGES, MODES, REMOVE, REPLACE
from core.domain.params import OF_ONE_MODEL, ORIGINAL, PARAMETERS
from core.ports import ModelCatalogue

Values = Mapping[str, Any]
"""By names of InpaintParams; those of a form also by "mode", "random_seed", "auto_size", "count"
and "device"."""

OF_ONE_PICTURE = frozenset(
    {
        "prompt",
        "instruction",
        "negative_prompt",
        "controlnet",
        "ip_adapter",
        "embeddings",
        "seed",
        "random_seed",
        "count",
        "variation_strength",
        "variation_seed",
    }
)


@dataclass(frozen=True, slots=True)
class Recommendations:
    """usual_model: the one that is taken where none is named."""

    models: ModelCatalogue
    usual_model: str

    def for_model(self, model: str) -> Values:
        """For every parameter that depends on the model; nothing for one that cannot be found.

        The instruction of an edit model is then for its mode to write, as instruction() does.
        """
        spec = self._find(model)
        if spec is None:
            return {}
        return {**_for_spec(spec), **({"instruction": instructions.PROMPT} if spec.wording else {})}

    def unused(self, model: str) -> tuple[str, ...]:
        """The parameters that have no effect with this model."""
        spec = self._find(model)
        return spec.unused if spec else ()

    def vocabulary(self, model: str) -> Vocabulary | None:
        """The words that a model knows if they are few; None also for one that cannot be found."""
        try:
            return self.models.vocabulary(model)
        except StudioError:
            return None

    def model_for(self, mode: str, model: str) -> str:
        """The model to take when this mode is chosen.

        A model of few words gives way to one that suits the mode; that one gives way again to the usual one.
        """
        instead = MODES[mode].instead
        if instead in self._listed() and self.vocabulary(model) is not None:
            return instead
        return self.usual_model if instead is None and self._takes_no_words(model) else model

    def for_mode(self, mode: str, model: str) -> Values:
        """What the form of this model takes when this mode is chosen; "model" is among it if it changes."""
        better = self.model_for(mode, model)
        of_mode, of_model = self._of_mode(mode, better), self.for_model(better)
        values = dict(of_mode) if better == model else {**of_model, **of_mode, "model": better}
        if mode == REPLACE:
            # A model that is not made for inpainting says how strongly it should be used.
            values |= {name: value for name, value in of_model.items() if name in of_mode}
        # In the place of one that the artist wrote for another mode.
        return {**values, "instruction": instructions.PROMPT} if self._wording(better) else values

    def takes_instructions(self, model: str) -> bool:
        return self._wording(model) is not None

    def instruction(self, values: Values) -> str:
        """What the model of a form is told: what its mode writes, unless the artist wrote another; "" for most models.

        values: of the form, as for_form() gives them.
        """
        wording, said = self._wording(values["model"]), str(values["instruction"])
        if wording is None:
            return ""
        if not instructions.is_written(said):
            return said
        return instructions.written(wording, values["mode"], values["prompt"])

    def for_form(self, params: Values) -> dict[str, Any]:
        """Everything that a form begins with: these params of a draft, and what suits them where they say nothing."""
        known = {name: value for name, value in params.items() if value is not None}
        model = params.get("model") or self.usual_model
        if "prompt" in known:
            # Drafts of before there were instructions: their prompts are read as they are.
            known.setdefault("instruction", "")
        # That of a generation which is to be tried again was written by its mode.
        mode = instructions.mode_of(known.get("instruction", "")) or self._first_mode(model, is_fresh=not known)
        return {
            **{name: parameter.default for name, parameter in PARAMETERS.items()},
            **self.for_model(model),
            **(self._of_mode(mode, model) if mode != REPLACE else {}),
            "mode": mode,
            "model": model,
            # A seed without a word on chance comes from a generation that is to be tried again: it is kept.
            "random_seed": "seed" not in known,
            "auto_size": False,
            "count": 1,
            "device": AUTOMATIC,
            **known,
        }

    def _first_mode(self, model: str, *, is_fresh: bool) -> str:
        """What a draft is for that does not say it."""
        if self._takes_no_words(model):
            return REMOVE
        # A model that knows some things only is there to put them into pictures, rather than in the place of others.
        return ADD if is_fresh and self.vocabulary(model) else REPLACE

    def for_request(self, model: str | None, mode: str | None, chosen: Values) -> dict[str, Any]:
        """What was chosen, then what suits the mode, then the model; what is left out is a default of InpaintParams.

        Raises InvalidInput for an unknown mode, UnknownModel.
        """
        if mode is not None and mode not in MODES:
            raise InvalidInput(f"There is no mode {mode!r}. Choose one of {', '.join(MODES)}.")
        if model is None:
            model = self.model_for(mode, self.usual_model) if mode else self.usual_model
        spec = self.models.find(model)
        values = {**_for_spec(spec), "model": spec.key, **(self._of_mode(mode, model) if mode else {}), **chosen}
        if mode and spec.wording:
            written = instructions.written(spec.wording, mode, str(values.get("prompt", "")))
            values.setdefault("instruction", written)
        return values

    def for_new_draft(self, last: Values) -> Values:
        """Of the params used last, those that did not belong to their picture."""
        # It was taken for one task: its form takes no words, and its values suit nothing else.
        if self._takes_no_words(str(last.get("model") or "")):
            return {}
        return self.for_another_picture({name: value for name, value in last.items() if name not in OF_ONE_PICTURE})

    def for_another_picture(self, params: Values) -> Values:
        """Without a model that cannot paint now, and what was chosen for that one.

        Its name was mistyped, or it was chosen for the picture before only.
        """
        if "model" not in params or self._is_ready(str(params["model"])):
            return params
        return {
            name: value
            for name, value in params.items()
            if name not in ("model", "loras", "vae", "controlnet", "ip_adapter", *OF_ONE_MODEL)
        }

    def for_extended(self, params: Values) -> Values:
        """For a canvas that was just extended.

        A model of few words cannot continue a photograph: another one is chosen, with what suits it.
        """
        # The new part holds the border's colours already, and the overlap the picture itself.
        model = params.get("model") or self.usual_model
        better = self.model_for(EDGES, model)
        suited = {**params, **self._of_mode(EDGES, better), "fill": ORIGINAL, "mode": EDGES}
        if "instruction" in params:
            suited["instruction"] = instructions.PROMPT
        return suited if better == model else {**suited, **self.for_model(better), "model": better}

    def _takes_no_words(self, model: str) -> bool:
        """Whether it can only remove and continue: content fill, and removers."""
        return "prompt" in self.unused(model)

    def _of_mode(self, mode: str, model: str) -> Values:
        """What suits a mode, with this model."""
        return {**MODES[mode].values, **(instructions.SUITED if self._wording(model) else {})}

    def _wording(self, model: str) -> str | None:
        spec = self._find(model)
        return spec.wording if spec else None

    def _listed(self) -> set[str]:
        return {spec.key for spec in self.models.listed()}

    def _find(self, model: str) -> ModelSpec | None:
        try:
            return self.models.find(model)
        except StudioError:
            return None

    def _is_ready(self, model: str) -> bool:
        try:
            return self.models.is_ready(model)
        except StudioError:
            return False


def _for_spec(spec: ModelSpec) -> dict[str, Any]:
    defaults = {name: PARAMETERS[name].default for name in OF_ONE_MODEL}
    return {**defaults, "size": spec.native_px, **spec.recommended}
