"""Presets: values of parameters under a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.gallery import title_text
from core.domain.params import InpaintParams
from db.presets import PresetRepo

PROMPTS = frozenset({"prompt", "negative_prompt"})
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Presets:
    repo: PresetRepo
    now: Callable[[], datetime]

    def save(self, name: str, params: InpaintParams, *, with_prompts: bool = False) -> None:
        """Under this name, in place of what it named before. The seed is never part of it."""
        name = title_text(name)
        if not 1 <= len(name) <= MAX_NAME:
            raise InvalidInput(f"A preset needs a name of 1 to {MAX_NAME} characters.")
        left_out = {"seed"} if with_prompts else {"seed", *PROMPTS}
        self.repo.save(name, params.model_dump(exclude=left_out), self.now())

    def all(self) -> dict[str, Mapping[str, Any]]:
        """By name; fields that this version does not know are left out."""
        known = InpaintParams.model_fields
        return {name: {k: v for k, v in kept.items() if k in known} for name, kept in self.repo.all().items()}

    def delete(self, name: str) -> None:
        self.repo.delete(name)
