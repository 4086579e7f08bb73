"""Drafts in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import delete, select

from core.domain.draft import Draft
from core.domain.hashing import canonical_json
from db.connection import writing
from db.files import release
from db.recent import remembered
from db.repo import Repo
from db.tables import DraftRow

LOOKED_AT = 20
"""Drafts that were opened and left without a picture hold nothing."""


class DraftRepo(Repo):
    def save(self, id: str, draft: Draft, now: datetime) -> None:
        """The files that it used until now, and uses no more, are released."""
        with writing(self._sessions) as session:
            row = session.get(DraftRow, id)
            before = _draft(row.draft_json).files if row else ()
            session.merge(DraftRow(id=id, updated_at=now, draft_json=canonical_json(draft.to_dict())))
            release(session, set(before) - set(draft.files), now)

    @remembered
    def get(self, id: str) -> Draft | None:
        with self._sessions() as session:
            text = session.scalar(select(DraftRow.draft_json).where(DraftRow.id == id))
            return None if text is None else _draft(text)

    def latest_params(self) -> Mapping[str, Any]:
        """The parameters of the draft that was changed last and has any."""
        with self._sessions() as session:
            newest = select(DraftRow.draft_json).order_by(DraftRow.updated_at.desc()).limit(LOOKED_AT)
            drafts = (_draft(text) for text in session.scalars(newest))
            return next((draft.params for draft in drafts if draft.params), {})

    def forget_older_than(self, before: datetime, now: datetime) -> None:
        """Their files are released."""
        with writing(self._sessions) as session:
            old = delete(DraftRow).where(DraftRow.updated_at < before).returning(DraftRow.draft_json)
            drafts = [_draft(text) for text in session.scalars(old)]
            release(session, {key for draft in drafts for key in draft.files}, now)


@lru_cache(maxsize=200)
def _draft(text: str) -> Draft:
    """One run of a page asks for its draft a dozen times."""
    return Draft.from_dict(json.loads(text))
