"""The workers in the database: what each tells of itself, and what is asked of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from core.domain.generation import Status
from core.domain.hashing import canonical_json
from core.domain.worker import MachineFacts, WorkerState
from db.recent import remembered
from db.repo import Repo, changed
from db.tables import GenerationRow, VerificationRow, WorkerRow

KEPT = timedelta(days=1)
"""So long the row of a worker that has ended is of use: it tells of the machine until another worker does."""


class WorkerRepo(Repo):
    def begin(self, name: str, host: str, pid: int, now: datetime) -> None:
        """The rows of its predecessors go, but for those that still tell of the machine until this one does."""
        is_it = (WorkerRow.host == host) & (WorkerRow.pid == pid)
        with self._sessions.begin() as session:
            session.execute(update(WorkerRow).where(is_it, WorkerRow.ended_at.is_(None)).values(ended_at=now))
            session.execute(delete(WorkerRow).where(WorkerRow.heartbeat_at < now - KEPT))
            session.merge(WorkerRow(name=name, host=host, pid=pid, started_at=now, heartbeat_at=now))

    def tell(self, name: str, machine: MachineFacts) -> None:
        with self._sessions.begin() as session:
            told = update(WorkerRow).where(WorkerRow.name == name)
            session.execute(told.values(machine_json=canonical_json(machine.to_dict())))

    def beat(self, name: str, now: datetime, model: str | None, device: str | None, memory_mb: float) -> None:
        """A sign of life, and what is loaded."""
        values = {"heartbeat_at": now, "model": model, "device": device, "memory_mb": memory_mb}
        with self._sessions.begin() as session:
            session.execute(update(WorkerRow).where(WorkerRow.name == name).values(values))

    def end(self, name: str, now: datetime) -> None:
        with self._sessions.begin() as session:
            ended = {"ended_at": now, "model": None, "device": None, "memory_mb": None}
            session.execute(update(WorkerRow).where(WorkerRow.name == name).values(ended))

    @remembered
    def newest(self, *, that_tells: bool = False) -> WorkerState | None:
        """The one that began last. that_tells: of those only that tell of their machine."""
        query = select(WorkerRow).order_by(WorkerRow.ended_at.is_not(None), WorkerRow.started_at.desc()).limit(1)
        if that_tells:
            query = query.where(WorkerRow.machine_json.is_not(None))
        with self._sessions() as session:
            row = session.scalar(query)
            return None if row is None else _state(row)

    def names_of(self, host: str, pid: int) -> list[str]:
        """Of the workers of this process that have not ended; each process has one."""
        with self._sessions() as session:
            found = select(WorkerRow.name).where(
                WorkerRow.host == host, WorkerRow.pid == pid, WorkerRow.ended_at.is_(None)
            )
            return list(session.scalars(found))

    def ask_to_close(self, model: str, device: str, now: datetime) -> int:
        """Of the workers that hold it. Returns how many."""
        holding = update(WorkerRow).where(
            WorkerRow.model == model, WorkerRow.device == device, WorkerRow.ended_at.is_(None)
        )
        with self._sessions.begin() as session:
            return changed(session, holding.values(close_asked_at=now))

    def takes_close(self, name: str) -> bool:
        """Whether it was asked to close its model, which nothing that waits needs. It is asked no longer then."""
        asked = update(WorkerRow).where(WorkerRow.name == name, WorkerRow.close_asked_at.is_not(None))
        waiting = select(GenerationRow.id).where(
            GenerationRow.status == Status.QUEUED, GenerationRow.model == WorkerRow.model
        )
        verifying = (
            select(VerificationRow.id)
            .join(GenerationRow, GenerationRow.id == VerificationRow.generation_id)
            .where(VerificationRow.status == Status.QUEUED, GenerationRow.model == WorkerRow.model)
        )
        with self._sessions() as session:
            # Only to look takes no lock, and mostly nobody has asked.
            if session.scalar(select(WorkerRow.close_asked_at).where(WorkerRow.name == name)) is None:
                return False
        with self._sessions.begin() as session:
            needed = waiting.exists() | verifying.exists()
            closing: dict[str, Any] = {"close_asked_at": None}
            return changed(session, asked.where(~needed).values(closing)) == 1


def _state(row: WorkerRow) -> WorkerState:
    same = ("name", "host", "pid", "started_at", "heartbeat_at", "ended_at", "model", "device", "memory_mb")
    machine = None if row.machine_json is None else MachineFacts.from_dict(json.loads(row.machine_json))
    return WorkerState(**{name: getattr(row, name) for name in same}, machine=machine)
