"""Whether a picture is in the gallery already."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnClause, literal_column, select

from core.domain.generation import Relation
from db.mapping import number_at
from db.repo import Repo
from db.tables import GenerationRow

# Text, not a parameter: only so does a database see that the partial index of imports answers the question.
IMPORT: ColumnClause[str] = literal_column(f"'{Relation.IMPORT.value}'")

NEIGHBOURS = 1_000
"""Rows that were created at one instant follow each other by number."""


class ImportRepo(Repo):
    def find(self, pixels_sha256: str, created_at: datetime | None) -> str | None:
        """The id of a generation with exactly this picture: an imported one, or one made here at that moment."""
        with self._sessions() as session:
            imported = select(GenerationRow.id).where(
                GenerationRow.relation == IMPORT, GenerationRow.pixels_sha256 == pixels_sha256
            )
            found = session.scalar(imported.order_by(GenerationRow.number).limit(1))
            if found is not None or created_at is None:
                return found
            number = number_at(created_at)
            made_then = select(GenerationRow.id).where(GenerationRow.number.between(number, number + NEIGHBOURS))
            return session.scalar(made_then.where(GenerationRow.pixels_sha256 == pixels_sha256).limit(1))
