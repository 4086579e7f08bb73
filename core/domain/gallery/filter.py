"""The question put to the gallery: its filters, each declared once, and how they are spelled in an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_type_hints

from core.domain.errors import InvalidInput
from core.domain.gallery.paging import Sort
from core.domain.gallery.search_text import search_terms
from core.domain.generation import Status, Verdict
from core.domain.labels import MAX_VALUE, checked_text, folded, tag_name

RATINGS = range(1, 6)

UNVERIFIED = "unverified"
VERDICTS: tuple[str, ...] = (*Verdict, UNVERIFIED)
"""What a filter can ask for: a newest verdict, or that there is none."""

MAX_TEXT = 500
MAX_VALUES = 50
MAX_PX = 1_000_000

Name = TypeVar("Name", bound=StrEnum)


def _as_it_is(value: Any, _key: str = "") -> Any:
    return value


@dataclass(frozen=True, slots=True)
class FilterField:
    """What there is to know of one filter. key: its name in the address. title: its name on the screen.

    check: gives a value the one form in which it is kept. read: makes a value of a text of the address, and its key.
    Both raise InvalidInput.
    """

    key: str
    title: str
    check: Callable[[Any], Any] = _as_it_is
    read: Callable[[str, str], Any] = _as_it_is


@dataclass(frozen=True, slots=True)
class GalleryFilter:
    """Which generations, in which order; an empty filter is all that are not in the trash, newest first.

    text: words, word beginnings (`cas*`) and "quoted phrases"; all must be found in prompt, negative prompt, title,
    notes or tags. models, devices, schedulers, statuses, verdicts: any of these. tags: all of these. min_px, max_px:
    the longer side of the picture. since, until: days in UTC, both included. rating: at least. None: does not matter.

    Equal questions are equal values: what is given in another order, or twice, makes no difference.
    Raises InvalidInput in words for what cannot be asked.

    To add a filter: a line here, one in db/filters.py, one in pages/ui/gallery/filters.py.
    """

    text: Annotated[str, FilterField("search", "Search", _search_text)] = ""
    statuses: Annotated[tuple[Status, ...], FilterField("status", "Status", _statuses)] = ()
    models: Annotated[tuple[str, ...], FilterField("model", "Model", _several("models"))] = ()
    devices: Annotated[tuple[str, ...], FilterField("device", "Device", _several("devices"))] = ()
    schedulers: Annotated[tuple[str, ...], FilterField("scheduler", "Scheduler", _several("schedulers"))] = ()
    tags: Annotated[tuple[str, ...], FilterField("tag", "Tags", _tags)] = ()
    verdicts: Annotated[tuple[str, ...], FilterField("verdict", "Verdict", _verdicts)] = ()
    rating: Annotated[int | None, FilterField("rating", "Rating", _rating, _as_int)] = None
    favourite: Annotated[bool | None, FilterField("favourite", "Favourites", read=_as_bool)] = None
    has_parent: Annotated[bool | None, FilterField("has_parent", "Lineage", read=_as_bool)] = None
    parent_id: Annotated[str | None, FilterField("parent", "Made from", _parent)] = None
    min_px: Annotated[int | None, FilterField("min_px", "Smallest size", _size("smallest"), _as_int)] = None
    max_px: Annotated[int | None, FilterField("max_px", "Largest size", _size("largest"), _as_int)] = None
    since: Annotated[date | None, FilterField("since", "From day", read=_as_day)] = None
    until: Annotated[date | None, FilterField("until", "Until day", read=_as_day)] = None
    in_trash: Annotated[bool, FilterField("trash", "Trash", read=_as_bool)] = False
    sort: Annotated[Sort, FilterField("sort", "Order", _order)] = Sort.NEWEST

    def __post_init__(self) -> None:
        for name, field in FILTERS.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, field.check(value))
        if self.min_px is not None and self.max_px is not None and self.min_px > self.max_px:
            raise InvalidInput("The smallest size is above the largest. Swap them.")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise InvalidInput("The first day is after the last. Swap them.")

    def to_query(self) -> dict[str, str | list[str]]:
        """For the page's address: only what differs from the empty filter, and always spelled the same."""
        values = {field.key: getattr(self, name) for name, field in FILTERS.items() if self.asks(name)}
        return {key: _spelled(value) for key, value in values.items()}

    def asks(self, name: str) -> bool:
        """Whether this filter is set."""
        return bool(getattr(self, name) != DEFAULTS[name])

    @staticmethod
    def keys() -> tuple[str, ...]:
        """All that to_query may write."""
        return tuple(field.key for field in FILTERS.values())

    @classmethod
    def from_query(cls, query: Mapping[str, str | list[str]]) -> GalleryFilter:
        """The filter of an address. Other keys are left alone. Raises InvalidInput in words for wrong values."""
        values: dict[str, Any] = {}
        for name, field in FILTERS.items():
            given = query.get(field.key, "")
            texts = [given] if isinstance(given, str) else given
            if isinstance(DEFAULTS[name], tuple):
                values[name] = tuple(field.read(text, field.key) for text in texts if text != "")
            elif len(texts) != 1:
                raise InvalidInput(f"The address holds “{field.key}” {len(texts)} times. Keep one.")
            elif texts[0] != "":
                values[name] = field.read(texts[0], field.key)
        return cls(**values)


def _spelled(value: Any) -> str | list[str]:
    if isinstance(value, tuple):
        return [str(one) for one in value] if len(value) > 1 else str(value[0])
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def day(text: str) -> date:
    """Raises InvalidInput in words."""
    return _as_day(text, "A date")


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


def _search_text(text: str) -> str:
    text = " ".join(checked_text(text, "search text", MAX_TEXT).split())
    search_terms(text)
    return text


def _statuses(values: Iterable[str]) -> tuple[Status, ...]:
    return tuple(sorted({_one_of(Status, value, "status") for value in values}))


def _verdicts(values: Iterable[str]) -> tuple[str, ...]:
    spelled = {verdict.casefold(): str(verdict) for verdict in VERDICTS}
    try:
        return tuple(sorted({spelled[value.casefold()] for value in values}))
    except KeyError:
        raise InvalidInput(f"There is no such verdict. Choose one of: {', '.join(VERDICTS)}.") from None


def _several(what: str) -> Callable[[Iterable[str]], tuple[str, ...]]:
    def check(values: Iterable[str]) -> tuple[str, ...]:
        found = sorted({checked_text(value, what, MAX_VALUE) for value in values})
        if len(found) > MAX_VALUES:
            raise InvalidInput(f"At most {MAX_VALUES} {what} can be chosen at once.")
        return tuple(found)

    return check


def _tags(names: Iterable[str]) -> tuple[str, ...]:
    by_fold = {folded(name): name for name in sorted((tag_name(name) for name in names), reverse=True)}
    return _several("tags")(by_fold.values())


def _rating(value: int) -> int:
    if value not in RATINGS:
        raise InvalidInput(f"A rating is a number from 1 to 5, not {value!r}.")
    return value


def _parent(id: str) -> str:
    return checked_text(id, "parent", MAX_VALUE)


def _size(which: str) -> Callable[[int], int]:
    def check(value: int) -> int:
        if not 1 <= value <= MAX_PX:
            raise InvalidInput(f"The {which} size must be from 1 to {MAX_PX:,} px.")
        return value

    return check


def _order(value: str) -> Sort:
    return _one_of(Sort, value, "order")


def _one_of(kind: type[Name], value: str, what: str) -> Name:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"There is no such {what}. Choose one of: {', '.join(kind)}.") from None


FILTERS: Mapping[str, FilterField] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(GalleryFilter, include_extras=True).items()
}
"""Every filter, by its name in GalleryFilter, in the order of the address."""

DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(GalleryFilter)}
"""What each filter is while it is not set."""
