"""What a generation came from, and what came from it."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.errors import GenerationNotFound
from core.domain.family import Family, family_of
from db.families import FamilyRepo


@dataclass(frozen=True, slots=True)
class Families:
    repo: FamilyRepo

    def of(self, id: str) -> Family:
        """Ancestors, siblings and descendants, at most a few hundred. Raises GenerationNotFound."""
        upwards, members = self.repo.around(id)
        if id not in members:
            raise GenerationNotFound
        ancestors = [members[ancestor] for ancestor in upwards[1:] if ancestor in members]
        return family_of(members[id], ancestors, tuple(members.values()))
