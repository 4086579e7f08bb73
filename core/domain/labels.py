"""What an artist writes on a generation: tags, a title, notes."""

from __future__ import annotations

import unicodedata

from core.domain.errors import InvalidInput

MAX_TAG = 60
MAX_TITLE = 200
MAX_NOTES = 20_000
MAX_VALUE = 300


def tag_name(text: str) -> str:
    """A tag as it is kept. Raises InvalidInput."""
    name = unicodedata.normalize("NFC", " ".join(checked_text(text, "tag", MAX_VALUE).split()))
    if not name or any(unicodedata.category(c) == "Cc" for c in name):
        raise InvalidInput("A tag needs at least one letter, and nothing that cannot be printed.")
    return checked_text(name, "tag", MAX_TAG)


def folded(name: str) -> str:
    """Two tags are the same if this is: “Sky” and “sky”."""
    return unicodedata.normalize("NFC", name.casefold())


def title_text(text: str) -> str:
    return " ".join(checked_text(text, "title", MAX_TITLE).split())


def notes_text(text: str) -> str:
    return checked_text(text, "note", MAX_NOTES).strip()


def checked_text(text: object, what: str, longest: int) -> str:
    """The text as it is. what: its name in the sentence. Raises InvalidInput."""
    if not isinstance(text, str) or "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidInput(f"The {what} holds characters that are not text.")
    if len(text) > longest:
        raise InvalidInput(f"The {what} has {len(text):,} characters; the limit is {longest:,}.")
    return text
