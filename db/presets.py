"""Presets of parameters in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from core.domain.errors import InvalidInput
from core.domain.hashing import canonical_json
from db.recent import remembered
from db.repo import Repo, changed
from db.tables import PresetRow


class PresetRepo(Repo):
    def save(self, name: str, params: Mapping[str, Any], now: datetime) -> None:
        """In place of one of the same name."""
        self.save_all({name: params}, now)

    def save_all(self, presets: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
        """All of them or none, each in place of one of the same name."""
        with self._sessions.begin() as session:
            for name, params in presets.items():
                session.merge(PresetRow(name=name, created_at=now, params_json=canonical_json(dict(params))))

    @remembered
    def all(self) -> Mapping[str, Mapping[str, Any]]:
        with self._sessions() as session:
            rows = session.scalars(select(PresetRow).order_by(PresetRow.name)).all()
            return {row.name: json.loads(row.params_json) for row in rows}

    def delete(self, name: str) -> None:
        """Raises InvalidInput if there is none of that name."""
        with self._sessions.begin() as session:
            if changed(session, delete(PresetRow).where(PresetRow.name == name)) != 1:
                raise InvalidInput("There is no preset of that name. It may have been deleted already.")
