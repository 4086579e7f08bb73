"""How much of a prompt a model's text encoder reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptLength:
    """tokens: of the whole prompt, without start and end markers. limit: how many of them are read at once.

    unread: the end of the prompt that is beyond the limit, as it was written.
    """

    tokens: int
    limit: int
    unread: str = ""

    @property
    def is_cut(self) -> bool:
        return self.tokens > self.limit
