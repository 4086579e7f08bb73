"""LoRAs that are asked for: by the form, by an option, and in the prompt as A1111 writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.domain.errors import InvalidLora
from core.domain.model_file import ENDING

MAX_NAME = 500
"""Characters. A path of a file may be one."""

MAX_WEIGHT = 10.0
MAX_LORAS = 20

TAG = re.compile(r"<(?:lora|lyco):([^<>]*)>")
"""As A1111 and Forge read it: extra_networks.py takes each one out of the prompt."""


class Lora(BaseModel):
    """name: as a file below one of the folders of LoRAs is called, without its ending; or a path. weight: 1 is what it
    was trained at; a negative one takes away."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    weight: Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)] = 1.0

    @field_validator("name")
    @classmethod
    def _is_text(cls, value: str) -> str:
        if not value.strip() or any(c < " " or "\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("the name of a file holds characters that are not text")
        return value.strip()

    def __str__(self) -> str:
        return f"{self.name}:{repr(self.weight).removesuffix('.0')}"

    @property
    def tag(self) -> str:
        return f"<lora:{self}>"


def values_of(text: str) -> dict[str, Any]:
    """Fields of a Lora of "name:weight" or a name alone, whose weight is 1."""
    name, colon, weight = text.strip().rpartition(":")
    # The colon of a path such as C:\\oil.safetensors has no number behind it.
    if colon and (number := _number(weight)) is not None:
        return {"name": name.strip(), "weight": number}
    return {"name": text.strip(), "weight": 1.0}


def written(values: Iterable[Mapping[str, Any]]) -> str:
    """Of the fields of Loras, for people: "oil:0.8, ink:0.5"."""
    return ", ".join(str(Lora(**one)) for one in values)


def shared_name(name: str) -> str:
    """What may be shown to anyone: of a path the file's own name, without ending."""
    return re.split(r"[/\\]", name)[-1].removesuffix(ENDING)


def tagged(prompt: str) -> Sequence[Lora]:
    """What the tags in a prompt ask for, in their order. Raises InvalidLora for one that cannot be read."""
    return tuple(_of_tag(match[1], match[0]) for match in TAG.finditer(prompt))


def without_tags(prompt: str) -> str:
    return TAG.sub("", prompt)


def _of_tag(content: str, tag: str) -> Lora:
    name, *weights = (part.strip() for part in content.split(":"))
    numbers = [_number(weight) for weight in weights]
    if not 1 <= len(name) <= MAX_NAME or len(numbers) > 1 or None in numbers:
        raise InvalidLora(
            f"Prompt: {tag[:80]} cannot be read. Write <lora:name:0.8>, with one weight for all that it changes."
        )
    weight = 1.0 if not numbers or numbers[0] is None else numbers[0]
    if abs(weight) > MAX_WEIGHT:
        raise InvalidLora(f"Prompt: the weight of {tag[:80]} must be from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}.")
    return Lora(name=name, weight=weight)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
