"""Textual inversion embeddings in prompts: a word, the name of a file, stands for the vectors in it, as in A1111."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from core.domain.lora import shared_name

MAX_EMBEDDINGS = 100
"""In the prompts of one generation."""


def word_of(name: str) -> str:
    """What stands in a prompt for the file of this name: for "style/Oil" the word Oil."""
    return shared_name(name)


def words_in(text: str, words: Collection[str]) -> list[str]:
    """Those of the words that stand in a text, in their order there: whole, in either case, also in <>.

    Of two that begin at one place the longer one counts.
    """
    return list(dict.fromkeys(word for word, _ in _found(text, words)))


def is_in_brackets(text: str, word: str) -> bool:
    """Whether it is asked for as <word>, which can hardly mean anything else."""
    return any(match[0].startswith("<") for _, match in _found(text, (word,)))


def replaced(text: str, by: Mapping[str, str]) -> str:
    """by: what takes the place of each word."""
    parts, end = [], 0
    for word, match in _found(text, by.keys()):
        parts += [text[end : match.start()], by[word]]
        end = match.end()
    return "".join((*parts, text[end:]))


def _found(text: str, words: Collection[str]) -> Iterator[tuple[str, re.Match[str]]]:
    folded = text.casefold()
    # Of the names of hundreds of files hardly any stands in a prompt.
    near = sorted((word for word in words if word.casefold() in folded), key=len, reverse=True)
    if near:
        pattern = "|".join(f"(?P<n{n}>{_pattern(re.escape(word))})" for n, word in enumerate(near))
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield near[int(str(match.lastgroup)[1:])], match


def _pattern(word: str) -> str:
    return rf"<{word}>|(?<!\w){word}(?!\w)"
