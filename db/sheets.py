"""Sheets in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from core.domain.errors import InvalidInput
from core.domain.hashing import canonical_json
from core.domain.sheet import Sheet
from db.tables import SheetRow


class SheetRepo:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, id: str, sheet: Sheet, ids: Sequence[Sequence[str]], now: datetime) -> None:
        text = canonical_json({"sheet": json.loads(sheet.to_json()), "ids": [list(line) for line in ids]})
        with Session(self._engine) as session, session.begin():
            session.add(SheetRow(id=id, created_at=now, sheet_json=text))

    def get(self, id: str) -> tuple[Sheet, list[list[str]]]:
        """The sheet and the ids of its generations, row by row. Raises InvalidInput if there is none."""
        with Session(self._engine) as session:
            row = session.get(SheetRow, id)
            if row is None:
                raise InvalidInput("There is no such sheet in this gallery.")
            values = json.loads(row.sheet_json)
        return Sheet.from_json(canonical_json(values["sheet"])), values["ids"]
