"""From a GalleryFilter to SQL that stays quick at a million rows (docs/decisions/0005-search.md).

On other databases than SQLite the same questions are answered without the search index and the table of counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, false, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.search_text import search_terms
from db import plans
from db.filters import NARROW, conditions, index_conditions, is_sqlite, tag_ids, within_days
from db.tables import GenerationRow, GenerationTagRow
from db.text_search import TEXTS, contains_text, matches_text


@dataclass(frozen=True, slots=True)
class Source:
    """select: the matching rows, without columns yet. number: what to sort by, to read them in their own order.

    place: the table whose columns yield the order by rating or runtime.
    """

    select: Select[Any]
    number: SQLColumnExpression[int]
    place: Any = GenerationRow

    def numbers(self) -> Select[Any]:
        return self.select.with_only_columns(self.number, maintain_column_froms=True)

    def with_columns(self, *columns: ColumnElement[Any]) -> Select[Any]:
        number: ColumnElement[int] = self.number.label("number")
        return self.select.with_only_columns(number, *columns, maintain_column_froms=True)


def source(session: Session, filter: GalleryFilter, by: str = "created_at") -> Source:
    """by: the column of the order; the rows without a value there are left out if it is not created_at."""
    asked = conditions(filter)
    if by != "created_at":
        asked.append(getattr(GenerationRow, by).is_not(None))
    tags = tag_ids(session, filter)
    if tags is None or (filter.text and not search_terms(filter.text)):
        return Source(select(GenerationRow.number).where(false()), GenerationRow.number)
    if not is_sqlite(session):
        return _plain(filter, asked, tags)
    plan = plans.choose(session, filter, tags, by)
    if plan.name == plans.TEXT:
        return _from_text(filter, asked, tags)
    if plan.name == plans.TAG:
        return _from_tag(filter, asked, plan.tag, tags)
    if plan.name in NARROW:
        return _from_narrow(filter, asked, tags, plan.name)
    return _from_index(filter, asked, tags, plan.name)


def order(filter: GalleryFilter, found: Source, by: str, *, back: bool = False) -> list[ColumnElement[Any]]:
    """back: the other way round."""
    keys = [found.number] if by == "created_at" else [getattr(found.place, by), found.place.number]
    return [key.desc() if filter.sort.descending is not back else key.asc() for key in keys]


def _plain(filter: GalleryFilter, asked: list[ColumnElement[bool]], tags: list[int]) -> Source:
    if filter.text:
        asked = [*asked, contains_text(filter)]
    every = and_(*asked, *within_days(filter, GenerationRow.number), *(_has_tag(tag) for tag in tags))
    return Source(select(GenerationRow.number).where(every), GenerationRow.number)


def _from_text(filter: GalleryFilter, asked: list[ColumnElement[bool]], tags: list[int]) -> Source:
    """The search index yields its rows in the order of the gallery, either way round, and stops when told."""
    number = TEXTS.c.rowid
    every = and_(
        matches_text(filter),
        GenerationRow.number == _unindexed(number),
        *asked,
        *within_days(filter, number),
        *(_has_tag(tag) for tag in tags),
    )
    return Source(_hinted(select(number).select_from(TEXTS, GenerationRow), _narrow(filter)).where(every), number)


def _from_tag(filter: GalleryFilter, asked: list[ColumnElement[bool]], tag: int, tags: list[int]) -> Source:
    number = GenerationTagRow.number
    every = and_(
        GenerationTagRow.tag_id == tag,
        GenerationRow.number == _unindexed(number),
        *asked,
        *within_days(filter, number),
        *(_has_tag(other) for other in tags if other != tag),
        *_probe(filter),
    )
    return Source(
        _hinted(select(number).select_from(GenerationTagRow, GenerationRow), _narrow(filter)).where(every), number
    )


def _from_narrow(filter: GalleryFilter, asked: list[ColumnElement[bool]], tags: list[int], index: str) -> Source:
    """All that filters look at, from one index in its order."""
    every = and_(*asked, *within_days(filter, GenerationRow.number), *(_has_tag(tag) for tag in tags), *_probe(filter))
    return Source(_hinted(select(GenerationRow.number), index).where(every), GenerationRow.number)


def _from_index(filter: GalleryFilter, asked: list[ColumnElement[bool]], tags: list[int], index: str) -> Source:
    """The rows of one index in its order, and what else is asked of each from the narrow one: never the wide rows."""
    first = aliased(GenerationRow)
    number = first.number
    every = and_(
        *_index_conditions(first, filter, index),
        GenerationRow.number == _unindexed(number),
        *asked,
        *within_days(filter, number),
        *(_has_tag(tag) for tag in tags),
        *_probe(filter),
    )
    query = (
        select(number)
        .select_from(first, GenerationRow)
        .with_hint(first, f"INDEXED BY ix_generations_{index}", "sqlite")
    )
    return Source(_hinted(query, _narrow(filter)).where(every), number, first)


def _index_conditions(row: Any, filter: GalleryFilter, index: str) -> list[ColumnElement[bool]]:
    for by, name in plans.IN_ORDER.items():
        if name == index:
            return [row.deleted_at.is_(None), getattr(row, by).is_not(None)]
    return index_conditions(row, filter, index)


def _hinted(query: Select[Any], index: str) -> Select[Any]:
    return query.with_hint(GenerationRow, f"INDEXED BY ix_generations_{index}", "sqlite")


def _narrow(filter: GalleryFilter) -> str:
    return "trash" if filter.in_trash else "gallery"


def _unindexed(column_: Any) -> ColumnElement[int]:
    """+column: the planner may not look rows up by it, so that this table is read first."""
    return UnaryExpression(column_, operator=custom_op("+"), type_=column_.type)


def _has_tag(tag: int) -> ColumnElement[bool]:
    has = GenerationTagRow
    other = has.__table__.alias()
    return exists().where(other.c.tag_id == tag, other.c.number == GenerationRow.number)


def _probe(filter: GalleryFilter) -> list[ColumnElement[bool]]:
    if not filter.text:
        return []
    return [exists().where(matches_text(filter), TEXTS.c.rowid == GenerationRow.number)]
