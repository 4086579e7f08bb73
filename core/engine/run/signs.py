"""Signs that stand for the vectors of embeddings in prompts: one for each, from Unicode's private use area.

Needs no torch: a page counts tokens before anything is painted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from core.domain.embedding import replaced, word_of
from core.domain.params import InpaintParams

PRIVATE = range(0xF0000, 0xFFFFE)
"""Plane 15, which no writing uses."""

OURS = re.compile(f"[{chr(PRIVATE[0])}-{chr(PRIVATE[-1])}]")

MOST_OF_ONE = 500
"""Vectors of one embedding: fewer than the plane has room for, if a prompt names MAX_EMBEDDINGS."""


@dataclass(frozen=True, slots=True)
class Signs:
    """by_name: of each embedding as many signs as it has vectors."""

    by_name: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Signs:
        """counts: of vectors, by the names of embeddings."""
        free = map(chr, PRIVATE)
        return cls({name: "".join(islice(free, count)) for name, count in counts.items()})

    @property
    def all(self) -> str:
        return "".join(self.by_name.values())

    def written(self, params: InpaintParams) -> InpaintParams:
        """The same with signs in the place of names. Such prompts may be longer than any that is asked for."""
        if not self.by_name:
            return params
        words = {word_of(name): signs for name, signs in self.by_name.items()}
        prompts = {"prompt": params.spoken_prompt, "negative_prompt": params.negative_prompt}
        read = {name: replaced(OURS.sub("", text), words) for name, text in prompts.items()}
        return params.model_copy(update={**read, "instruction": ""})

    def read_back(self, text: str) -> str:
        """A part of such a prompt, with names in the place of signs."""
        for name, signs in self.by_name.items():
            text = re.sub(f"[{signs}]+", lambda match, name=name: word_of(name), text)  # type: ignore[misc]
        return text

    def teach(self, tokenizer: Any) -> Any:
        """The same tokenizer, which now also knows these signs as tokens."""
        from transformers import AddedToken

        tokenizer.add_tokens([AddedToken(sign, normalized=False) for sign in self.all])
        return tokenizer
