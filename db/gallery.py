"""The gallery's side of the generations: finding, counting, organising, throwing away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    Integer,
    Select,
    String,
    cast,
    delete,
    func,
    literal,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from core.domain.errors import GenerationNotFound, InvalidInput
from core.domain.gallery import FACETS, Count, Facets, GallerySlice, SavedSearch
from core.domain.gallery_filter import UNVERIFIED, GalleryFilter
from core.domain.generation import FILES, Status
from core.domain.hashing import canonical_json
from core.domain.labels import folded
from core.domain.paging import Cursor
from db import search
from db.connection import writing
from db.files import release
from db.mapping import to_generation, whole_rows
from db.repo import Repo, changed, in_batches
from db.tables import FacetCountRow, GenerationRow, GenerationTagRow, SavedSearchRow, TagRow, VerificationRow
from db.tags import add_tags, forget_unused_tags, write_tags

Row, Cube = GenerationRow, FacetCountRow

IDLE = [status for status in Status if not status.is_active]
PURGED_AT_ONCE = 500


class GalleryRepo(Repo):
    # Finding

    def browse(self, filter: GalleryFilter, cursor: Cursor | None, limit: int) -> GallerySlice:
        """A page in the order of the filter. Raises InvalidInput for a cursor of another order."""
        if cursor is not None:
            cursor.check(filter.sort)
        with self._sessions() as session:
            numbers = _numbers(session, filter, cursor, limit + 1)
            rows = session.execute(whole_rows().where(Row.number.in_(numbers[:limit]))).all()
        by_number = {row.number: row for row in rows}
        # One that was deleted permanently between the two questions is left out.
        rows = [by_number[number] for number in numbers[:limit] if number in by_number]
        following = _cursor(filter, rows[-1]) if rows and len(numbers) > limit else None
        return GallerySlice(tuple(to_generation(row) for row in rows), following)

    def page_before(self, filter: GalleryFilter, cursor: Cursor, limit: int) -> Cursor | None:
        """The cursor of the page that ends where this one's page begins. None if that is the first page."""
        cursor.check(filter.sort)
        with self._sessions() as session:
            # The row of the cursor itself is on the page before, as its last one.
            numbers = _numbers(session, filter, cursor, limit, back=True)
            if len(numbers) < limit:
                return None
            columns = select(Row.number, Row.rating, Row.runtime_s)
            return _cursor(filter, session.execute(columns.where(Row.number == numbers[-1])).one())

    def count(self, filter: GalleryFilter) -> Count:
        with self._sessions() as session:
            if search.counts_know(session, filter):
                return Count(_known_total(session, filter))
            query = search.source(session, filter).numbers()
            if search.is_sqlite(session):
                query = query.limit(search.COUNT_CAP + 1)
            number = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            return Count.capped(number, search.COUNT_CAP)

    def facets(self, filter: GalleryFilter) -> Facets:
        """For each facet how many there are of each value, under all other filters (tags: under those too)."""
        with self._sessions() as session:
            if search.counts_know(session, filter):
                return _known_facets(session, filter)
            return _counted_facets(session, filter)

    def tags(self) -> list[str]:
        """Every tag in use, by name."""
        with self._sessions() as session:
            return list(session.scalars(select(TagRow.name).order_by(TagRow.folded)))

    # Organising

    def change(self, ids: Sequence[str], **values: Any) -> None:
        """favourite, rating, title, notes: for all of them, or for none. Raises GenerationNotFound."""
        with writing(self._sessions) as session:
            numbers = _known(session, ids)
            for some in in_batches(numbers):
                session.execute(update(Row).where(Row.number.in_(some)).values(values))

    def tag(self, ids: Sequence[str], names: Sequence[str]) -> None:
        with writing(self._sessions) as session:
            add_tags(session, _known(session, ids), names)

    def untag(self, ids: Sequence[str], names: Sequence[str]) -> None:
        with writing(self._sessions) as session:
            numbers = _known(session, ids)
            folds = [folded(name) for name in names]
            tags = list(session.scalars(select(TagRow.id).where(TagRow.folded.in_(folds))))
            for some in in_batches(numbers):
                session.execute(
                    delete(GenerationTagRow).where(GenerationTagRow.tag_id.in_(tags), GenerationTagRow.number.in_(some))
                )
            write_tags(session, numbers)
            forget_unused_tags(session)

    def save_search(self, name: str, filter: GalleryFilter, now: datetime) -> None:
        """In place of one of the same name."""
        with writing(self._sessions) as session:
            session.merge(SavedSearchRow(name=name, created_at=now, query_json=canonical_json(filter.to_query())))

    def saved_searches(self) -> list[SavedSearch]:
        with self._sessions() as session:
            rows = session.scalars(select(SavedSearchRow).order_by(SavedSearchRow.name)).all()
            return [SavedSearch(row.name, GalleryFilter.from_query(json.loads(row.query_json))) for row in rows]

    def delete_search(self, name: str) -> None:
        """Raises InvalidInput if there is none of that name."""
        with writing(self._sessions) as session:
            if changed(session, delete(SavedSearchRow).where(SavedSearchRow.name == name)) != 1:
                raise InvalidInput("There is no saved search of that name. It may have been deleted already.")

    # Throwing away

    def set_deleted(self, ids: Sequence[str], deleted_at: datetime | None) -> int:
        """Into the trash, or out of it with None. Queued and running ones stay where they are."""
        moved = 0
        with writing(self._sessions) as session:
            for some in in_batches(ids):
                idle = update(Row).where(Row.id.in_(some), Row.status.in_(IDLE))
                moved += changed(session, idle.values(deleted_at=deleted_at))
        return moved

    def purge(
        self, now: datetime, *, before: datetime | None = None, ids: Sequence[str] | None = None
    ) -> tuple[int, set[str]]:
        """Remove for good what went into the trash before that, or all of it; of these ids, if given.

        Returns how many, and their files, which are released: others may still use them. Some hundred at a time, each
        with its files in one transaction, so that it also ends on a disk that is nearly full. Children stay, without
        a parent.
        """
        old = [Row.deleted_at.is_not(None), Row.status.in_(IDLE)]
        if before is not None:
            old.append(Row.deleted_at < before)
        count, files = 0, set()
        for some in [None] if ids is None else in_batches(list(ids)):
            asked = [*old, Row.id.in_(some)] if some is not None else old
            while released := self._purge_some(asked, now):
                count += released[0]
                files |= released[1]
        return count, files

    def _purge_some(self, old: Sequence, now: datetime) -> tuple[int, set[str]] | None:
        """None if there is nothing left."""
        with writing(self._sessions) as session:
            columns = [getattr(Row, file) for file in FILES]
            rows = session.execute(select(Row.number, Row.id, *columns).where(*old).limit(PURGED_AT_ONCE)).all()
            if not rows:
                return None
            numbers = [row.number for row in rows]
            files = {key for _, _, *keys in rows for key in keys if key}
            # Their verifications go with them.
            again = select(VerificationRow.output).where(VerificationRow.generation_id.in_([row.id for row in rows]))
            files.update(key for key in session.scalars(again) if key)
            session.execute(delete(GenerationTagRow).where(GenerationTagRow.number.in_(numbers)))
            # Looked at again: somebody may have restored one meanwhile.
            done = changed(session, delete(Row).where(Row.number.in_(numbers), *old))
            release(session, files, now)
            forget_unused_tags(session)
        return done, files

    def is_anything_active(self) -> bool:
        with self._sessions() as session:
            active = [Status.QUEUED, Status.RUNNING]
            return any(
                session.scalar(select(key).where(status.in_(active)).limit(1)) is not None
                for key, status in ((Row.number, Row.status), (VerificationRow.id, VerificationRow.status))
            )


def _known(session: Session, ids: Sequence[str]) -> list[int]:
    """The numbers of these ids. Raises GenerationNotFound unless there are all of them."""
    wanted = sorted(set(ids))
    found: list[int] = []
    for some in in_batches(wanted):
        found += session.scalars(select(Row.number).where(Row.id.in_(some)))
    if len(found) < len(wanted):
        raise GenerationNotFound
    return sorted(found)


# Paging --------------------------------------------------------------------------------------------------------


def _cursor(filter: GalleryFilter, row: Any) -> Cursor:
    by = filter.sort.column
    return Cursor(row.number, None if by == "created_at" else getattr(row, by), filter.sort)


def _numbers(
    session: Session, filter: GalleryFilter, cursor: Cursor | None, limit: int, *, back: bool = False
) -> list[int]:
    """The numbers of the rows that follow the cursor, or that come before it, nearest first.

    Sorted by rating or runtime, rows without one come last: two questions, of which a page needs mostly one.
    """
    by = filter.sort.column
    if by == "created_at":
        return _read(session, filter, "created_at", cursor, limit, back)
    parts = [by, "created_at"]
    at = 0 if cursor is None or cursor.value is not None else 1
    found: list[int] = []
    for part in range(at, 2) if not back else range(at, -1, -1):
        inside = cursor if part == at else None
        found += _read(session, filter, parts[part], inside, limit - len(found), back, without=by if part else None)
        if len(found) >= limit:
            break
    return found


def _read(
    session: Session,
    filter: GalleryFilter,
    by: str,
    cursor: Cursor | None,
    limit: int,
    back: bool,
    without: str | None = None,
) -> list[int]:
    """without: a column that must have no value."""
    found = search.source(session, filter, by)
    query = found.numbers().order_by(*search.order(filter, found, by, back=back)).limit(limit)
    if without is not None:
        query = query.where(getattr(Row, without).is_(None))
    if cursor is not None:
        if by == "created_at":
            place, seen = found.number, literal(cursor.number)
        else:
            place = tuple_(getattr(found.place, by), found.place.number)
            seen = tuple_(cursor.value, cursor.number)
        query = query.where(place < seen if filter.sort.descending is not back else place > seen)
    return list(session.scalars(query))


# Counting ------------------------------------------------------------------------------------------------------

_READ = {
    "status": Status,
    "favourite": lambda v: bool(int(v)),
    "has_parent": lambda v: bool(int(v)),
    "in_trash": lambda v: bool(int(v)),
    "rating": lambda v: int(v) or None,
    "verdict": lambda v: v or UNVERIFIED,
}


def _known_tag(session: Session, filter: GalleryFilter) -> int | None:
    """0 without a tag; None for a tag that does not exist."""
    ids = search.tag_ids(session, filter)
    return None if ids is None else ids[0] if ids else 0


def _known_total(session: Session, filter: GalleryFilter) -> int:
    tag = _known_tag(session, filter)
    if tag is None:
        return 0
    return session.scalar(select(func.coalesce(func.sum(Cube.n), 0)).where(*search.in_cube(filter, tag))) or 0


def _known_facets(session: Session, filter: GalleryFilter) -> Facets:
    tag = _known_tag(session, filter)
    if tag is None:
        return _facets([])
    questions = [
        select(literal(facet), getattr(Cube, facet), func.sum(Cube.n))
        .where(*search.in_cube(filter, tag, skip=facet))
        .group_by(getattr(Cube, facet))
        for facet in FACETS
        if facet != "tag"
    ]
    found = session.execute(union_all(*questions)).all()
    if tag:
        found += session.execute(_count_tags(search.source(session, filter).with_columns().cte("tagged"))).all()
    else:
        asked = search.in_cube(filter)[1:]
        of_each = select(Cube.tag_id, func.sum(Cube.n).label("n")).where(Cube.tag_id > 0, *asked).group_by(Cube.tag_id)
        counts = of_each.subquery()
        named = select(literal("tag"), TagRow.name, counts.c.n).join(counts, counts.c.tag_id == TagRow.id)
        found += session.execute(named).all()
    return _facets(found)


def _counted_facets(session: Session, filter: GalleryFilter) -> Facets:
    """By a look at the rows, of which at most so many are taken: what is counted then is at least so many."""
    facets = _facets([])
    for wanted, question in _questions(filter):
        of_rows = [facet for facet in wanted if facet != "tag"]
        rows = search.source(session, question).with_columns(*(_facet_column(facet) for facet in of_rows))
        rows = rows.limit(search.FACET_CAP + 1).cte("matching")
        counts = [
            select(literal(facet), cast(rows.c[facet], String), func.count()).group_by(rows.c[facet])
            for facet in of_rows
        ]
        if "tag" in wanted:
            counts.append(_count_tags(rows))
        counts.append(select(literal(""), literal(""), func.count()).select_from(rows))
        *counted, (_, _, total) = session.execute(union_all(*counts)).all()
        for facet, values in _facets(counted, at_least=total > search.FACET_CAP).items():
            facets[facet] += values
    return facets


def _questions(filter: GalleryFilter) -> Iterator[tuple[list[str], GalleryFilter]]:
    """Each facet is counted as if its own filter were not set; those without one share a question."""
    plain = search.without(filter, "tag")
    shared = [facet for facet in FACETS if facet == "in_trash" or search.without(filter, facet) == plain]
    yield shared, filter
    yield ["in_trash"], search.without(filter, "in_trash")
    for facet in FACETS:
        if facet not in shared:
            yield [facet], search.without(filter, facet)


def _facet_column(facet: str):
    column = {
        "rating": func.coalesce(Row.rating, 0),
        "has_parent": cast(Row.parent_id.is_not(None), Integer),
        "in_trash": cast(Row.deleted_at.is_not(None), Integer),
        "favourite": cast(Row.favourite, Integer),
        "verdict": func.coalesce(Row.verdict, ""),
    }.get(facet)
    return (getattr(Row, facet) if column is None else column).label(facet)


def _count_tags(rows: CTE) -> Select:
    return (
        select(literal("tag"), TagRow.name, func.count())
        .select_from(rows)
        .join(GenerationTagRow, GenerationTagRow.number == rows.c.number)
        .join(TagRow, TagRow.id == GenerationTagRow.tag_id)
        .group_by(TagRow.name)
    )


def _facets(counted: Iterable, *, at_least: bool = False) -> Facets:
    facets: Facets = {facet: [] for facet in FACETS}
    for facet, value, n in counted:
        if n:
            count = Count(n)
            count.at_least = at_least
            facets[facet].append((_READ.get(facet, str)(value), count))
    for values in facets.values():
        values.sort(key=lambda pair: (-pair[1], str(pair[0])))
    return facets
