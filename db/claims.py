"""Rows that one worker at a time works on: generations, and verifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, select, update
from sqlalchemy.orm import Session, sessionmaker

from core.domain.generation import Status
from db.repo import changed
from db.tables import GenerationRow, VerificationRow

Claimable = type[GenerationRow] | type[VerificationRow]


def claim(session: Session, table: Claimable, id: str, worker: str, now: datetime, **values: Any) -> bool:
    """Queued to running, for one worker only: True for the one that got it. values: what is set besides."""
    queued = update(table).where(table.id == id, table.status == Status.QUEUED)
    values |= {"status": Status.RUNNING, "worker": worker, "started_at": now, "heartbeat_at": now}
    return changed(session, queued.values(values)) == 1


def claimed(table: Claimable, id: str, worker: str) -> Update:
    """A change to a row that only the worker that claimed it last may make."""
    return update(table).where(table.id == id, table.worker == worker)


def is_lost(table: Claimable, before: datetime, now: datetime) -> ColumnElement[bool]:
    """Whether a last sign of life is older than before, or lies as far ahead of now.

    Then the clock was put back since, or another machine's clock is wrong: the worker is as dead as one long ago.
    """
    return table.heartbeat_at.is_(None) | ~table.heartbeat_at.between(before, now + (now - before))


def take_away(sessions: sessionmaker[Session], table: Claimable, which: ColumnElement[bool], **values: Any) -> int:
    """Change the running ones of these. Returns how many."""
    running = (table.status == Status.RUNNING) & which
    with sessions() as session:
        # Only to look takes no lock, and mostly there is none.
        if session.scalar(select(table.id).where(running).limit(1)) is None:
            return 0
    with sessions.begin() as session:
        return changed(session, update(table).where(running).values(values))
