"""The queue in the database: who waits, in which order, and whether it is paused."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core.domain.generation import Generation, Status
from core.domain.queue import Waiting, in_turn
from db.mapping import number_at, to_generation, whole_rows
from db.recent import remembered
from db.repo import Repo, changed
from db.tables import GenerationRow, SwitchRow, VerificationRow

PAUSED = "queue paused"

LONG = 50
"""From so many on a place may be a second old."""

FRESH_S = 1.0


class QueueRepo(Repo):
    def next_queued(self) -> str | None:
        """The id of the generation whose turn it is."""
        with self._sessions() as session:
            waiting = waiting_in_turn(session)
            return waiting[0].id if waiting else None

    @remembered
    def waiting(self) -> Sequence[Waiting]:
        """In the order in which they are worked on."""
        with self._sessions() as session:
            return tuple(waiting_in_turn(session))

    @remembered
    def running(self) -> Sequence[str]:
        with self._sessions() as session:
            running = select(GenerationRow.id).where(GenerationRow.status == Status.RUNNING)
            return tuple(session.scalars(running.order_by(GenerationRow.number)))

    @remembered
    def unfinished(self, limit: int) -> Sequence[Generation]:
        """The newest that were interrupted and wait for a word."""
        asked = whole_rows().where(GenerationRow.status == Status.INTERRUPTED, GenerationRow.deleted_at.is_(None))
        with self._sessions() as session:
            newest = session.execute(asked.order_by(GenerationRow.number.desc()).limit(limit))
            return tuple(to_generation(row) for row in newest)

    @remembered
    def verifications_waiting(self) -> int:
        query = select(func.count()).where(VerificationRow.status.in_([Status.QUEUED, Status.RUNNING]))
        with self._sessions() as session:
            return session.scalar(query) or 0

    def put(self, places: Mapping[str, int]) -> None:
        """New places of generations that still wait."""
        with self._sessions.begin() as session:
            for id, place in places.items():
                session.execute(
                    update(GenerationRow)
                    .where(GenerationRow.id == id, GenerationRow.status == Status.QUEUED)
                    .values(queue_place=place)
                )

    def cancel_waiting(self, now: datetime, session: str | None = None) -> int:
        """Take back all that wait; session: only this one's. Returns how many."""
        waiting = update(GenerationRow).where(GenerationRow.status == Status.QUEUED)
        if session is not None:
            waiting = waiting.where(GenerationRow.session == session)
        with self._sessions.begin() as database:
            return changed(database, waiting.values(cancelled_at(now)))

    @remembered
    def is_paused(self) -> bool:
        with self._sessions() as session:
            return session.get(SwitchRow, PAUSED) is not None

    def pause(self, now: datetime) -> None:
        with self._sessions.begin() as session:
            session.merge(SwitchRow(name=PAUSED, turned_on_at=now))

    def unpause(self) -> None:
        with self._sessions.begin() as session:
            session.execute(delete(SwitchRow).where(SwitchRow.name == PAUSED))


def cancelled_at(now: datetime) -> dict[str, Any]:
    """What is set in a generation that waits, when it is cancelled: also why it would have been tried again is over."""
    ended = {"cancel_requested_at": now, "finished_at": now, "error_code": None, "error": None}
    return {"status": Status.CANCELLED, **ended}


def waiting_in_turn(session: Session) -> list[Waiting]:
    columns = (GenerationRow.id, GenerationRow.session, GenerationRow.number, GenerationRow.queue_place)
    found = session.execute(select(*columns).where(GenerationRow.status == Status.QUEUED)).all()
    waiting = [Waiting(id, whose, number, place) for id, whose, number, place in found]
    return in_turn(waiting, _served(session, {w.session for w in waiting}))


class Places:
    """How many wait before each that waits. Of a long queue it is found out once a second, for all who ask: each page
    that watches one asks twice a second, and sorting 500 takes longer than anything else that it does.
    """

    def __init__(self) -> None:
        self._known: tuple[float, dict[str, int]] = float("-inf"), {}

    def of(self, session: Session, id: str) -> int:
        """0 for one that does not wait."""
        found_at, places = self._known
        if len(places) < LONG or id not in places or time.monotonic() - found_at > FRESH_S:
            places = {waiting.id: place for place, waiting in enumerate(waiting_in_turn(session))}
            self._known = time.monotonic(), places
        return places.get(id, 0)


def _served(session: Session, sessions: set[str | None]) -> dict[str | None, int]:
    """When each of these browser sessions was served last. With one session there is nobody to be fair to."""
    if len(sessions) < 2:
        return {}
    last = (
        select(GenerationRow.session, func.max(GenerationRow.started_at))
        .where(GenerationRow.session.in_(sessions - {None}))
        .group_by(GenerationRow.session)
    )
    return {whose: number_at(at) for whose, at in session.execute(last) if at is not None}
