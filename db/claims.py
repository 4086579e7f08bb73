"""Rows that one worker at a time works on: generations, and verifications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, case, false, literal, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from core.domain.errors import WorkerDied
from core.domain.generation import MAX_ATTEMPTS, Status
from db.repo import changed
from db.tables import GenerationRow, UtcDateTime, VerificationRow

Claimable = type[GenerationRow] | type[VerificationRow]


def claim(session: Session, table: Claimable, id: str, worker: str, now: datetime, **values: Any) -> bool:
    """Queued to running, for one worker only: True for the one that got it. values: what is set besides."""
    queued = update(table).where(table.id == id, table.status == Status.QUEUED)
    values |= {"status": Status.RUNNING, "worker": worker, "started_at": now, "heartbeat_at": now}
    values["attempts"] = table.attempts + 1
    return changed(session, queued.values(values)) == 1


def claimed(table: Claimable, id: str, worker: str) -> Update:
    """A change to a row that only the worker that claimed it last may make."""
    return update(table).where(table.id == id, table.worker == worker)


Signs = Sequence[tuple[str, datetime | None]]
"""Ids of rows, each with the last sign of life of its worker."""


def seem_lost(sessions: sessionmaker[Session], table: Claimable, before: datetime, now: datetime) -> Signs:
    """Running rows whose last sign of life is older than before, or lies as far ahead of now.

    Then their workers have died, or the clock was put on or back since their last sign: those give another one soon.
    """
    is_lost = table.heartbeat_at.is_(None) | ~table.heartbeat_at.between(before, now + (now - before))
    with sessions() as session:
        found = select(table.id, table.heartbeat_at).where(table.status == Status.RUNNING, is_lost)
        return [(id, at) for id, at in session.execute(found)]


def without_another(table: Claimable, signs: Signs) -> ColumnElement[bool]:
    """Whether a row is one of these, and its worker gave no sign of life since."""
    return or_(false(), *((table.id == id) & table.heartbeat_at.is_not_distinct_from(at) for id, at in signs))


def given_back(table: Claimable) -> dict[str, Any]:
    """What is set in a row that its worker gives back: that it was begun counts for nothing."""
    return {"status": Status.QUEUED.value, "worker": None, "started_at": None, "attempts": table.attempts - 1}


def left_by_dead(table: Claimable, reason: str, now: datetime) -> dict[str, Any]:
    """What is set in a row whose worker has died, for the reason that is said: it waits again, or fails once it was
    begun MAX_ATTEMPTS times.

    It keeps the worker's name: if that one lives after all, it goes on, or delivers, unless another one has claimed it.
    """
    is_hopeless = begun_too_often(table)
    return {
        "status": case((is_hopeless, Status.FAILED.value), else_=Status.QUEUED.value),
        "finished_at": case((is_hopeless, literal(now, UtcDateTime())), else_=None),
        "error": case((is_hopeless, f"{WorkerDied()} The last time: {reason}"), else_=f"{reason} It is tried again."),
    }


def begun_too_often(table: Claimable) -> ColumnElement[bool]:
    return table.attempts >= MAX_ATTEMPTS


def revive(session: Session, table: Claimable, id: str, worker: str, now: datetime, **values: Any) -> None:
    """A sign of life. One that was thought dead meanwhile, as by a clock that was put right, runs again.

    values: what is set then, besides.
    """
    thought_dead = claimed(table, id, worker).where(table.status.in_([Status.QUEUED, Status.INTERRUPTED]))
    session.execute(claimed(table, id, worker).values(heartbeat_at=now))
    session.execute(thought_dead.values(status=Status.RUNNING, finished_at=None, error=None, **values))


def take_away(sessions: sessionmaker[Session], table: Claimable, which: ColumnElement[bool], **values: Any) -> int:
    """Change the running ones of these. Returns how many."""
    running = (table.status == Status.RUNNING) & which
    with sessions() as session:
        # Only to look takes no lock, and mostly there is none.
        if session.scalar(select(table.id).where(running).limit(1)) is None:
            return 0
    with sessions.begin() as session:
        return changed(session, update(table).where(running).values(values))
