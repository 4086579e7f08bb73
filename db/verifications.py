"""Verifications in the database: queued and claimed like generations, kept with their verdicts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from core.domain.errors import DatabaseConflict, GenerationNotFound
from core.domain.generation import Status, Verdict
from core.domain.hashing import canonical_json
from core.domain.reproduction import Batch, Change, Difference, EnvironmentGroup, Reproduction, Stage, Verification
from core.domain.worker import NO_SIGN_OF_LIFE
from db.claims import (
    Signs,
    claim,
    claimed,
    given_back,
    left_by_dead,
    revive,
    seem_lost,
    take_away,
    without_another,
)
from db.repo import BATCH, Repo, changed, in_batches
from db.tables import REPRODUCIBLE, EnvironmentRow, GenerationRow, VerificationRow

ACTIVE = [status for status in Status if status.is_active]
FROM_INDEX = "INDEXED BY ix_generations_reproducible"


class VerificationRepo(Repo):
    def add(self, verifications: Sequence[Verification]) -> None:
        """Raises GenerationNotFound if one of the generations was deleted for good."""
        rows = [
            {"id": v.id, "generation_id": v.generation_id, "status": v.status, "requested_at": v.requested_at}
            for v in verifications
        ]
        try:
            with self._sessions.begin() as session:
                for some in in_batches(rows):
                    session.execute(insert(VerificationRow), some)
        except DatabaseConflict as error:
            # Their ids are new: what is missing is the row that they point to.
            raise GenerationNotFound from error

    def claim(self, id: str, worker: str, now: datetime) -> bool:
        with self._sessions.begin() as session:
            return claim(session, VerificationRow, id, worker, now, step=None, total=None)

    def beat(self, id: str, worker: str, now: datetime) -> None:
        """A sign of life."""
        with self._sessions.begin() as session:
            revive(session, VerificationRow, id, worker, now)

    def report(self, id: str, worker: str, step: int, total: int, now: datetime) -> None:
        with self._sessions.begin() as session:
            session.execute(claimed(VerificationRow, id, worker).values(step=step, total=total, heartbeat_at=now))

    def is_claimed(self, id: str, worker: str) -> bool:
        """False as soon as it was cancelled, or was given to another worker."""
        mine = select(VerificationRow.id).where(
            VerificationRow.id == id, VerificationRow.worker == worker, VerificationRow.status.in_(ACTIVE)
        )
        with self._sessions() as session:
            return session.scalar(mine) is not None

    def seem_lost(self, before: datetime, now: datetime) -> Signs:
        """Those whose worker gave no sign of life since then, or none that the clock lets one believe."""
        return seem_lost(self._sessions, VerificationRow, before, now)

    def requeue_lost(self, signs: Signs, now: datetime) -> int:
        """Those of them whose worker gave no other sign of life since wait again, or end. Returns how many."""
        return self._take_from_dead(without_another(VerificationRow, signs), NO_SIGN_OF_LIFE, now)

    def requeue_dead(self, worker: str, reason: str, now: datetime) -> int:
        """The same for those of a worker that is known to have died, of what the reason says. Returns how many."""
        return self._take_from_dead(VerificationRow.worker == worker, reason, now)

    def _take_from_dead(self, which: ColumnElement[bool], reason: str, now: datetime) -> int:
        return take_away(self._sessions, VerificationRow, which, **left_by_dead(VerificationRow, reason, now))

    def release(self, worker: str) -> None:
        """What this worker has claimed and not ended waits again."""
        take_away(self._sessions, VerificationRow, VerificationRow.worker == worker, **given_back(VerificationRow))

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
            mine = claimed(VerificationRow, verification.id, worker).where(VerificationRow.status.in_(ACTIVE))
            if changed(session, mine.values(values)) and found:
                _show_newest_verdict(session, verification.generation_id)

    def cancel(self, id: str) -> None:
        """One that waits is never done; one that is being done stops at its next step."""
        self._cancel(VerificationRow.id == id, VerificationRow.status.in_(ACTIVE))

    def cancel_all(self) -> int:
        """The same for all of them. Returns how many."""
        return self._cancel(VerificationRow.status.in_(ACTIVE))

    def cancel_queued(self) -> int:
        """Take back what waits. Returns how many."""
        return self._cancel(VerificationRow.status == Status.QUEUED)

    def _cancel(self, *which: ColumnElement[bool]) -> int:
        with self._sessions.begin() as session:
            return changed(session, update(VerificationRow).where(*which).values(status=Status.CANCELLED))

    def next_queued(self) -> str | None:
        with self._sessions() as session:
            oldest = (
                select(VerificationRow.id)
                .where(VerificationRow.status == Status.QUEUED)
                .order_by(VerificationRow.requested_at, VerificationRow.id)
                .limit(1)
            )
            return session.scalar(oldest)

    def get(self, id: str) -> Verification:
        with self._sessions() as session:
            row = session.get(VerificationRow, id)
            if row is None:
                raise GenerationNotFound("There is no such verification in this gallery.")
            return _to_verification(row)

    def of(self, generation_id: str) -> tuple[Verification, ...]:
        """All verifications of a generation, newest first."""
        query = (
            select(VerificationRow)
            .where(VerificationRow.generation_id == generation_id)
            .order_by(VerificationRow.requested_at.desc(), VerificationRow.id.desc())
        )
        with self._sessions() as session:
            return tuple(_to_verification(row) for row in session.scalars(query))

    def environment_groups(self) -> tuple[EnvironmentGroup, ...]:
        """What can be verified, by the environment it was made under; the largest first."""
        by = (GenerationRow.environment_id, GenerationRow.verdict)
        counts: dict[str | None, dict[Verdict | None, int]] = defaultdict(dict)
        with self._sessions() as session:
            for environment_id, verdict, n in session.execute(
                select(*by, func.count())
                .where(REPRODUCIBLE)
                .group_by(*by)
                .with_hint(GenerationRow, FROM_INDEX, "sqlite")
            ):
                counts[environment_id][Verdict(verdict) if verdict else None] = n
            found = select(EnvironmentRow).where(EnvironmentRow.id.in_([id for id in counts if id]))
            facts = {row.id: json.loads(row.facts_json) for row in session.scalars(found)}
        groups = (EnvironmentGroup(id, facts.get(id, {}) if id else {}, verdicts) for id, verdicts in counts.items())
        return tuple(sorted(groups, key=lambda group: -group.count))

    def candidates(self, *, unverified: bool = False, environments: Sequence[str | None] | None = None) -> list[str]:
        """Ids of what can be verified and does not wait for it already, newest first.

        unverified: without a verdict. environments: made under these.
        """
        waiting = (
            select(VerificationRow.id)
            .where(VerificationRow.generation_id == GenerationRow.id, VerificationRow.status.in_(ACTIVE))
            .exists()
        )
        query = select(GenerationRow.id).where(REPRODUCIBLE, ~waiting).with_hint(GenerationRow, FROM_INDEX, "sqlite")
        if unverified:
            query = query.where(GenerationRow.verdict.is_(None))
        if environments is not None:
            known = [id for id in environments if id is not None]
            asked = GenerationRow.environment_id.in_(known)
            query = query.where(asked | GenerationRow.environment_id.is_(None) if None in environments else asked)
        with self._sessions() as session:
            return list(session.scalars(query.order_by(GenerationRow.number.desc())))

    def batch(self) -> Batch:
        """How far the verifications are that were asked for together with those that still wait."""
        with self._sessions() as session:
            asked = select(VerificationRow.requested_at).where(VerificationRow.status.in_(ACTIVE)).distinct()
            moments = list(session.scalars(asked.limit(BATCH)))
            counted = (
                select(VerificationRow.status, func.count())
                .where(VerificationRow.requested_at.in_(moments))
                .group_by(VerificationRow.status)
            )
            counts = {Status(status): n for status, n in session.execute(counted)} if moments else {}
        total = sum(counts.values()) - counts.get(Status.CANCELLED, 0)
        running = counts.get(Status.RUNNING, 0)
        return Batch(total, total - running - counts.get(Status.QUEUED, 0), running)

    def changes(self, limit: int) -> Iterator[tuple[Verdict, tuple[Change, ...]]]:
        """Verdict and changes of the newest verification of each generation, newest first, at most so many."""
        later = aliased(VerificationRow)
        is_newest = ~(
            select(later.id)
            .where(
                later.generation_id == VerificationRow.generation_id,
                later.verdict.is_not(None),
                tuple_(later.requested_at, later.id) > tuple_(VerificationRow.requested_at, VerificationRow.id),
            )
            .exists()
        )
        query = select(VerificationRow.verdict, VerificationRow.details_json).where(
            VerificationRow.verdict.is_not(None), is_newest
        )
        with self._sessions() as session:
            for verdict, text in session.execute(
                query.order_by(VerificationRow.requested_at.desc(), VerificationRow.id).limit(limit)
            ):
                if verdict is not None:
                    yield Verdict(verdict), tuple(Change(**change) for change in json.loads(text)["changes"])

    def failures(self, limit: int) -> list[tuple[str, int]]:
        """Why verifications could not be done, with how many there are of each; most frequent first."""
        number = func.count()
        failed = select(VerificationRow.error, number).where(
            VerificationRow.status == Status.FAILED, VerificationRow.error.is_not(None)
        )
        with self._sessions() as session:
            found = session.execute(
                failed.group_by(VerificationRow.error).order_by(number.desc(), VerificationRow.error).limit(limit)
            )
            return [(error, n) for error, n in found if error is not None]

    def history(self, days: int) -> list[tuple[date, Verdict, int]]:
        """How many verdicts of each kind were found on each day (UTC), newest first, over so many days that had any."""
        day = func.date(VerificationRow.finished_at)
        query = select(day, VerificationRow.verdict, func.count()).where(
            VerificationRow.verdict.is_not(None), VerificationRow.finished_at.is_not(None)
        )
        with self._sessions() as session:
            found = session.execute(
                query.group_by(day, VerificationRow.verdict).order_by(day.desc()).limit(days * len(Verdict))
            )
            return [(date.fromisoformat(str(at)[:10]), Verdict(verdict), n) for at, verdict, n in found if verdict]


def _show_newest_verdict(session: Session, generation_id: str) -> None:
    """On the generation itself, where the gallery's filters look."""
    verdicts = select(VerificationRow.verdict).where(
        VerificationRow.generation_id == generation_id, VerificationRow.verdict.is_not(None)
    )
    newest = (
        verdicts.order_by(VerificationRow.requested_at.desc(), VerificationRow.id.desc()).limit(1).scalar_subquery()
    )
    session.execute(update(GenerationRow).where(GenerationRow.id == generation_id).values(verdict=newest))


def _details(verification: Verification) -> dict[str, Any]:
    found = verification.reproduction
    return {
        "difference": asdict(found.difference) if found else None,
        "changes": [asdict(change) for change in found.changes] if found else [],
        "stage": found.stage if found else None,
        "restored": verification.restored,
        "environment": dict(verification.environment),
    }


def _to_verification(row: VerificationRow) -> Verification:
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
        started_at=row.started_at,
        finished_at=row.finished_at,
        step=row.step or 0,
        total=row.total or 0,
        reproduction=reproduction,
        output=row.output,
        restored=tuple(details.get("restored", ())),
        environment=details.get("environment", {}),
        error=row.error,
    )
