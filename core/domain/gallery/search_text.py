"""What a search text asks for."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from core.domain.errors import InvalidInput

MAX_WORDS = 40


class Term(NamedTuple):
    """words: one, or several that must follow each other. prefix: the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


_TERM = re.compile(r'"([^"]*)("?)(\*?)|([^\s"]+)')


def search_terms(text: str) -> tuple[Term, ...]:
    """What a search text asks for. Quotes that are not closed reach to the end. Signs divide words as blanks do.

    Raises InvalidInput if there is too much of it.
    """
    found = []
    for phrase, _closed, star, word in _TERM.findall(text):
        words = words_of(phrase or word)
        if words:
            found.append(Term(words, bool(star) or (not phrase and word.endswith("*"))))
    if sum(len(term.words) for term in found) > MAX_WORDS:
        raise InvalidInput(f"A search can have at most {MAX_WORDS} words.")
    return tuple(found)


def words_of(text: str) -> tuple[str, ...]:
    """The searchable words of a text: runs of letters, digits and symbols; as the database's index divides it."""
    return tuple("".join(c if _in_word(c) else " " for c in text).split())


def _in_word(c: str) -> bool:
    category = unicodedata.category(c)
    return category[0] in "LN" or category in ("Co", "So") or category[0] == "M"
