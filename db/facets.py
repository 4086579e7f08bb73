"""How many generations there are under a filter, and of each value of each filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import CTE, Select, String, cast, func, literal, select, union_all
from sqlalchemy.orm import Session

from core.domain.gallery.answers import Count, Facets
from core.domain.gallery.filter import DEFAULTS, GalleryFilter
from core.domain.gallery.paging import Sort
from db import search
from db.filters import COLUMNS, FACETS, counts_know, in_cube, is_sqlite, tag_ids
from db.tables import FacetCountRow, GenerationTagRow, TagRow

COUNT_CAP = 5_000
FACET_CAP = 1_000
"""Counting stops here where it has to look at the rows themselves."""

COUNTED = {name: column.counted for name, column in COLUMNS.items() if column.counted}


def count(session: Session, filter: GalleryFilter) -> Count:
    if counts_know(session, filter):
        return Count(_known_total(session, filter))
    query = search.source(session, filter).numbers()
    if is_sqlite(session):
        query = query.limit(COUNT_CAP + 1)
    number = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return Count.capped(number, COUNT_CAP)


def facets(session: Session, filter: GalleryFilter) -> Facets:
    """Under all other filters (tags: under those too)."""
    return _known_facets(session, filter) if counts_know(session, filter) else _counted_facets(session, filter)


def without(filter: GalleryFilter, name: str) -> GalleryFilter:
    """The same question without this filter. Tags narrow each other down; of the trash, the other side of it."""
    value: Any = {"tags": filter.tags, "in_trash": not filter.in_trash}.get(name, DEFAULTS[name])
    changes: dict[str, Any] = {"sort": Sort.NEWEST, name: value}
    return replace(filter, **changes)


def _known_tag(session: Session, filter: GalleryFilter) -> int | None:
    """0 without a tag; None for a tag that does not exist."""
    ids = tag_ids(session, filter)
    return None if ids is None else ids[0] if ids else 0


def _known_total(session: Session, filter: GalleryFilter) -> int:
    tag = _known_tag(session, filter)
    if tag is None:
        return 0
    return session.scalar(select(func.coalesce(func.sum(FacetCountRow.n), 0)).where(*in_cube(filter, tag))) or 0


def _known_facets(session: Session, filter: GalleryFilter) -> Facets:
    tag = _known_tag(session, filter)
    if tag is None:
        return _facets([])
    questions = [
        select(literal(name), cast(counted.column, String), func.sum(FacetCountRow.n))
        .where(*in_cube(filter, tag, skip=name))
        .group_by(counted.column)
        for name, counted in COUNTED.items()
    ]
    found = list(session.execute(union_all(*questions)))
    if tag:
        found += session.execute(_count_tags(search.source(session, filter).with_columns().cte("tagged")))
    else:
        asked = in_cube(filter)[1:]
        of_each = (
            select(FacetCountRow.tag_id, func.sum(FacetCountRow.n).label("n"))
            .where(FacetCountRow.tag_id > 0, *asked)
            .group_by(FacetCountRow.tag_id)
        )
        counts = of_each.subquery()
        named = select(literal("tags"), TagRow.name, counts.c.n).join(counts, counts.c.tag_id == TagRow.id)
        found += session.execute(named)
    return _facets(found)


def _counted_facets(session: Session, filter: GalleryFilter) -> Facets:
    """By a look at the rows, of which at most so many are taken: what is counted then is at least so many."""
    facets = _facets([])
    for wanted, question in _questions(filter):
        of_rows = [name for name in wanted if name in COUNTED]
        columns: list[Any] = [COUNTED[name].of_row.label(name) for name in of_rows]
        rows = search.source(session, question).with_columns(*columns).limit(FACET_CAP + 1).cte("matching")
        counts: list[Any] = [
            select(literal(name), cast(rows.c[name], String), func.count()).group_by(rows.c[name]) for name in of_rows
        ]
        if "tags" in wanted:
            counts.append(_count_tags(rows))
        counts.append(select(literal(""), literal(""), func.count()).select_from(rows))
        *found, (_, _, total) = session.execute(union_all(*counts)).all()
        for name, values in _facets(found, at_least=total > FACET_CAP).items():
            facets[name] += values
    return facets


def _questions(filter: GalleryFilter) -> Iterator[tuple[Sequence[str], GalleryFilter]]:
    """Each is counted as if its own filter were not set; those that are not set share a question."""
    plain = without(filter, "tags")
    shared = [name for name in FACETS if name == "in_trash" or without(filter, name) == plain]
    yield shared, filter
    yield ["in_trash"], without(filter, "in_trash")
    for name in FACETS:
        if name not in shared:
            yield [name], without(filter, name)


def _count_tags(rows: CTE) -> Select[str, str, int]:
    return (
        select(literal("tags"), TagRow.name, func.count())
        .select_from(rows)
        .join(GenerationTagRow, GenerationTagRow.number == rows.c.number)
        .join(TagRow, TagRow.id == GenerationTagRow.tag_id)
        .group_by(TagRow.name)
    )


def _facets(found: Iterable[Any], *, at_least: bool = False) -> Facets:
    facets: Facets = {name: [] for name in FACETS}
    for name, value, n in found:
        if n:
            count = Count(n)
            count.at_least = at_least
            facets[name].append((COUNTED[name].read(value) if name in COUNTED else value, count))
    for values in facets.values():
        values.sort(key=lambda pair: (-pair[1], str(pair[0])))
    return facets
