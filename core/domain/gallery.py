"""The question put to the gallery, and its answer."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from core.domain.errors import InvalidInput
from core.domain.generation import Generation, Status, Verdict

PAGE_ROWS = 60
RATINGS = range(1, 6)

UNVERIFIED = "unverified"
VERDICTS: tuple[str, ...] = (*Verdict, UNVERIFIED)
"""What a filter can ask for: a newest verdict, or that there is none."""

MAX_TEXT = 500
MAX_WORDS = 40
MAX_VALUES = 50
MAX_VALUE = 300
MAX_TAG = 60
MAX_TITLE = 200
MAX_NOTES = 20_000
MAX_PX = 1_000_000
MAX_CURSOR = 400


class Sort(StrEnum):
    """The orders of the gallery. Ties: the newer one first in the first of each pair, last in the second.

    Generations that have no rating, or no runtime, come after all that have one, in both directions.
    """

    NEWEST = "newest"
    OLDEST = "oldest"
    BEST = "best"
    WORST = "worst"
    SLOWEST = "slowest"
    FASTEST = "fastest"

    @property
    def column(self) -> str:
        return _COLUMNS[self][0]

    @property
    def descending(self) -> bool:
        return _COLUMNS[self][1]


_COLUMNS = {
    Sort.NEWEST: ("created_at", True),
    Sort.OLDEST: ("created_at", False),
    Sort.BEST: ("rating", True),
    Sort.WORST: ("rating", False),
    Sort.SLOWEST: ("runtime_s", True),
    Sort.FASTEST: ("runtime_s", False),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row seen: paging by it costs the same at any depth, and no row is skipped or shown twice.

    number: that row's place in time. value: what it is sorted by, None if it has none; unused when sorted by date.
    """

    number: int
    value: int | float | None = None
    sort: Sort = Sort.NEWEST

    def to_text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.sort, self.value, self.number]).encode()).decode()

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Raises InvalidInput for anything that to_text did not write."""
        try:
            if len(text) > MAX_CURSOR:
                raise ValueError
            sort, value, number = json.loads(base64.b64decode(text.encode("ascii"), b"-_", validate=True))
            if not (_is_number(number) and isinstance(number, int) and 0 <= number < 2**63):
                raise ValueError
            if value is not None and not _is_number(value):
                raise ValueError
            return cls(number, value, Sort(sort))
        except (ValueError, TypeError, RecursionError, binascii.Error) as error:
            raise InvalidInput("This page of the gallery cannot be found. Start from the first page.") from error

    def check(self, sort: Sort) -> None:
        """Raises InvalidInput if this cursor belongs to another order of the gallery."""
        if self.sort is not sort:
            raise InvalidInput(
                f"This page belongs to the gallery sorted by “{self.sort}”, not “{sort}”. Start from the first page."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


@dataclass(frozen=True, slots=True)
class GalleryFilter:
    """Which generations, in which order; an empty filter is all that are not in the trash, newest first.

    text: words, word beginnings (`cas*`) and "quoted phrases"; all must be found in prompt, negative prompt, title,
    notes or tags. models, devices, schedulers, statuses, verdicts: any of these. tags: all of these. min_px, max_px:
    the longer side of the picture. since, until: days in UTC, both included. rating: at least. None: does not matter.
    model: one more of models.

    Equal questions are equal values: what is given in another order, or twice, makes no difference.
    Raises InvalidInput in words for what cannot be asked.
    """

    statuses: tuple[Status, ...] = ()
    model: InitVar[str | None] = None
    parent_id: str | None = None
    in_trash: bool = False
    text: str = ""
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    rating: int | None = None
    favourite: bool | None = None
    has_parent: bool | None = None
    min_px: int | None = None
    max_px: int | None = None
    since: date | None = None
    until: date | None = None
    sort: Sort = Sort.NEWEST

    def __post_init__(self, model: str | None) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("text", " ".join(_as_text(self.text, "search text", MAX_TEXT).split()))
        search_terms(self.text)
        put("statuses", tuple(sorted({_one_of(Status, s, "status") for s in self.statuses})))
        put("models", _several(self.models if model is None else (*self.models, model), "models"))
        put("devices", _several(self.devices, "devices"))
        put("schedulers", _several(self.schedulers, "schedulers"))
        put("tags", _several_tags(self.tags))
        put("verdicts", tuple(sorted({_verdict(v) for v in self.verdicts})))
        if self.parent_id is not None:
            put("parent_id", _as_text(self.parent_id, "parent", MAX_VALUE))
        if self.rating is not None and self.rating not in RATINGS:
            raise InvalidInput(f"A rating is a number from 1 to 5, not {self.rating!r}.")
        for name, value in (("smallest", self.min_px), ("largest", self.max_px)):
            if value is not None and not 1 <= value <= MAX_PX:
                raise InvalidInput(f"The {name} size must be from 1 to {MAX_PX:,} px.")
        if self.min_px is not None and self.max_px is not None and self.min_px > self.max_px:
            raise InvalidInput("The smallest size is above the largest. Swap them.")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise InvalidInput("The first day is after the last. Swap them.")
        put("sort", _one_of(Sort, self.sort, "order"))

    def to_query(self) -> dict[str, str | list[str]]:
        """For the page's address: only what differs from the empty filter, and always spelled the same."""
        query: dict[str, str | list[str]] = {}
        for name, key in _KEYS.items():
            value = getattr(self, name)
            if value == _DEFAULTS[name]:
                continue
            if isinstance(value, tuple):
                query[key] = [str(v) for v in value] if len(value) > 1 else str(value[0])
            elif isinstance(value, bool):
                query[key] = "true" if value else "false"
            else:
                query[key] = value.isoformat() if isinstance(value, date) else str(value)
        return query

    @staticmethod
    def keys() -> tuple[str, ...]:
        """All that to_query may write."""
        return tuple(_KEYS.values())

    @classmethod
    def from_query(cls, query: Mapping[str, str | list[str]]) -> GalleryFilter:
        """The filter of an address. Other keys are left alone. Raises InvalidInput in words for wrong values."""
        values: dict[str, Any] = {}
        for name, key in _KEYS.items():
            if key not in query:
                continue
            given = query[key]
            if isinstance(_DEFAULTS[name], tuple):
                values[name] = tuple(v for v in ([given] if isinstance(given, str) else given) if v != "")
                continue
            if not isinstance(given, str):
                if len(given) != 1:
                    raise InvalidInput(f"The address holds “{key}” {len(given)} times. Keep one.")
                given = given[0]
            if given != "":
                values[name] = _READERS.get(name, _as_it_is)(given, key)
        return cls(**values)


_KEYS = {
    "text": "search",
    "statuses": "status",
    "models": "model",
    "devices": "device",
    "schedulers": "scheduler",
    "tags": "tag",
    "verdicts": "verdict",
    "rating": "rating",
    "favourite": "favourite",
    "has_parent": "has_parent",
    "parent_id": "parent",
    "min_px": "min_px",
    "max_px": "max_px",
    "since": "since",
    "until": "until",
    "in_trash": "trash",
    "sort": "sort",
}
"""Fields, and what they are called in the address."""

_DEFAULTS = {field.name: field.default for field in fields(GalleryFilter)}


def _as_it_is(text: str, key: str) -> str:
    return text


def _as_int(text: str, key: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidInput(f"“{key}” in the address must be a whole number.")
    return int(text)


def _as_bool(text: str, key: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise InvalidInput(f"“{key}” in the address must be true or false.") from None


def _as_day(text: str, key: str) -> date:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"“{key}” must be a day such as 2026-01-31.") from None


_READERS = {
    "rating": _as_int,
    "min_px": _as_int,
    "max_px": _as_int,
    "favourite": _as_bool,
    "has_parent": _as_bool,
    "in_trash": _as_bool,
    "since": _as_day,
    "until": _as_day,
}


def day(text: str) -> date:
    """Raises InvalidInput in words."""
    return _as_day(text, "A date")


def _one_of(kind: type[StrEnum], value: str, what: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"There is no such {what}. Choose one of: {', '.join(kind)}.") from None


def _verdict(value: str) -> str:
    spelled = {verdict.casefold(): str(verdict) for verdict in VERDICTS}
    try:
        return spelled[value.casefold()]
    except KeyError:
        raise InvalidInput(f"There is no such verdict. Choose one of: {', '.join(VERDICTS)}.") from None


def _as_text(text: object, what: str, longest: int) -> str:
    if not isinstance(text, str) or "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidInput(f"The {what} holds characters that are not text.")
    if len(text) > longest:
        raise InvalidInput(f"The {what} has {len(text):,} characters; at most {longest:,} are taken.")
    return text


def _several(values: Iterable[str], what: str) -> tuple[str, ...]:
    found = sorted({_as_text(value, what, MAX_VALUE) for value in values})
    if len(found) > MAX_VALUES:
        raise InvalidInput(f"At most {MAX_VALUES} {what} can be chosen at once.")
    return tuple(found)


# Tags, titles and notes ----------------------------------------------------------------------------------------


def tag_name(text: str) -> str:
    """A tag as it is kept. Raises InvalidInput."""
    name = unicodedata.normalize("NFC", " ".join(_as_text(text, "tag", MAX_VALUE).split()))
    if not name or any(unicodedata.category(c) == "Cc" for c in name):
        raise InvalidInput("A tag needs at least one letter, and nothing that cannot be printed.")
    return _as_text(name, "tag", MAX_TAG)


def folded(name: str) -> str:
    """Two tags are the same if this is: “Sky” and “sky”."""
    return unicodedata.normalize("NFC", name.casefold())


def _several_tags(names: Iterable[str]) -> tuple[str, ...]:
    by_fold = {folded(name): name for name in sorted((tag_name(n) for n in names), reverse=True)}
    return _several(by_fold.values(), "tags")


def title_text(text: str) -> str:
    return " ".join(_as_text(text, "title", MAX_TITLE).split())


def notes_text(text: str) -> str:
    return _as_text(text, "note", MAX_NOTES).strip()


# Search text ---------------------------------------------------------------------------------------------------


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
        raise InvalidInput(f"A search takes at most {MAX_WORDS} words.")
    return tuple(found)


def words_of(text: str) -> tuple[str, ...]:
    """The searchable words of a text: runs of letters, digits and symbols; as the database's index divides it."""
    return tuple("".join(c if _in_word(c) else " " for c in text).split())


def _in_word(c: str) -> bool:
    category = unicodedata.category(c)
    return category[0] in "LN" or category in ("Co", "So") or category[0] == "M"


# Answers -------------------------------------------------------------------------------------------------------


class Count(int):
    """A number of generations. at_least: there are more; counting stopped there to be quick. Shown as “5,000+”."""

    at_least: bool = False

    @classmethod
    def capped(cls, number: int, cap: int) -> Count:
        count = cls(min(number, cap))
        count.at_least = number > cap
        return count

    def __format__(self, spec: str) -> str:
        return int.__format__(self, spec) + ("+" if self.at_least else "")

    def __str__(self) -> str:
        return f"{self:,}"


Facets = dict[str, list[tuple[Any, Count]]]
"""For each of FACETS its values that occur, most frequent first, with how many there are of each."""

FACETS = (
    "status",
    "model",
    "device",
    "scheduler",
    "favourite",
    "rating",
    "has_parent",
    "verdict",
    "in_trash",
    "tag",
)


@dataclass(frozen=True, slots=True)
class GallerySlice:
    """In the order that was asked for. next is None on the last page."""

    generations: tuple[Generation, ...]
    next: Cursor | None = None


@dataclass(frozen=True, slots=True)
class SavedSearch:
    name: str
    filter: GalleryFilter


@dataclass(frozen=True, slots=True)
class Lost:
    """A stored file that is gone or damaged, and the generations that need it."""

    key: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found when files and rows were compared. unreadable: nobody can say what is in them, for lack of a
    permission. orphans: files that nothing uses. removed: of those.
    """

    files: int
    missing: tuple[Lost, ...] = ()
    damaged: tuple[Lost, ...] = ()
    unreadable: tuple[Lost, ...] = ()
    orphans: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not (self.missing or self.damaged or self.unreadable or set(self.orphans) - set(self.removed))


@dataclass(frozen=True, slots=True)
class Freed:
    """files: how many were removed for good. bytes: the room that they took."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Emptied:
    """generations: how many were removed for good. files: how many of theirs nothing else uses. freed: where the room
    was wanted at once, what went of those and of the folder's trash.
    """

    generations: int = 0
    files: int = 0
    freed: Freed | None = None
