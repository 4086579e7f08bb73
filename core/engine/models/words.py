"""The file in which a model's folder says which words it knows and which values suit it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from core.domain.errors import DamagedModel, InvalidParams
from core.domain.model import Vocabulary
from core.domain.params import InpaintParams
from core.engine.models.integrity import read_object, state_of

VOCABULARY = "vocabulary.json"


class _Forms(BaseModel):
    synonyms: list[str] = []
    plural: str | None = None


class Words(BaseModel):
    """objects: word -> its other forms. recommended: values of InpaintParams, and whatever else was noted."""

    model_config = ConfigDict(strict=True, frozen=True)

    objects: dict[str, _Forms | list[str]] = {}
    colours: list[str] = []
    background_words: list[str] = []
    recommended: dict[str, Any] = {}

    @classmethod
    def of(cls, folder: Path) -> Words:
        """All empty if there is no such file. Raises DamagedModel."""
        file = folder / VOCABULARY
        return _read(file, state_of(file))

    @property
    def values(self) -> Mapping[str, Any]:
        return {name: value for name, value in self.recommended.items() if name in InpaintParams.model_fields}

    @property
    def vocabulary(self) -> Vocabulary | None:
        if not self.objects:
            return None
        objects = {}
        for word, about in self.objects.items():
            forms = about if isinstance(about, _Forms) else _Forms(synonyms=about)
            plural = [forms.plural] if forms.plural else []
            objects[word] = tuple(dict.fromkeys([*plural, *forms.synonyms]))
        return Vocabulary(objects, tuple(self.colours), tuple(self.background_words))


@lru_cache(maxsize=64)
def _read(file: Path, state: object) -> Words:
    """Only once for each state of the file: a page asks ten times in a run. Raises DamagedModel."""
    content = read_object(file) or {}
    try:
        json.dumps(content, ensure_ascii=False).encode()  # half a character is no text
        words = Words.model_validate(content)
        InpaintParams(**words.values)
    except (ValidationError, InvalidParams, UnicodeEncodeError) as error:
        raise DamagedModel(
            f"The file {VOCABULARY} of this model does not say what it should. Download or copy it again."
        ) from error
    return words
