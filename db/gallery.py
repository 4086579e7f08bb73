"""The gallery's side of the generations: finding, counting, organising, throwing away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, literal, select, tuple_, update
from sqlalchemy.orm import Session

from core.domain.errors import GenerationNotFound, InvalidInput
from core.domain.gallery.answers import Count, Facets, GallerySlice, SavedSearch
from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Cursor
from core.domain.generation import FILES, Status, Verdict
from core.domain.hashing import canonical_json
from core.domain.labels import folded
from db import facets, guides, search
from db.connection import writing
from db.files import release
from db.mapping import to_generation, whole_rows
from db.recent import remembered
from db.repo import Repo, changed, in_batches
from db.tables import LIVE, GenerationRow, GenerationTagRow, SavedSearchRow, TagRow, VerificationRow
from db.tags import add_tags, forget_unused_tags, write_tags

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
            rows = session.execute(whole_rows().where(GenerationRow.number.in_(numbers[:limit]))).all()
        by_number = {row.number: row for row in rows}
        # One that was deleted permanently between the two questions is left out.
        rows = [by_number[number] for number in numbers[:limit] if number in by_number]
        following = _cursor(filter, rows[-1]) if rows and len(numbers) > limit else None
        return GallerySlice(tuple(to_generation(row) for row in rows), following)

    def states(
        self, filter: GalleryFilter, cursor: Cursor | None, limit: int
    ) -> list[tuple[str, Status, Verdict | None]]:
        """Of the same page only id, status and verdict: for who looks again and again whether it has changed."""
        columns = select(GenerationRow.number, GenerationRow.id, GenerationRow.status, GenerationRow.verdict)
        with self._sessions() as session:
            numbers = _numbers(session, filter, cursor, limit)
            rows = {row.number: row for row in session.execute(columns.where(GenerationRow.number.in_(numbers)))}
        found = (rows[number] for number in numbers if number in rows)
        return [(row.id, Status(row.status), Verdict(row.verdict) if row.verdict else None) for row in found]

    @remembered
    def prompts(self, limit: int) -> Sequence[tuple[str, str]]:
        """Prompt and negative prompt of so many of the newest that are not in the trash, newest first."""
        query = select(GenerationRow.prompt, GenerationRow.negative_prompt).where(LIVE)
        with self._sessions() as session:
            found = session.execute(query.order_by(GenerationRow.number.desc()).limit(limit))
            return tuple((prompt, negative_prompt) for prompt, negative_prompt in found)

    def page_before(self, filter: GalleryFilter, cursor: Cursor, limit: int) -> Cursor | None:
        """The cursor of the page that ends where this one's page begins. None if that is the first page."""
        cursor.check(filter.sort)
        with self._sessions() as session:
            # The row of the cursor itself is on the page before, as its last one.
            numbers = _numbers(session, filter, cursor, limit, back=True)
            if len(numbers) < limit:
                return None
            columns = select(GenerationRow.number, GenerationRow.rating, GenerationRow.runtime_s)
            return _cursor(filter, session.execute(columns.where(GenerationRow.number == numbers[-1])).one())

    def count(self, filter: GalleryFilter) -> Count:
        with self._sessions() as session:
            return facets.count(session, filter)

    def facets(self, filter: GalleryFilter) -> Facets:
        """For each filter with values to choose from, how many there are of each value, under all other filters."""
        with self._sessions() as session:
            return facets.facets(session, filter)

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
                session.execute(update(GenerationRow).where(GenerationRow.number.in_(some)).values(values))

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
                idle = update(GenerationRow).where(GenerationRow.id.in_(some), GenerationRow.status.in_(IDLE))
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
        old: list[ColumnElement[bool]] = [GenerationRow.deleted_at.is_not(None), GenerationRow.status.in_(IDLE)]
        if before is not None:
            old.append(GenerationRow.deleted_at < before)
        count, files = 0, set()
        for some in [None] if ids is None else in_batches(list(ids)):
            asked = [*old, GenerationRow.id.in_(some)] if some is not None else old
            while released := self._purge_some(asked, now):
                count += released[0]
                files |= released[1]
        return count, files

    def _purge_some(self, old: Sequence[ColumnElement[bool]], now: datetime) -> tuple[int, set[str]] | None:
        """None if there is nothing left."""
        with writing(self._sessions) as session:
            columns = [getattr(GenerationRow, file) for file in FILES]
            rows = session.execute(
                select(GenerationRow.number, GenerationRow.id, *columns).where(*old).limit(PURGED_AT_ONCE)
            ).all()
            if not rows:
                return None
            numbers = [row.number for row in rows]
            files = {key for _, _, *keys in rows for key in keys if key}
            # Their verifications go with them.
            again = select(VerificationRow.output).where(VerificationRow.generation_id.in_([row.id for row in rows]))
            files.update(key for key in session.scalars(again) if key)
            files.update(guides.of_rows(session, numbers))
            session.execute(delete(GenerationTagRow).where(GenerationTagRow.number.in_(numbers)))
            # Looked at again: somebody may have restored one meanwhile.
            done = changed(session, delete(GenerationRow).where(GenerationRow.number.in_(numbers), *old))
            release(session, files, now)
            forget_unused_tags(session)
        return done, files

    def is_anything_active(self) -> bool:
        with self._sessions() as session:
            active = [Status.QUEUED, Status.RUNNING]
            return any(
                session.scalar(select(key).where(status.in_(active)).limit(1)) is not None
                for key, status in (
                    (GenerationRow.number, GenerationRow.status),
                    (VerificationRow.id, VerificationRow.status),
                )
            )


def _known(session: Session, ids: Sequence[str]) -> list[int]:
    """The numbers of these ids. Raises GenerationNotFound unless there are all of them."""
    wanted = sorted(set(ids))
    found: list[int] = []
    for some in in_batches(wanted):
        found += session.scalars(select(GenerationRow.number).where(GenerationRow.id.in_(some)))
    if len(found) < len(wanted):
        raise GenerationNotFound
    return sorted(found)


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
        query = query.where(getattr(GenerationRow, without).is_(None))
    if cursor is not None:
        place: Any = found.number
        seen: Any = literal(cursor.number)
        if by != "created_at":
            place = tuple_(getattr(found.place, by), found.place.number)
            seen = tuple_(cursor.value, cursor.number)
        query = query.where(place < seen if filter.sort.descending is not back else place > seen)
    return list(session.scalars(query))
