"""Tags in the database: rows of their own, and the names of each generation's tags in its row, for the search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Insert, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.domain.labels import folded
from db.repo import in_batches
from db.tables import GenerationRow, GenerationTagRow, Table, TagRow


def add_tags(session: Session, numbers: Sequence[int], names: Sequence[str]) -> None:
    """In this transaction. A tag that there is not yet is made."""
    for name in names:
        tag = _tag_named(session, name)
        for some in in_batches(numbers):
            rows = [{"tag_id": tag, "number": number} for number in some]
            session.execute(_unless_there(session, GenerationTagRow), rows)
    write_tags(session, numbers)


def _tag_named(session: Session, name: str) -> int:
    """The id of this tag, which is made if there is none."""
    # The write comes first: two sessions that make the same tag find one.
    session.execute(_unless_there(session, TagRow).values(name=name, folded=folded(name)))
    return session.execute(select(TagRow.id).where(TagRow.folded == folded(name))).scalar_one()


def _unless_there(session: Session, table: type[Table]) -> Insert:
    """An insert that leaves out what is there already."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def write_tags(session: Session, numbers: Sequence[int]) -> None:
    """The names of each one's tags into its own row, where the search index finds them."""
    for some in in_batches(numbers):
        names: dict[int, list[str]] = {number: [] for number in some}
        query = select(GenerationTagRow.number, TagRow.name).join(TagRow, TagRow.id == GenerationTagRow.tag_id)
        query = query.where(GenerationTagRow.number.in_(some)).order_by(TagRow.folded)
        for number, name in session.execute(query):
            names[number].append(name)
        by_text: dict[str, list[int]] = defaultdict(list)
        for number, tags in names.items():
            by_text["\n".join(tags)].append(number)
        for text, same in by_text.items():
            session.execute(update(GenerationRow).where(GenerationRow.number.in_(same)).values(tags=text))


def forget_unused_tags(session: Session) -> None:
    used = select(GenerationTagRow.tag_id).where(GenerationTagRow.tag_id == TagRow.id).exists()
    session.execute(delete(TagRow).where(~used))
