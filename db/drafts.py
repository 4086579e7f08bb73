"""Drafts in the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from core.domain.draft import Draft
from db.tables import DraftRow

LOOKED_AT = 20
"""Drafts that were opened and left without a picture hold nothing."""


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

    def latest_params(self) -> Mapping[str, Any]:
        """The parameters of the draft that was changed last and has any."""
        with Session(self._engine) as session:
            newest = select(DraftRow.draft_json).order_by(DraftRow.updated_at.desc()).limit(LOOKED_AT)
            drafts = (Draft.from_json(text) for text in session.scalars(newest))
            return next((draft.params for draft in drafts if draft.params), {})

    def forget_older_than(self, before: datetime) -> list[Draft]:
        """Returns what is forgotten."""
        with Session(self._engine) as session, session.begin():
            old = delete(DraftRow).where(DraftRow.updated_at < before).returning(DraftRow.draft_json)
            return [Draft.from_json(text) for text in session.scalars(old)]
