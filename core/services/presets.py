"""Presets: values of parameters under a name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.labels import title_text
from core.domain.params import InpaintParams
from db.presets import PresetRepo

PROMPTS = frozenset({"prompt", "negative_prompt"})
MAX_NAME = 100

KIND, SCHEMA = "inpaint-studio-presets", 1
MAX_FILE_BYTES = 32 * 2**20
"""Room for MAX_IN_FILE presets with both prompts at their full length."""

MAX_IN_FILE = 500


class InvalidPresets(InvalidInput):
    """This file holds no presets of Inpaint Studio, or it was damaged. Export them again."""


@dataclass(frozen=True, slots=True)
class ImportedPresets:
    """new: the names they have here now. known: those that were already here, with the same values."""

    new: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Presets:
    repo: PresetRepo
    now: Callable[[], datetime]

    def save(self, name: str, params: InpaintParams, *, with_prompts: bool = False) -> None:
        """Under this name, in place of what it named before. The seed is never part of it."""
        left_out = {"seed"} if with_prompts else {"seed", *PROMPTS}
        self.repo.save(_checked_name(name), params.model_dump(exclude=left_out), self.now())

    def all(self) -> dict[str, Mapping[str, Any]]:
        """By name; fields that this version does not know are left out."""
        known = InpaintParams.model_fields
        return {name: {k: v for k, v in kept.items() if k in known} for name, kept in self.repo.all().items()}

    def delete(self, name: str) -> None:
        self.repo.delete(name)

    def export(self) -> str:
        """All of them as JSON, for another installation."""
        return json.dumps({"kind": KIND, "schema": SCHEMA, "presets": self.all()}, indent=1, ensure_ascii=False)

    def import_(self, data: bytes) -> ImportedPresets:
        """Take what export() wrote: all of it or nothing. Nothing that is here is replaced.

        One of a name that has other values here comes under the next free one, such as “Fine (2)”.
        Raises InvalidPresets, or InvalidInput for a value that is out of its range.
        """
        here = self.all()
        new: dict[str, Mapping[str, Any]] = {}
        known = []
        for name, values in _read(data).items():
            if any(kept == values for other, kept in here.items() if other == name or other.startswith(_stem(name))):
                known.append(name)
            else:
                new[_free(name, here.keys() | new.keys())] = values
        self.repo.save_all(new, self.now())
        return ImportedPresets(tuple(new), tuple(known))


def _checked_name(name: str) -> str:
    name = title_text(name)
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidInput(f"A preset needs a name of 1 to {MAX_NAME} characters, not {len(name):,}.")
    return name


def _free(name: str, taken: Set[str]) -> str:
    """The name, or with the first number behind it that is not taken."""
    if name not in taken:
        return name
    return next(one for number in count(2) if (one := f"{_stem(name)}{number})") not in taken)


def _stem(name: str) -> str:
    """What a name begins with that has a number behind it."""
    return f"{name[: MAX_NAME - 6]} ("


def _read(data: bytes) -> dict[str, dict[str, Any]]:
    if len(data) > MAX_FILE_BYTES:
        raise InvalidPresets(f"This file is larger than {MAX_FILE_BYTES // 2**20} MiB. Preset files are much smaller.")
    try:
        file = json.loads(data)
        kind, schema, presets = file["kind"], file["schema"], dict(file["presets"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidPresets from error
    if kind != KIND or not isinstance(schema, int):
        raise InvalidPresets
    if schema > SCHEMA:
        raise InvalidPresets(f"These presets were written by a newer version (schema {schema}). Update first.")
    if len(presets) > MAX_IN_FILE:
        raise InvalidPresets(f"This file holds {len(presets)} presets; the limit is {MAX_IN_FILE}.")
    return {_checked_name(name): _values(name, values) for name, values in presets.items()}


def _values(name: str, values: Any) -> dict[str, Any]:
    """Fields that this version knows, each within its limits."""
    if not isinstance(values, Mapping):
        raise InvalidPresets
    known = {field: value for field, value in values.items() if field in InpaintParams.model_fields and field != "seed"}
    try:
        values = InpaintParams(**known).model_dump()
    except InvalidInput as error:
        raise InvalidInput(f"Preset “{title_text(name)}”: {error}") from error
    return {field: values[field] for field in known}
