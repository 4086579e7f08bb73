"""Pictures of generations in roles that have no column of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Label, String, cast, func, insert, select
from sqlalchemy.orm import Session

from core.domain.generation import Generation
from core.domain.guide import Guide, Role
from db.tables import GenerationRow, GuideRow


def of_generation() -> Label[str]:
    """A column "guides" of a question about generations: all of each one's in one text, which read takes apart."""
    line = GuideRow.role + " " + cast(GuideRow.position, String) + " " + GuideRow.picture
    lines = select(func.aggregate_strings(line, "\n")).where(GuideRow.number == GenerationRow.number)
    return lines.correlate(GenerationRow).scalar_subquery().label("guides")


def read(lines: str | None) -> tuple[Guide[str], ...]:
    """In the order of their roles and positions, whatever the database's."""
    if not lines:
        return ()
    found = (line.split(" ") for line in lines.splitlines())
    guides = (Guide(Role(role), int(position), picture) for role, position, picture in found)
    return tuple(sorted(guides, key=lambda guide: (guide.role, guide.position)))


def add(session: Session, numbers: Sequence[int], generations: Sequence[Generation]) -> None:
    """In this transaction. numbers: of these generations, whose rows are there."""
    rows = [
        {"number": number, "role": guide.role.value, "position": guide.position, "picture": guide.picture}
        for number, generation in zip(numbers, generations, strict=True)
        for guide in generation.guides
    ]
    if rows:
        session.execute(insert(GuideRow), rows)


def used_among(session: Session, keys: Collection[str]) -> Iterable[str]:
    """Those of these files that a generation has as a guide."""
    return session.scalars(select(GuideRow.picture).where(GuideRow.picture.in_(keys)))


def of_rows(session: Session, numbers: Collection[int]) -> Iterable[str]:
    """Files that these rows have as guides."""
    return session.scalars(select(GuideRow.picture).where(GuideRow.number.in_(numbers)))


def in_use(session: Session) -> Iterable[tuple[str, str]]:
    """The id of a generation and a file that it has as a guide, of all."""
    query = select(GenerationRow.id, GuideRow.picture).join(GuideRow, GuideRow.number == GenerationRow.number)
    return [(id, picture) for id, picture in session.execute(query)]
