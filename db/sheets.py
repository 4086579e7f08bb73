"""Sheets in the database."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.domain.errors import InvalidInput
from core.domain.hashing import canonical_json
from core.domain.sheet import Sheet, StoredSheet
from db.repo import Repo
from db.tables import SheetRow

FEW = 20
"""So many generations are looked for by the database; for more, every sheet is read."""


class SheetRepo(Repo):
    def get(self, id: str) -> StoredSheet:
        """Raises InvalidInput if there is none."""
        with self._sessions() as session:
            row = session.get(SheetRow, id)
        if row is None:
            raise InvalidInput("There is no such sheet in this gallery.")
        return _kept(row)

    def has(self, id: str) -> bool:
        with self._sessions() as session:
            return session.get(SheetRow, id) is not None

    def holding(self, generation_ids: Collection[str]) -> list[StoredSheet]:
        """Those with at least one of these generations, newest first."""
        wanted = set(generation_ids)
        if not wanted:
            return []
        query = select(SheetRow).order_by(SheetRow.created_at.desc(), SheetRow.id)
        if len(wanted) <= FEW:
            query = query.where(or_(*(SheetRow.sheet_json.contains(f'"{id}"', autoescape=True) for id in wanted)))
        with self._sessions() as session:
            sheets = [_kept(row) for row in session.scalars(query)]
        return [kept for kept in sheets if not wanted.isdisjoint(id for line in kept.ids for id in line)]


def add_sheet(session: Session, kept: StoredSheet) -> None:
    """In the transaction that adds its generations."""
    text = canonical_json({"sheet": kept.sheet.to_dict(), "ids": [list(line) for line in kept.ids]})
    session.add(SheetRow(id=kept.id, created_at=kept.created_at, sheet_json=text))


def _kept(row: SheetRow) -> StoredSheet:
    values = json.loads(row.sheet_json)
    ids = tuple(tuple(line) for line in values["ids"])
    return StoredSheet(row.id, row.created_at, Sheet.from_dict(values["sheet"]), ids)
