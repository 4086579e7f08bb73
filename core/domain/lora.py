"""LoRAs that are asked for: by the form, by an option, and in the prompt as A1111 writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from core.domain.errors import InvalidLora
from core.domain.model_file import ENDING

MAX_NAME = 500
"""Characters. A path of a file may be one."""

MAX_WEIGHT = 10.0
MAX_LORAS = 20

TAG = re.compile(r"<(?:lora|lyco):([^<>]*)>")
"""As A1111 and Forge read it: extra_networks.py takes each one out of the prompt."""

PATH_END = re.compile(r"[/\\]|\.safetensors$")

PARTS = ("te", "unet")
"""What A1111 calls the two weights, in the order in which it reads them where they are not named."""

EXAMPLES = "with one weight, or with two: <lora:name:0.5:0.8> for the text encoder and the U-Net, also te=0.5:unet=0.8"

Weight = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]


class Lora(BaseModel):
    """name: as a file below one of the folders of LoRAs is called, without its ending; or a path. weight: 1 is what it
    was trained at; a negative one takes away. text_encoder_weight: of what it changes in the text encoders; None: the
    same."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    weight: Weight = 1.0
    text_encoder_weight: Weight | None = None

    @field_validator("name")
    @classmethod
    def _is_text(cls, value: str) -> str:
        if not is_name(value):
            raise ValueError("the name of a file holds characters that are not text")
        return value.strip()

    @model_validator(mode="before")
    @classmethod
    def _told_once(cls, values: Any) -> Any:
        """Two weights that are the same are one."""
        if isinstance(values, Mapping) and values.get("text_encoder_weight") == values.get("weight", 1.0):
            return {**values, "text_encoder_weight": None}
        return values

    @model_serializer(mode="wrap")
    def _as_before_with_one_weight(self, values_of: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in values_of(self).items() if value is not None}

    def __str__(self) -> str:
        """As values_of reads it."""
        weights = [self.weight] if self.text_encoder_weight is None else [self.text_encoder_weight, self.weight]
        return ":".join([self.name, *(_shown(weight) for weight in weights)])

    @property
    def tag(self) -> str:
        return f"<lora:{self}>"


def is_name(text: str) -> bool:
    """Whether it can be that of a file."""
    return 0 < len(text.strip()) <= MAX_NAME and not any(c < " " or "\ud800" <= c <= "\udfff" for c in text)


def values_of(text: str) -> dict[str, Any]:
    """Fields of a Lora of "name:0.8", "name:0.5:0.8" or a name alone, as in a tag. Raises InvalidLora."""
    parts = text.strip().split(":")
    end = len(parts)
    while end > 1 and (_number(parts[end - 1]) is not None or parts[end - 1].strip().partition("=")[0] in PARTS):
        end -= 1
    # The colon of a path such as C:\oil.safetensors has no weight behind it.
    if 1 < end == len(parts) and not PATH_END.search(parts[-1]):
        raise InvalidLora(
            f"LoRA: “{parts[-1][:80]}” in {text[:80]} is not a weight. Write {parts[0][:80]}:0.8, or add :1 to a name "
            "with a colon."
        )
    weights = _weights(parts[end:])
    if weights is None:
        raise InvalidLora(f"LoRA: the weights of {text[:80]} cannot be read. Write name:0.8, or name:te=0.5:unet=0.8.")
    return {"name": ":".join(parts[:end]).strip(), **weights}


def written(values: Iterable[Mapping[str, Any]]) -> str:
    """Of the fields of Loras, for people: "oil:0.8, ink:0.5 (text encoder 0.2)"."""
    return ", ".join(_written(Lora(**one)) for one in values)


def _written(lora: Lora) -> str:
    apart = lora.text_encoder_weight
    return f"{lora.name}:{_shown(lora.weight)}" + ("" if apart is None else f" (text encoder {_shown(apart)})")


def shared_name(name: str) -> str:
    """What may be shown to anyone: of a path the file's own name, without ending."""
    return re.split(r"[/\\]", name)[-1].removesuffix(ENDING)


def tagged(prompt: str) -> Sequence[Lora]:
    """What the tags in a prompt ask for, in their order. Raises InvalidLora for one that cannot be read."""
    return tuple(_of_tag(match[1], match[0]) for match in TAG.finditer(prompt))


def retagged(prompt: str, lora: Lora) -> str:
    """With this weight in the tags that name it. Raises InvalidLora for one that cannot be read."""

    def changed(match: re.Match[str]) -> str:
        return lora.tag if _of_tag(match[1], match[0]).name == lora.name else match[0]

    return TAG.sub(changed, prompt)


def without_tags(prompt: str) -> str:
    return TAG.sub("", prompt)


def _of_tag(content: str, tag: str) -> Lora:
    name, *parts = content.split(":")
    weights = _weights(parts)
    if weights is None or not 1 <= len(name.strip()) <= MAX_NAME:
        raise InvalidLora(f"Prompt: {tag[:80]} cannot be read. Write <lora:name:0.8>, {EXAMPLES}.")
    if any(abs(weight) > MAX_WEIGHT for weight in weights.values()):
        raise InvalidLora(f"Prompt: the weight of {tag[:80]} must be from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}.")
    return Lora(name=name.strip(), **weights)


def _weights(parts: Sequence[str]) -> dict[str, float] | None:
    """Fields of a Lora of what stands behind its name, as A1111 reads it (extra_networks_lora.py): the weight of the
    text encoder comes first, and is that of the U-Net too where no other one is given. None: it cannot be read.
    """
    found: dict[str, float] = {}
    for part, by_place in zip(parts, (*PARTS, *[""] * len(parts)), strict=False):
        named, equals, value = part.strip().rpartition("=")
        which, number = (named.strip() if equals else by_place), _number(value)
        if which not in PARTS or which in found or number is None:
            return None
        found[which] = number
    text_encoder = found.get("te", 1.0)
    unet = found.get("unet", text_encoder)
    return {"weight": unet, **({"text_encoder_weight": text_encoder} if text_encoder != unet else {})}


def _shown(weight: float) -> str:
    return repr(weight).removesuffix(".0")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
