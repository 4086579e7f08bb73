"""Replays and their steps in the database. What begins next is decided elsewhere: see core/services/replays.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from core.domain.errors import GenerationNotFound
from core.domain.generation import Generation, Status
from core.domain.replay import Replay, ReplayStep, StepState
from db.families import members
from db.generations import add_rows, requeue
from db.repo import Repo, changed
from db.tables import GenerationRow, ReplayRow, ReplayStepRow

Row, Step = GenerationRow, ReplayStepRow


class ReplayRepo(Repo):
    """begin, resume and end take the steps as they were when that was decided, and do nothing if they are no longer so.

    However many processes decide the same at once, it is done once.
    """

    def add(self, replay_id: str, now: datetime, session_name: str | None, steps: Sequence[tuple[str, str]]) -> None:
        """steps: ids of the originals, first one first, and the devices to paint them on."""
        with self._sessions.begin() as session:
            session.add(ReplayRow(id=replay_id, created_at=now, session=session_name))
            session.flush()
            session.add_all(
                Step(replay_id=replay_id, place=place, original_id=original, device=device)
                for place, (original, device) in enumerate(steps)
            )

    def get(self, replay_id: str) -> Replay:
        """Raises GenerationNotFound."""
        with self._sessions() as session:
            row = session.get(ReplayRow, replay_id)
            if row is None:
                raise GenerationNotFound("There is no such replay in this gallery. It may have been deleted.")
            steps = _steps(session, replay_id)
            known = members(session, {id for step in steps for id in (step.original_id, step.again_id) if id})
        found = (ReplayStep(known.get(step.original_id or ""), known.get(step.again_id or "")) for step in steps)
        return Replay(row.id, row.created_at, row.ended_at, tuple(found))

    def of(self, generation_id: str, limit: int) -> list[str]:
        """Ids of the replays that end with this generation, or that it was made by; newest first."""
        later = aliased(Step)
        is_last = ~select(later.place).where(later.replay_id == Step.replay_id, later.place > Step.place).exists()
        of_it = ((Step.original_id == generation_id) & is_last) | (Step.generation_id == generation_id)
        query = select(ReplayRow.id).join(Step, Step.replay_id == ReplayRow.id).where(of_it).distinct()
        with self._sessions() as session:
            ordered = query.add_columns(ReplayRow.created_at).order_by(ReplayRow.created_at.desc()).limit(limit)
            return [id for id, _ in session.execute(ordered)]

    def unended(self) -> Mapping[str, str | None]:
        """Ids of the replays that go on, each with the browser session that asked for it."""
        with self._sessions() as session:
            found = session.execute(select(ReplayRow.id, ReplayRow.session).where(ReplayRow.ended_at.is_(None)))
            return dict(found.all())

    def steps(self, replay_id: str) -> tuple[StepState, ...]:
        with self._sessions() as session:
            return _steps(session, replay_id)

    def begin(self, replay_id: str, seen: Sequence[StepState], place: int, again: Generation) -> bool:
        """Queue this generation as the step at this place. Raises DatabaseConflict."""
        with self._sessions.begin() as session:
            if not _is_as_seen(session, replay_id, seen):
                return False
            add_rows(session, [again])
            session.flush()
            at_place = update(Step).where(Step.replay_id == replay_id, Step.place == place)
            session.execute(at_place.values(generation_id=again.id))
            return True

    def resume(self, replay_id: str, seen: Sequence[StepState], place: int, id: str) -> bool:
        """Queue this interrupted generation, of the step at this place, again in its own row."""
        with self._sessions.begin() as session:
            if not _is_as_seen(session, replay_id, seen) or not requeue(session, id):
                return False
            at_place = update(Step).where(Step.replay_id == replay_id, Step.place == place)
            session.execute(at_place.values(interruptions=Step.interruptions + 1))
            return True

    def end(self, replay_id: str, seen: Sequence[StepState], now: datetime) -> None:
        with self._sessions.begin() as session:
            if _is_as_seen(session, replay_id, seen):
                session.execute(update(ReplayRow).where(ReplayRow.id == replay_id).values(ended_at=now))

    def stop(self, replay_id: str, now: datetime) -> list[str]:
        """Queue no further step. Returns the ids of those that wait or are being painted."""
        with self._sessions.begin() as session:
            session.execute(update(ReplayRow).where(ReplayRow.id == replay_id).values(ended_at=now))
            steps = _steps(session, replay_id)
        return [step.again_id for step in steps if step.again_id and step.status and step.status.is_active]


def _is_as_seen(session: Session, replay_id: str, seen: Sequence[StepState]) -> bool:
    # A write comes first: from here on no other process advances this replay before the transaction has ended.
    unended = update(ReplayRow).where(ReplayRow.id == replay_id, ReplayRow.ended_at.is_(None))
    return changed(session, unended.values(ended_at=None)) == 1 and _steps(session, replay_id) == tuple(seen)


def _steps(session: Session, replay_id: str) -> tuple[StepState, ...]:
    columns = (Step.original_id, Step.generation_id, Row.status, Row.output, Step.device, Step.interruptions)
    query = select(*columns).outerjoin(Row, Row.id == Step.generation_id).where(Step.replay_id == replay_id)
    return tuple(
        StepState(original, again, Status(status) if status else None, output, device, interruptions)
        for original, again, status, output, device, interruptions in session.execute(query.order_by(Step.place))
    )
