"""Drafts in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from core.domain.draft import Draft, KeptDraft
from core.domain.hashing import canonical_json
from db.connection import writing
from db.files import release
from db.recent import remembered
from db.repo import Repo
from db.tables import DraftRow

LOOKED_AT = 20
"""Drafts that were opened and left without a picture hold nothing."""

_KEPT = (DraftRow.id, DraftRow.draft_json, DraftRow.title, DraftRow.updated_at, DraftRow.deleted_at)


class DraftRepo(Repo):
    def save(self, id: str, draft: Draft, now: datetime) -> None:
        """The files that it used until now, and uses no more, are released. One in the trash comes back."""
        with writing(self._sessions) as session:
            row = session.get(DraftRow, id)
            before = _draft(row.draft_json).files if row else ()
            text = canonical_json(draft.to_dict())
            session.merge(DraftRow(id=id, updated_at=now, draft_json=text, deleted_at=None))
            release(session, set(before) - set(draft.files), now)

    def add(self, id: str, draft: Draft, now: datetime, *, title: str, person: str | None) -> None:
        with writing(self._sessions) as session:
            text = canonical_json(draft.to_dict())
            session.add(DraftRow(id=id, updated_at=now, draft_json=text, title=title, person=person))

    @remembered
    def get(self, id: str) -> Draft | None:
        with self._sessions() as session:
            text = session.scalar(select(DraftRow.draft_json).where(DraftRow.id == id))
            return None if text is None else _draft(text)

    @remembered
    def kept(self, id: str) -> KeptDraft | None:
        with self._sessions() as session:
            row = session.execute(select(*_KEPT).where(DraftRow.id == id)).one_or_none()
            return None if row is None else _kept(row)

    @remembered
    def of(self, person: str | None, limit: int, *, deleted: bool = False) -> tuple[KeptDraft, ...]:
        """This person's that have a picture, and nobody's, changed last first. None: everybody's."""
        asked = select(*_KEPT).where(DraftRow.deleted_at.is_not(None) if deleted else DraftRow.deleted_at.is_(None))
        if person is not None:
            asked = asked.where(or_(DraftRow.person == person, DraftRow.person.is_(None)))
        with self._sessions() as session:
            rows = session.execute(asked.order_by(DraftRow.updated_at.desc()).execution_options(yield_per=limit))
            return tuple(islice((kept for row in rows if (kept := _kept(row)).draft.source), limit))

    def adopt(self, id: str, person: str) -> None:
        """It is this person's from now on, if it was nobody's."""
        nobodys = DraftRow.id == id, DraftRow.person.is_(None)
        with self._sessions() as session:
            if session.scalar(select(DraftRow.id).where(*nobodys)) is None:
                return
        with writing(self._sessions) as session:
            session.execute(update(DraftRow).where(*nobodys).values(person=person))

    def rename(self, id: str, title: str) -> None:
        with writing(self._sessions) as session:
            session.execute(update(DraftRow).where(DraftRow.id == id).values(title=title))

    def set_deleted(self, id: str, at: datetime | None) -> None:
        with writing(self._sessions) as session:
            session.execute(update(DraftRow).where(DraftRow.id == id).values(deleted_at=at))

    def keep_thumbnail(self, id: str, source: str, key: str, now: datetime) -> None:
        """Of the draft's picture, if that is this one still. Not a change of what the artist has made."""
        with writing(self._sessions) as session:
            row = session.get(DraftRow, id)
            if row is None or (draft := _draft(row.draft_json)).source != source:
                return
            row.draft_json = canonical_json(draft.changed(thumbnail=key).to_dict())
            if draft.thumbnail not in (None, key):
                release(session, [draft.thumbnail], now)

    def latest_params(self) -> Mapping[str, Any]:
        """The parameters of the draft that was changed last and has any."""
        with self._sessions() as session:
            newest = select(DraftRow.draft_json).order_by(DraftRow.updated_at.desc()).limit(LOOKED_AT)
            drafts = (_draft(text) for text in session.scalars(newest))
            return next((draft.params for draft in drafts if draft.params), {})

    def forget_older_than(self, before: datetime, now: datetime) -> None:
        """Those without a name that nobody changed since, and those that lie in the trash since then. Their files are
        released."""
        is_left = and_(DraftRow.updated_at < before, DraftRow.title == "", DraftRow.deleted_at.is_(None))
        with writing(self._sessions) as session:
            old = delete(DraftRow).where(or_(is_left, DraftRow.deleted_at < before)).returning(DraftRow.draft_json)
            drafts = [_draft(text) for text in session.scalars(old)]
            release(session, {key for draft in drafts for key in draft.files}, now)


def _kept(row: Any) -> KeptDraft:
    id, text, title, updated_at, deleted_at = row
    return KeptDraft(id, _draft(text), title, updated_at, deleted_at)


@lru_cache(maxsize=200)
def _draft(text: str) -> Draft:
    """One run of a page asks for its draft a dozen times."""
    return Draft.from_dict(json.loads(text))
