"""What each filter of a GalleryFilter asks of the database: of the rows, and of the table of counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, SQLColumnExpression, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from core.domain.gallery.filter import UNVERIFIED, GalleryFilter
from core.domain.generation import Status
from core.domain.labels import folded
from db.mapping import number_at_start_of
from db.tables import FacetCountRow, GenerationRow, TagRow

Condition = ColumnElement[bool]

Asks = Callable[[Any, Any], Condition]
"""(the table of a row, the value of the filter) -> whether the row suits it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How the table of counts knows a filter. column: of that table. of_row: what the rows are counted by.

    asks: of a row of that table; None: the same as of a generation. read: a value of the column as a person knows it.
    """

    column: SQLColumnExpression[Any]
    of_row: SQLColumnExpression[Any]
    asks: Asks | None = None
    read: Callable[[Any], Any] = str


@dataclass(frozen=True, slots=True)
class FilterIndex:
    """An index whose rows, of one value of a filter, lie in the order of the gallery.

    suits: whether a filter has one value. is_live: it leaves out what lies in the trash. is_narrow: it holds all that
    filters look at. is_selective: so few rows have one value that there is no better way.
    """

    name: str
    suits: Callable[[Any], bool] = lambda values: len(values) == 1
    is_live: bool = False
    is_narrow: bool = False
    is_selective: bool = False


@dataclass(frozen=True, slots=True)
class FilterColumn:
    """asks: of a generation. counted: None where the counts do not know it, and rows must be looked at."""

    asks: Asks
    counted: Counted | None = None
    index: FilterIndex | None = None


def _one_of(name: str) -> Asks:
    def asks(table: Any, values: Sequence[str]) -> Condition:
        column: SQLColumnExpression[Any] = getattr(table, name)
        return column == values[0] if len(values) == 1 else column.in_(values)

    return asks


def _any_of(name: str, read: Callable[[Any], Any] = str) -> FilterColumn:
    """A column with an index of its own, of which any of these values suits."""
    counted = Counted(getattr(FacetCountRow, name), getattr(GenerationRow, name), read=read)
    return FilterColumn(_one_of(name), counted, FilterIndex(name))


def _is_null(name: str, where: bool) -> Asks:
    """Whether the column is empty, if the filter's value is this."""

    def asks(table: Any, value: bool) -> Condition:
        column: SQLColumnExpression[Any] = getattr(table, name)
        return column.is_(None) if value is where else column.is_not(None)

    return asks


def _is(name: str) -> Asks:
    return lambda table, value: getattr(table, name).is_(value)


def _has_verdict(table: Any, values: Sequence[str]) -> Condition:
    found = [verdict for verdict in values if verdict != UNVERIFIED]
    without = [table.verdict.is_(None)] if UNVERIFIED in values else []
    return or_(*([_one_of("verdict")(table, found)] if found else []), *without)


def _counted_verdict(cube: type[FacetCountRow], values: Sequence[str]) -> Condition:
    return cube.verdict.in_(["" if verdict == UNVERIFIED else verdict for verdict in values])


def _as_bool(value: Any) -> bool:
    return bool(int(value))


COLUMNS: Mapping[str, FilterColumn] = {
    "in_trash": FilterColumn(
        _is_null("deleted_at", False),
        Counted(
            FacetCountRow.in_trash, cast(GenerationRow.deleted_at.is_not(None), Integer), _is("in_trash"), _as_bool
        ),
    ),
    "statuses": _any_of("status", Status),
    "models": _any_of("model"),
    "devices": _any_of("device"),
    "schedulers": _any_of("scheduler"),
    "verdicts": FilterColumn(
        _has_verdict,
        Counted(
            FacetCountRow.verdict, func.coalesce(GenerationRow.verdict, ""), _counted_verdict, lambda v: v or UNVERIFIED
        ),
        FilterIndex("verdicts", lambda values: len(values) == 1 and values[0] != UNVERIFIED, is_live=True),
    ),
    "rating": FilterColumn(
        lambda table, value: table.rating >= value,
        Counted(FacetCountRow.rating, func.coalesce(GenerationRow.rating, 0), read=lambda v: int(v) or None),
    ),
    "favourite": FilterColumn(
        _is("favourite"),
        Counted(FacetCountRow.favourite, cast(GenerationRow.favourite, Integer), read=_as_bool),
        FilterIndex("favourites", bool, is_live=True, is_narrow=True),
    ),
    "has_parent": FilterColumn(
        _is_null("parent_id", False),
        Counted(
            FacetCountRow.has_parent, cast(GenerationRow.parent_id.is_not(None), Integer), _is("has_parent"), _as_bool
        ),
    ),
    "parent_id": FilterColumn(
        lambda table, value: table.parent_id == value, index=FilterIndex("parent_id", bool, is_selective=True)
    ),
    "min_px": FilterColumn(lambda table, value: or_(table.width >= value, table.height >= value)),
    "max_px": FilterColumn(lambda table, value: and_(table.width <= value, table.height <= value)),
}
"""All filters but text, tags and days, which look at other tables: see tag_ids, within_days and db/text_search.py."""

FACETS = (*(name for name, column in COLUMNS.items() if column.counted), "tags")
"""The filters whose values are counted."""


NARROW = ("gallery", "trash", *(c.index.name for c in COLUMNS.values() if c.index and c.index.is_narrow))
"""The indexes that hold all that filters look at (tables.LOOKED_AT)."""


def asked(filter: GalleryFilter) -> Iterator[tuple[str, FilterColumn, Any]]:
    """The filters that are set, of those in COLUMNS, and whether in the trash or not."""
    for name, column in COLUMNS.items():
        value = getattr(filter, name)
        if value is not None and value != ():
            yield name, column, value


def conditions(filter: GalleryFilter) -> list[Condition]:
    """All but text, tags and days."""
    return [column.asks(GenerationRow, value) for _, column, value in asked(filter)]


def index_conditions(row: Any, filter: GalleryFilter, index: str) -> list[Condition]:
    """What makes the rows of this filter's index those of its value. row: the table, or an alias of it."""
    for _, column, value in asked(filter):
        if column.index and column.index.name == index:
            live = [row.deleted_at.is_(None)] if column.index.is_live else []
            return [*live, column.asks(row, value)]
    raise KeyError(index)


def within_days(filter: GalleryFilter, number: SQLColumnExpression[int]) -> list[Condition]:
    days = []
    if filter.since is not None:
        days.append(number >= number_at_start_of(filter.since))
    if filter.until is not None and filter.until.year < 9999:
        days.append(number < number_at_start_of(filter.until + timedelta(days=1)))
    return days


def tag_ids(session: Session, filter: GalleryFilter) -> list[int] | None:
    """None if one of the tags does not exist."""
    found = (session.scalar(select(TagRow.id).where(TagRow.folded == folded(tag))) for tag in filter.tags)
    ids = [id for id in found if id is not None]
    return ids if len(ids) == len(filter.tags) else None


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def counts_know(session: Session, filter: GalleryFilter) -> bool:
    """Whether the counts answer this question without a look at the rows."""
    days = filter.since or filter.until
    return is_sqlite(session) and not (
        filter.text or days or len(filter.tags) > 1 or any(column.counted is None for _, column, _ in asked(filter))
    )


def in_cube(filter: GalleryFilter, tag: int = 0, skip: str = "") -> list[Condition]:
    """tag: its id; 0: whatever tags they have. skip: a filter that does not count."""
    known = [(c.counted.asks or c.asks, value) for name, c, value in asked(filter) if c.counted and name != skip]
    return [FacetCountRow.tag_id == tag, *(asks(FacetCountRow, value) for asks, value in known)]
