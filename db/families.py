"""Families of generations in the database: the walks up to the first ancestor and down to the last descendants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from core.domain.family import FamilyMember
from core.domain.generation import Relation, Status
from core.domain.pixels.outpaint import ExtensionHistory
from db.repo import Repo
from db.tables import GenerationRow

MAX_DEPTH = 1_000
"""Steps of one session; also what ends a walk in a ring of parents, which only a damaged database holds."""

MAX_MEMBERS = 400
"""Members of a family that are looked at, those on the way to the first ancestor apart."""

_MEMBER_COLUMNS = (
    "id",
    "parent_id",
    "prompt",
    "title",
    "seed",
    "source",
    "source_name",
    "output",
    "pixels_sha256",
    "thumbnail",
    "created_at",
)


class FamilyRepo(Repo):
    def around(self, id: str) -> tuple[Sequence[str], Mapping[str, FamilyMember]]:
        """The ids of the generation and its ancestors, nearest first, and the family that was found by id.

        Nothing for one that does not exist. One that is deleted meanwhile is missing in the family.
        """
        with self._sessions() as session:
            upwards = _upwards(session, id)
            if not upwards:
                return [], {}
            return upwards, members(session, {*upwards, *_children(session, id), *_downwards(session, upwards[-1])})


def members(session: Session, ids: Iterable[str]) -> Mapping[str, FamilyMember]:
    """Those of these generations that exist, by id."""
    wanted = sorted(set(ids))
    columns = [getattr(GenerationRow, name) for name in _MEMBER_COLUMNS]
    counted = (
        select(GenerationRow.parent_id, func.count())
        .where(GenerationRow.parent_id.in_(wanted))
        .group_by(GenerationRow.parent_id)
    )
    children = dict(session.execute(counted).all())
    more = (GenerationRow.relation, GenerationRow.status, GenerationRow.deleted_at, GenerationRow.extended_json)
    rows = session.execute(select(*columns, *more).where(GenerationRow.id.in_(wanted)))
    return {
        row.id: FamilyMember(
            **{name: getattr(row, name) for name in _MEMBER_COLUMNS},
            relation=Relation(row.relation) if row.relation else None,
            status=Status(row.status),
            in_trash=row.deleted_at is not None,
            children=children.get(row.id, 0),
            extended_from=ExtensionHistory.from_dict(json.loads(row.extended_json)).source
            if row.extended_json
            else None,
        )
        for row in rows
    }


def _upwards(session: Session, id: str) -> list[str]:
    """The generation and its ancestors, nearest first, each once."""
    start = (
        select(GenerationRow.id, GenerationRow.parent_id, literal(0).label("depth"))
        .where(GenerationRow.id == id)
        .cte("up", recursive=True)
    )
    parent = aliased(GenerationRow)
    up = start.union_all(
        select(parent.id, parent.parent_id, start.c.depth + 1)
        .join(start, parent.id == start.c.parent_id)
        .where(start.c.depth < MAX_DEPTH)
    )
    return list(dict.fromkeys(session.scalars(select(up.c.id).order_by(up.c.depth))))


def _downwards(session: Session, id: str) -> list[str]:
    """Descendants, level by level, the oldest levels first, until there are enough."""
    start = select(literal(id).label("id"), literal(0).label("depth")).cte("down", recursive=True)
    child = aliased(GenerationRow)
    down = start.union_all(
        select(child.id, start.c.depth + 1).join(start, child.parent_id == start.c.id).where(start.c.depth < MAX_DEPTH)
    )
    # No order: then the walk ends with the limit, in a ring too.
    return list(session.scalars(select(down.c.id).limit(MAX_MEMBERS)))


def _children(session: Session, id: str) -> list[str]:
    newest = (
        select(GenerationRow.id)
        .where(GenerationRow.parent_id == id)
        .order_by(GenerationRow.number.desc())
        .limit(MAX_MEMBERS)
    )
    return list(session.scalars(newest))
