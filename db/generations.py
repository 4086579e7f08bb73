"""Generations in the database: every question and every move, each one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, case, delete, func, literal, select, update
from sqlalchemy.orm import Session

from core.domain.environment import Environment
from core.domain.errors import DatabaseConflict, GenerationNotFound, InvalidMove, WorkerDied
from core.domain.generation import MOVES, Generation, Outcome, Phase, Progress, Status
from core.domain.hashing import canonical_json
from core.domain.model import LoadedModel
from core.domain.record import Record
from core.domain.sheet import StoredSheet
from core.domain.worker import NO_SIGN_OF_LIFE
from db import guides
from db.claims import (
    Signs,
    begun_too_often,
    claim,
    claimed,
    given_back,
    left_by_dead,
    revive,
    seem_lost,
    take_away,
    without_another,
)
from db.connection import writing
from db.mapping import first_free, number_at, to_generation, to_row, whole_rows, working_px
from db.queue import Places, cancelled_at
from db.recent import remembered
from db.repo import Repo, changed
from db.sheets import add_sheet
from db.tables import EnvironmentRow, GenerationRow, ProgressRow, UtcDateTime
from db.tags import add_tags

Row = GenerationRow


class GenerationRepo(Repo):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._places = Places()

    def add(self, generations: Sequence[Generation], sheets: Sequence[StoredSheet] = ()) -> None:
        """All of them or none, with everything they hold but tags and environment. Raises DatabaseConflict."""
        # Another process may take one of the numbers between the look and the write.
        for _ in range(2):
            with suppress(DatabaseConflict):
                return self._add(generations, sheets)
        return self._add(generations, sheets)

    def _add(self, generations: Sequence[Generation], sheets: Sequence[StoredSheet]) -> None:
        with writing(self._sessions) as session:
            add_rows(session, generations)
            for sheet in sheets:
                add_sheet(session, sheet)

    def add_made(self, made: Sequence[tuple[Generation, Environment]], sheets: Sequence[StoredSheet] = ()) -> None:
        """Generations that were made elsewhere, with their environments, tags and sheets. All of them or none.

        Raises DatabaseConflict if another process adds one of the same id at this moment.
        """
        with writing(self._sessions) as session:
            numbers = add_rows(session, [generation for generation, _ in made])
            tagged: dict[tuple[str, ...], list[int]] = defaultdict(list)
            made_under: dict[str, list[int]] = defaultdict(list)
            for number, (generation, environment) in zip(numbers, made, strict=True):
                tagged[generation.tags].append(number)
                made_under[environment.id].append(number)
            for environment in {environment.id: environment for _, environment in made}.values():
                if session.get(EnvironmentRow, environment.id) is None:
                    session.add(EnvironmentRow(id=environment.id, facts_json=environment.to_json()))
                    session.flush()
            for id, some in made_under.items():
                session.execute(update(Row).where(Row.number.in_(some)).values(environment_id=id))
            for tags, some in tagged.items():
                if tags:
                    add_tags(session, some, tags)
            for sheet in sheets:
                add_sheet(session, sheet)

    def claim(self, id: str, worker: str, now: datetime) -> bool:
        """Queued to running, for one worker only: True for the one that got it."""
        with writing(self._sessions) as session:
            if not claim(session, Row, id, worker, now):
                return False
            session.execute(delete(ProgressRow).where(ProgressRow.generation_id == id))
            session.add(ProgressRow(generation_id=id, phase=Phase.LOADING, step=0, total=0))
            return True

    def report(self, id: str, worker: str, progress: Progress, now: datetime) -> None:
        with writing(self._sessions) as session:
            values = {"phase": progress.phase, "step": progress.step, "total": progress.total, "eta_s": progress.eta_s}
            if progress.preview is not None:
                values["preview"] = progress.preview
            if changed(session, claimed(Row, id, worker).values(heartbeat_at=now)):
                session.execute(update(ProgressRow).where(ProgressRow.generation_id == id).values(values))

    def beat(self, id: str, worker: str, now: datetime) -> None:
        """A sign of life."""
        with writing(self._sessions) as session:
            revive(session, Row, id, worker, now, error_code=None)

    def record_start(
        self,
        id: str,
        worker: str,
        model: LoadedModel,
        environment: Environment,
        load_s: float,
        record: Record,
    ) -> None:
        """Write what is known before the first step, so that a failed or interrupted run is on record too."""
        self._keep(environment)
        with writing(self._sessions) as session:
            known = {
                "environment_id": environment.id,
                "dtype": model.dtype,
                "model_revision": model.revision,
                "load_s": load_s,
                "record_json": canonical_json(dict(record.raw)),
                "working_px": working_px(record),
            }
            session.execute(claimed(Row, id, worker).values(known))

    def place(self, id: str, worker: str, device: str) -> None:
        """The key of the device that this worker paints it on."""
        with writing(self._sessions) as session:
            session.execute(claimed(Row, id, worker).values(device=device))

    def finish(self, id: str, worker: str, outcome: Outcome, now: datetime) -> bool:
        """Write how it ended. False if another worker has taken it over meanwhile."""
        may_end = [status for status, moves in MOVES.items() if outcome.status in moves]
        with writing(self._sessions) as session:
            ended = claimed(Row, id, worker).where(Row.status.in_(may_end))
            if changed(session, ended.values(finished_at=now, **_outcome_values(outcome))) != 1:
                return False
            session.execute(delete(ProgressRow).where(ProgressRow.generation_id == id))
            return True

    def request_cancel(self, id: str, now: datetime) -> None:
        """Queued and interrupted ones are cancelled at once, a running one at its next step."""
        with writing(self._sessions) as session:
            waiting = update(Row).where(Row.id == id, Row.status.in_([Status.QUEUED, Status.INTERRUPTED]))
            if changed(session, waiting.values(cancelled_at(now))):
                session.execute(delete(ProgressRow).where(ProgressRow.generation_id == id))
                return
            running = update(Row).where(Row.id == id, Row.status == Status.RUNNING)
            session.execute(running.values(cancel_requested_at=func.coalesce(Row.cancel_requested_at, now)))

    def requeue(self, id: str) -> None:
        """Interrupted to queued again. Raises InvalidMove from any other state."""
        with writing(self._sessions) as session:
            if not requeue(session, id):
                raise InvalidMove("Only an interrupted generation can be queued again. Use Re-run for the others.")

    def seem_lost(self, before: datetime, now: datetime) -> Signs:
        """Running ones whose worker gave no sign of life since then, or none that the clock lets one believe."""
        return seem_lost(self._sessions, Row, before, now)

    def requeue_lost(self, signs: Signs, now: datetime) -> int:
        """Those of them whose worker gave no other sign of life since wait again, or end. Returns how many."""
        return self._take_from_dead(without_another(Row, signs), NO_SIGN_OF_LIFE, WorkerDied().code, now)

    def requeue_dead(self, worker: str, reason: str, now: datetime, *, code: str = WorkerDied().code) -> int:
        """The same for those of a worker that is known to have died. Returns how many.

        reason: the sentence that says of what. code: the error_code that goes with it while they wait and run again.
        """
        return self._take_from_dead(Row.worker == worker, reason, code, now)

    def _take_from_dead(self, which: ColumnElement[bool], reason: str, code: str, now: datetime) -> int:
        values = left_by_dead(Row, reason, now)
        values["error_code"] = case((begun_too_often(Row), WorkerDied().code), else_=code)
        return self._take_back(which, now, values)

    def release(self, worker: str, now: datetime) -> None:
        """What this worker has claimed and not ended waits again, and nothing that it still writes counts."""
        self._take_back(Row.worker == worker, now, given_back(Row))

    def _take_back(self, which: ColumnElement[bool], now: datetime, values: dict[str, Any]) -> int:
        """What was to be cancelled is. In one statement, which sees each row as it was before."""
        is_unwanted = Row.cancel_requested_at.is_not(None)
        cancelled: dict[str, Any] = {"error_code": None, "error": None}
        cancelled |= {"status": Status.CANCELLED.value, "finished_at": literal(now, UtcDateTime())}
        either = {
            name: case((is_unwanted, value), else_=values.get(name, getattr(Row, name)))
            for name, value in cancelled.items()
        }
        return take_away(self._sessions, Row, which, **values | either)

    @remembered
    def get(self, id: str) -> Generation:
        with self._sessions() as session:
            found = session.execute(whole_rows().where(Row.id == id)).first()
            if found is None:
                raise GenerationNotFound
            return to_generation(found)

    @remembered
    def known(self, ids: tuple[str, ...]) -> Sequence[Generation]:
        """In this order; those that are gone are left out."""
        if not ids:
            return ()
        with self._sessions() as session:
            found = {row.id: to_generation(row) for row in session.execute(whole_rows().where(Row.id.in_(ids)))}
        return tuple(found[id] for id in ids if id in found)

    def status(self, id: str) -> Status:
        with self._sessions() as session:
            status = session.scalar(select(Row.status).where(Row.id == id))
        if status is None:
            raise GenerationNotFound
        return Status(status)

    def is_any_queued(self) -> bool:
        with self._sessions() as session:
            return session.scalar(select(Row.id).where(Row.status == Status.QUEUED).limit(1)) is not None

    def is_wanted(self, id: str, worker: str) -> bool:
        """False as soon as it is to be cancelled, or was given to another worker."""
        mine = select(Row.id).where(Row.id == id, Row.worker == worker, Row.cancel_requested_at.is_(None))
        with self._sessions() as session:
            return session.scalar(mine) is not None

    def progress(self, id: str) -> Progress:
        with self._sessions() as session:
            query = select(Row, ProgressRow).outerjoin(ProgressRow, ProgressRow.generation_id == Row.id)
            found = session.execute(query.where(Row.id == id)).first()
            if found is None:
                raise GenerationNotFound
            row, at = found
            return _progress(row, at, self._ahead(session, row) if row.status == Status.QUEUED else 0)

    def _ahead(self, session: Session, row: Row) -> int:
        """How many will be painted before this one."""
        running = session.scalar(select(func.count()).select_from(Row).where(Row.status == Status.RUNNING)) or 0
        return running + self._places.of(session, row.id)

    def _keep(self, environment: Environment) -> None:
        with self._sessions() as session:
            if session.get(EnvironmentRow, environment.id) is not None:
                return
        # Another worker may just have written the same facts.
        with suppress(DatabaseConflict), writing(self._sessions) as session:
            session.add(EnvironmentRow(id=environment.id, facts_json=environment.to_json()))


def requeue(session: Session, id: str) -> bool:
    """In this transaction. False unless it was interrupted."""
    interrupted = update(Row).where(Row.id == id, Row.status == Status.INTERRUPTED)
    again = {"status": Status.QUEUED, "worker": None, "started_at": None, "cancel_requested_at": None, "attempts": 0}
    return changed(session, interrupted.values(again)) == 1


def add_rows(session: Session, generations: Sequence[Generation]) -> list[int]:
    """Returns their numbers. A parent that was deleted for good meanwhile is left out; the relation still tells."""
    numbers: list[int] = []

    def is_taken(number: int) -> bool:
        return number in numbers or session.scalar(select(Row.number).where(Row.number == number)) is not None

    parents = {g.parent_id for g in generations} - {None}
    known = {id for id in parents if session.scalar(select(Row.id).where(Row.id == id))} | {g.id for g in generations}
    with session.no_autoflush:
        for generation in generations:
            if generation.parent_id not in known:
                generation = replace(generation, parent_id=None)
            number = first_free(number_at(generation.created_at), is_taken)
            numbers.append(number)
            session.add(to_row(generation, number))
    session.flush()
    guides.add(session, numbers, generations)
    return numbers


def _progress(row: GenerationRow, at: ProgressRow | None, ahead: int) -> Progress:
    progress = Progress(
        Status(row.status), ahead=ahead, cancel_requested=row.cancel_requested_at is not None, error=row.error
    )
    # Of what waits again, or ended without its worker, the row of the last attempt may still be there.
    if at is None or progress.status not in (Status.RUNNING, Status.INTERRUPTED):
        return progress
    return replace(progress, phase=Phase(at.phase), step=at.step, total=at.total, eta_s=at.eta_s, preview=at.preview)


def _outcome_values(outcome: Outcome) -> dict[str, Any]:
    values = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__ if name != "record"}
    if outcome.record.raw:
        values["record_json"] = canonical_json(dict(outcome.record.raw))
    return values
