"""The question put to the gallery."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.generation import Status, Verdict
from core.domain.labels import MAX_VALUE, checked_text, folded, tag_name
from core.domain.paging import Sort
from core.domain.search_text import search_terms

RATINGS = range(1, 6)

UNVERIFIED = "unverified"
VERDICTS: tuple[str, ...] = (*Verdict, UNVERIFIED)
"""What a filter can ask for: a newest verdict, or that there is none."""

MAX_TEXT = 500
MAX_VALUES = 50
MAX_PX = 1_000_000


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

        put("text", " ".join(checked_text(self.text, "search text", MAX_TEXT).split()))
        search_terms(self.text)
        put("statuses", tuple(sorted({_one_of(Status, s, "status") for s in self.statuses})))
        put("models", _several(self.models if model is None else (*self.models, model), "models"))
        put("devices", _several(self.devices, "devices"))
        put("schedulers", _several(self.schedulers, "schedulers"))
        put("tags", _several_tags(self.tags))
        put("verdicts", tuple(sorted({_verdict(v) for v in self.verdicts})))
        if self.parent_id is not None:
            put("parent_id", checked_text(self.parent_id, "parent", MAX_VALUE))
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


def _several(values: Iterable[str], what: str) -> tuple[str, ...]:
    found = sorted({checked_text(value, what, MAX_VALUE) for value in values})
    if len(found) > MAX_VALUES:
        raise InvalidInput(f"At most {MAX_VALUES} {what} can be chosen at once.")
    return tuple(found)


def _several_tags(names: Iterable[str]) -> tuple[str, ...]:
    by_fold = {folded(name): name for name in sorted((tag_name(n) for n in names), reverse=True)}
    return _several(by_fold.values(), "tags")
