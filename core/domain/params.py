"""InpaintParams: every choice that decides pixels, images aside. Titles, limits and defaults: parameter_table.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from core.domain import instructions, model_address
from core.domain.control import MAX_CONTROLNETS, Control, control_values
from core.domain.embedding import MAX_EMBEDDINGS
from core.domain.errors import InvalidParams
from core.domain.geometry import MULTIPLE
from core.domain.lora import MAX_LORAS, Lora, is_name, tagged, values_of, without_tags
from core.domain.modes import CONTENT_FILL
from core.domain.parameter import Number, Parameter, Text
from core.domain.parameter_table import (
    AREAS,
    AUTO_DTYPE,
    BFLOAT16,
    DTYPES,
    FILLS,
    FLOAT32,
    INT8_BFLOAT16,
    INT8_FLOAT32,
    MASKED,
    MAX_INSTRUCTION,
    MAX_MODEL,
    MAX_PROMPT,
    MAX_SEED,
    MAX_STEPS,
    MODEL_DEFAULT,
    OF_ONE_MODEL,
    ORIGINAL,
    PARAMETERS,
    SCHEDULERS,
    SEPARATE,
    TWO_PASS,
    WHOLE,
    as_int8,
    computed_in,
    number,
)
from core.domain.upscale import Upscale, upscale_of

__all__ = [
    "AREAS",
    "AUTO_DTYPE",
    "BFLOAT16",
    "DTYPES",
    "FILLS",
    "FIRST_LORA_TAGS",
    "FIRST_PATCH_MATCH",
    "FIRST_PROCESSING",
    "FLOAT32",
    "MASKED",
    "MAX_INSTRUCTION",
    "MAX_MODEL",
    "MAX_PROMPT",
    "MAX_SEED",
    "MAX_STEPS",
    "MODEL_DEFAULT",
    "OF_ONE_MODEL",
    "ORIGINAL",
    "PARAMETERS",
    "PROCESSING",
    "SCHEDULERS",
    "SEPARATE",
    "TWO_PASS",
    "WHOLE",
    "INT8_BFLOAT16",
    "INT8_FLOAT32",
    "InpaintParams",
    "Number",
    "Parameter",
    "Text",
    "number",
    "as_int8",
    "computed_in",
]

SCHEMA = 15
"""2: with fill and all that follows it. 3: with keep_threshold. 4: with long_prompt. 5: with processing, and
with parts painted separately. 6: with loras. 7: of which each may have another weight for the text encoder.
8: with instruction. 9: with controlnet. 10: with embeddings. 11: with clip_skip. 12: with vae.
13: with dtype. 14: with ip_adapter and ip_adapter_scale.
15: with cache_interval.

A key that an older record has not means: not used, and for processing: the first rules.
"""

FIRST_PROCESSING, PROCESSING = 1, 4
"""The rules by which masks, colours and prompts are read and holes filled, for ever told apart, so that what was
painted by earlier ones is painted again to the bit. 2: a mask's values below FAINT are black; the model sees a picture
as its colour profile says (docs/decisions/0016-masks-and-colour.md). 3: content fill by another method, at the
picture's own resolution (docs/decisions/0029-content-fill-2.md). 4: <lora:name:0.8> in a prompt is a LoRA and no text
(docs/decisions/0031-lora.md)."""

FIRST_PATCH_MATCH, FIRST_LORA_TAGS = 3, 4
"""Of the rules above."""

NO_TEXT = re.compile("[\x00\ud800-\udfff]")
"""What neither SQLite nor UTF-8 can hold."""


class InpaintParams(BaseModel):
    """Frozen and checked at construction; raises InvalidParams with one sentence that names every wrong field.

    strength: 0..1. seed: 0..2**32-1, always concrete. size: px, a multiple of 8. mask_grow_px, mask_feather_px and
    crop_padding_px count pixels of the picture. model: a key of the model table, a hub id, a folder or a file.
    vae: the name of a file, or a path; empty: the model's own. ip_adapter: the same; empty: none.
    embeddings: which words of the prompts are names of
    embeddings: found when a generation is asked for; all others are read as words, also where a file of such a name
    comes later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    prompt: str = PARAMETERS["prompt"].default
    instruction: str = PARAMETERS["instruction"].default
    negative_prompt: str = PARAMETERS["negative_prompt"].default
    model: str = PARAMETERS["model"].default
    scheduler: str = PARAMETERS["scheduler"].default
    num_inference_steps: int = PARAMETERS["num_inference_steps"].default
    guidance_scale: float = PARAMETERS["guidance_scale"].default
    strength: float = PARAMETERS["strength"].default
    seed: int = PARAMETERS["seed"].default
    size: int = PARAMETERS["size"].default
    mask_grow_px: int = PARAMETERS["mask_grow_px"].default
    mask_feather_px: int = PARAMETERS["mask_feather_px"].default
    crop_padding_px: int = PARAMETERS["crop_padding_px"].default
    area: str = PARAMETERS["area"].default
    refine_strength: float = PARAMETERS["refine_strength"].default
    colour_match: float = PARAMETERS["colour_match"].default
    keep_threshold: float = PARAMETERS["keep_threshold"].default
    fill: str = PARAMETERS["fill"].default
    soft_mask: bool = PARAMETERS["soft_mask"].default
    variation_strength: float = PARAMETERS["variation_strength"].default
    variation_seed: int = PARAMETERS["variation_seed"].default
    prompt_weights: bool = PARAMETERS["prompt_weights"].default
    long_prompt: bool = PARAMETERS["long_prompt"].default
    loras: tuple[Lora, ...] = PARAMETERS["loras"].default
    controlnet: tuple[Control, ...] = PARAMETERS["controlnet"].default
    embeddings: tuple[str, ...] = PARAMETERS["embeddings"].default
    clip_skip: int = PARAMETERS["clip_skip"].default
    vae: str = PARAMETERS["vae"].default
    dtype: str = PARAMETERS["dtype"].default
    cache_interval: int = PARAMETERS["cache_interval"].default
    ip_adapter: str = PARAMETERS["ip_adapter"].default
    ip_adapter_scale: float = PARAMETERS["ip_adapter_scale"].default
    _processing: int = PrivateAttr(PROCESSING)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidParams(_describe_problems(error)) from error

    @field_validator("*")
    @classmethod
    def _within_limits(cls, value: Any, info: ValidationInfo) -> Any:
        parameter = PARAMETERS[str(info.field_name)]
        if isinstance(value, str):
            if isinstance(parameter, Text) and len(value) > parameter.high:
                raise ValueError(f"has {len(value)} characters; at most {parameter.high} are taken")
            if NO_TEXT.search(value):
                raise ValueError("holds characters that are not text")
        elif isinstance(parameter, Number) and value not in parameter:
            raise ValueError(f"must be from {parameter.low:g} to {parameter.high:.10g}, not {str(value)[:20]}")
        return value

    @field_validator(*(name for name, parameter in PARAMETERS.items() if parameter.choices))
    @classmethod
    def _one_of_the_choices(cls, value: str, info: ValidationInfo) -> str:
        choices = PARAMETERS[str(info.field_name)].choices
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    @field_validator("model")
    @classmethod
    def _named_model(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must name a model")
        upscale_of(value)
        if model_address.names_single_file(value):
            return value  # told where the model is looked for
        return model_address.id_of(value) or value

    @field_validator("loras", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Also of texts such as "oil:0.8"."""
        return tuple(values_of(one) if isinstance(one, str) else one for one in _list_of(value, MAX_LORAS))

    @field_validator("controlnet", mode="before")
    @classmethod
    def _controls(cls, value: Any) -> Any:
        """Also of texts such as "canny:0.8"."""
        return tuple(control_values(one) if isinstance(one, str) else one for one in _list_of(value, MAX_CONTROLNETS))

    @field_validator("embeddings", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if not all(isinstance(name, str) and is_name(name) for name in _list_of(value, MAX_EMBEDDINGS)):
            raise ValueError("must be names of files")
        return tuple(value)

    @field_serializer("embeddings")
    def _as_list(self, embeddings: tuple[str, ...]) -> list[str]:
        return list(embeddings)

    @field_serializer("loras", "controlnet")
    def _as_values(self, chosen: tuple[Lora | Control, ...]) -> list[dict[str, Any]]:
        return [one.model_dump() for one in chosen]

    @field_validator("size")
    @classmethod
    def _in_latents(cls, value: int) -> int:
        if value % MULTIPLE:
            raise ValueError(f"must be a multiple of {MULTIPLE}, not {value}")
        return value

    @model_validator(mode="after")
    def _not_too_long_together(self) -> InpaintParams:
        if (length := instructions.length(self.instruction, self.prompt)) > MAX_PROMPT:
            raise ValueError(
                f"the instruction has {length:,} characters with the prompt in it; at most {MAX_PROMPT:,} are taken"
            )
        return self

    @model_validator(mode="after")
    def _at_least_one_step(self) -> InpaintParams:
        passes = [self.strength, self.refine_strength] if self.area == TWO_PASS else [self.strength]
        for strength in passes:
            if self._steps_at(strength) < 1:
                raise ValueError(
                    f"strength {strength:g} of {self.num_inference_steps} steps leaves no step to run; raise either"
                )
        return self

    @property
    def effective_steps(self) -> int:
        """The steps really run, in both passes if there are two; for each part that is painted by itself."""
        second = self._steps_at(self.refine_strength) if self.area == TWO_PASS else 0
        return self._steps_at(self.strength) + second

    def _steps_at(self, strength: float) -> int:
        """diffusers truncates the product (StableDiffusionInpaintPipeline.get_timesteps)."""
        return min(int(self.num_inference_steps * strength), self.num_inference_steps)

    @property
    def full_prompt(self) -> str:
        """The prompt in its instruction, if there is one."""
        return instructions.applied(self.instruction, self.prompt)

    @property
    def all_loras(self) -> tuple[Lora, ...]:
        """The chosen ones, then those in the prompt. Raises InvalidLora for a tag that cannot be read."""
        return (*self.loras, *(tagged(self.full_prompt) if self.processing >= FIRST_LORA_TAGS else ()))

    @property
    def spoken_prompt(self) -> str:
        """The prompt as a model reads it: without what asks for LoRAs."""
        return without_tags(self.full_prompt) if self.processing >= FIRST_LORA_TAGS else self.full_prompt

    @property
    def processing(self) -> int:
        """The rules of this record. No choice: what begins anew, also with the values of a record, has the newest."""
        return self._processing

    @property
    def upscale(self) -> Upscale | None:
        """How the picture is enlarged, where nothing is painted at all."""
        return upscale_of(self.model)

    @property
    def is_at_own_resolution(self) -> bool:
        """Whether the model works at the picture's own resolution; size is then the most that the longer side has."""
        return self.model == CONTENT_FILL and self.processing >= FIRST_PATCH_MATCH

    def processed_by(self, rules: int) -> InpaintParams:
        """The same choices under these rules of processing."""
        params = self.model_copy()
        params._processing = rules
        return params

    def changed(self, **changes: Any) -> InpaintParams:
        """The same choices with these changed, checked again."""
        return InpaintParams(**{**self.model_dump(), **changes}).processed_by(self.processing)

    def reseeded(self, seed: int) -> InpaintParams:
        """Another picture of the same choices; around a chosen one, if a variation is on, another variation of it."""
        return self.changed(variation_seed=seed) if self.variation_strength else self.changed(seed=seed)

    def nth(self, number: int) -> InpaintParams:
        """Of several pictures the one of this number, from 0 on: with the next seeds."""
        seed = self.variation_seed if self.variation_strength else self.seed
        return self.reseeded((seed + number) % (MAX_SEED + 1))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, of which from_dict makes equal params."""
        return {"schema": SCHEMA, "processing": self.processing, **self.model_dump()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InpaintParams:
        """Read what any earlier schema wrote. A missing key loads as the default that keeps the old behaviour.

        Raises InvalidParams, also for what is no mapping.
        """
        try:
            values = dict(values)
            schema, rules = values.pop("schema"), values.pop("processing", FIRST_PROCESSING)
            is_newer = schema > SCHEMA or rules > PROCESSING
            if type(rules) is not int or rules < FIRST_PROCESSING:
                raise ValueError("no rules of ours")
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidParams("These parameters are not a record of this program.") from error
        if is_newer:
            raise InvalidParams(f"These parameters were written by a newer version (schema {schema}). Update first.")
        return cls(**values).processed_by(rules)


def _list_of(value: Any, most: int) -> Sequence[Any]:
    """Raises ValueError for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError("must be a list")
    if len(value) > most:
        raise ValueError(f"at most {most} are taken, not {len(value)}")
    return value


def _describe_problems(error: ValidationError) -> str:
    sentences = []
    for problem in error.errors():
        field = str(problem["loc"][0]) if problem["loc"] else ""
        name = PARAMETERS[field].title if field in PARAMETERS else field
        reason = problem["msg"].removeprefix("Value error, ")
        sentences.append(f"{name}: {reason}" if name else reason)
    return "; ".join(sentences) + "."
