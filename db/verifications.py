"""Verifications in the database: queued and claimed like generations, kept with their verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session, sessionmaker

from core.domain.errors import GenerationNotFound
from core.domain.generation import Status
from core.domain.hashing import canonical_json
from core.domain.reproduction import Change, Difference, Reproduction, Stage, Verdict, Verification
from db.tables import GenerationRow, VerificationRow

Row = VerificationRow


class VerificationRepo:
    """Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine)

    def add(self, verifications: Sequence[Verification]) -> None:
        with self._sessions.begin() as session:
            session.add_all(
                Row(id=v.id, generation_id=v.generation_id, status=v.status, requested_at=v.requested_at)
                for v in verifications
            )

    def claim(self, id: str, worker: str, now: datetime) -> bool:
        claimed = update(Row).where(Row.id == id, Row.status == Status.QUEUED)
        with self._sessions.begin() as session:
            values = {"status": Status.RUNNING, "worker": worker, "heartbeat_at": now}
            return session.execute(claimed.values(values)).rowcount == 1

    def beat(self, id: str, worker: str, now: datetime) -> None:
        with self._sessions.begin() as session:
            session.execute(update(Row).where(Row.id == id, Row.worker == worker).values(heartbeat_at=now))

    def requeue_stale(self, before: datetime) -> None:
        """Those whose worker died are done again: nothing of them was kept."""
        stale = update(Row).where(Row.status == Status.RUNNING, Row.heartbeat_at < before)
        with self._sessions.begin() as session:
            session.execute(stale.values(status=Status.QUEUED, worker=None))

    def finish(self, verification: Verification, worker: str) -> None:
        found = verification.reproduction
        values = {
            "status": verification.status,
            "finished_at": verification.finished_at,
            "verdict": found.verdict if found else None,
            "output": verification.output,
            "details_json": canonical_json(_details(verification)),
            "error": verification.error,
        }
        with self._sessions.begin() as session:
            mine = update(Row).where(Row.id == verification.id, Row.worker == worker, Row.status == Status.RUNNING)
            if session.execute(mine.values(values)).rowcount and found:
                _show_newest_verdict(session, verification.generation_id)

    def cancel_queued(self) -> int:
        """Take back what waits. Returns how many."""
        waiting = update(Row).where(Row.status == Status.QUEUED)
        with self._sessions.begin() as session:
            return session.execute(waiting.values(status=Status.CANCELLED)).rowcount

    def next_queued(self) -> str | None:
        with Session(self._engine) as session:
            oldest = select(Row.id).where(Row.status == Status.QUEUED).order_by(Row.requested_at, Row.id).limit(1)
            return session.scalar(oldest)

    def get(self, id: str) -> Verification:
        with Session(self._engine) as session:
            row = session.get(Row, id)
            if row is None:
                raise GenerationNotFound("There is no such verification in this gallery.")
            return _to_verification(row)

    def of(self, generation_id: str) -> tuple[Verification, ...]:
        """All verifications of a generation, newest first."""
        query = select(Row).where(Row.generation_id == generation_id).order_by(Row.requested_at.desc(), Row.id.desc())
        with Session(self._engine) as session:
            return tuple(_to_verification(row) for row in session.scalars(query))

    def latest(self, generation_ids: Sequence[str]) -> Mapping[str, Verdict]:
        """The newest verdict of each generation that has one."""
        done = select(Row.generation_id, Row.verdict).where(
            Row.generation_id.in_(generation_ids), Row.verdict.is_not(None)
        )
        with Session(self._engine) as session:
            found = session.execute(done.order_by(Row.requested_at, Row.id))
            return {generation_id: Verdict(verdict) for generation_id, verdict in found}


def _show_newest_verdict(session: Session, generation_id: str) -> None:
    """On the generation itself, where the gallery's filters look."""
    verdicts = select(Row.verdict).where(Row.generation_id == generation_id, Row.verdict.is_not(None))
    newest = verdicts.order_by(Row.requested_at.desc(), Row.id.desc()).limit(1).scalar_subquery()
    session.execute(update(GenerationRow).where(GenerationRow.id == generation_id).values(verdict=newest))


def _details(verification: Verification) -> dict:
    found = verification.reproduction
    return {
        "difference": asdict(found.difference) if found else None,
        "changes": [asdict(change) for change in found.changes] if found else [],
        "stage": found.stage if found else None,
        "restored": verification.restored,
        "environment": dict(verification.environment),
    }


def _to_verification(row: Row) -> Verification:
    details = json.loads(row.details_json)
    reproduction = None
    if row.verdict:
        reproduction = Reproduction(
            Verdict(row.verdict),
            Difference(**details["difference"]),
            tuple(Change(**change) for change in details["changes"]),
            Stage(details["stage"]) if details["stage"] else None,
        )
    return Verification(
        id=row.id,
        generation_id=row.generation_id,
        status=Status(row.status),
        requested_at=row.requested_at,
        finished_at=row.finished_at,
        reproduction=reproduction,
        output=row.output,
        restored=tuple(details.get("restored", ())),
        environment=details.get("environment", {}),
        error=row.error,
    )
