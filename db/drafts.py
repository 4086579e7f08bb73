"""Drafts in the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from core.domain.draft import Draft
from db.tables import DraftRow


class DraftRepo:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, id: str, draft: Draft, now: datetime) -> None:
        with Session(self._engine) as session, session.begin():
            session.merge(DraftRow(id=id, updated_at=now, draft_json=draft.to_json()))

    def get(self, id: str) -> Draft | None:
        with Session(self._engine) as session:
            row = session.get(DraftRow, id)
            return Draft.from_json(row.draft_json) if row else None

    def forget_older_than(self, before: datetime) -> None:
        with Session(self._engine) as session, session.begin():
            session.execute(delete(DraftRow).where(DraftRow.updated_at < before))
