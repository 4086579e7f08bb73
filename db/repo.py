"""What all repos are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Delete, Engine, Update
from sqlalchemy.orm import Session, sessionmaker

from db.recent import recent

BATCH = 5_000
"""Values in one statement."""

T = TypeVar("T")


class Repo:
    """Rows in, values out. Every method is one transaction; times come from the caller, in UTC."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine)
        self._recent = recent(engine)


def changed(session: Session, statement: Update | Delete) -> int:
    """Run it, and tell how many rows it changed or removed."""
    return cast(CursorResult[Any], session.execute(statement)).rowcount


def in_batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(values), BATCH):
        yield values[at : at + BATCH]
