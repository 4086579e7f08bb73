"""Generations in the database: every question and every move, each one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from core.domain.environment import Environment
from core.domain.errors import GenerationNotFound, InvalidMove
from core.domain.gallery import Cursor, GalleryFilter, GallerySlice
from core.domain.generation import MOVES, Generation, Outcome, Phase, Progress, Relation, Status
from core.domain.hashing import canonical_json
from core.domain.model import LoadedModel
from core.domain.params import InpaintParams
from db.tables import EnvironmentRow, GenerationRow, ProgressRow

Row = GenerationRow


class GenerationRepo:
    """Every method is one transaction. Times come from the caller, in UTC."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine)

    # Writing

    def add(self, generations: Sequence[Generation]) -> None:
        """All of them or none."""
        with self._transaction() as session:
            session.add_all([_to_row(generation) for generation in generations])

    def claim(self, id: str, worker: str, now: datetime) -> bool:
        """Queued to running, for one worker only: True for the one that got it."""
        claimed = (
            update(Row)
            .where(Row.id == id, Row.status == Status.QUEUED)
            .values(status=Status.RUNNING, worker=worker, started_at=now, heartbeat_at=now)
        )
        with self._transaction() as session:
            if session.execute(claimed).rowcount != 1:
                return False
            session.execute(delete(ProgressRow).where(ProgressRow.generation_id == id))
            session.add(ProgressRow(generation_id=id, phase=Phase.LOADING, step=0, total=0))
            return True

    def report(self, id: str, worker: str, progress: Progress, now: datetime) -> None:
        with self._transaction() as session:
            values = {"phase": progress.phase, "step": progress.step, "total": progress.total, "eta_s": progress.eta_s}
            if progress.preview is not None:
                values["preview"] = progress.preview
            if session.execute(_claimed(id, worker).values(heartbeat_at=now)).rowcount:
                session.execute(update(ProgressRow).where(ProgressRow.generation_id == id).values(values))

    def beat(self, id: str, worker: str, now: datetime) -> None:
        with self._transaction() as session:
            session.execute(_claimed(id, worker).values(heartbeat_at=now))

    def describe(
        self,
        id: str,
        worker: str,
        model: LoadedModel,
        environment: Environment,
        load_s: float,
        record: Mapping[str, Any],
    ) -> None:
        """Write what is known before the first step, so that a failed or interrupted run is on record too."""
        self._keep(environment)
        with self._transaction() as session:
            known = {
                "environment_id": environment.id,
                "dtype": model.dtype,
                "model_revision": model.revision,
                "load_s": load_s,
                "record_json": canonical_json(dict(record)),
            }
            session.execute(_claimed(id, worker).values(known))

    def finish(self, id: str, worker: str, outcome: Outcome, now: datetime) -> bool:
        """Write how it ended. False if another worker has taken it over meanwhile."""
        may_end = [status for status, moves in MOVES.items() if outcome.status in moves]
        with self._transaction() as session:
            ended = _claimed(id, worker).where(Row.status.in_(may_end))
            if session.execute(ended.values(finished_at=now, **_outcome_values(outcome))).rowcount != 1:
                return False
            session.execute(delete(ProgressRow).where(ProgressRow.generation_id == id))
            return True

    def request_cancel(self, id: str, now: datetime) -> None:
        """Queued and interrupted ones are cancelled at once, a running one at its next step."""
        with self._transaction() as session:
            waiting = update(Row).where(Row.id == id, Row.status.in_([Status.QUEUED, Status.INTERRUPTED]))
            if session.execute(
                waiting.values(status=Status.CANCELLED, cancel_requested_at=now, finished_at=now)
            ).rowcount:
                return
            running = update(Row).where(Row.id == id, Row.status == Status.RUNNING)
            session.execute(running.values(cancel_requested_at=func.coalesce(Row.cancel_requested_at, now)))

    def requeue(self, id: str) -> None:
        """Interrupted to queued again. Raises InvalidMove from any other state."""
        again = update(Row).where(Row.id == id, Row.status == Status.INTERRUPTED)
        with self._transaction() as session:
            values = {"status": Status.QUEUED, "worker": None, "started_at": None, "cancel_requested_at": None}
            if session.execute(again.values(values)).rowcount != 1:
                raise InvalidMove("Only an interrupted generation can be queued again. Use Re-run for the others.")

    def interrupt_stale(self, before: datetime, now: datetime) -> int:
        """Running ones whose worker gave no sign of life since then become interrupted. Returns how many."""
        stale = update(Row).where(Row.status == Status.RUNNING, Row.heartbeat_at < before)
        with self._transaction() as session:
            return session.execute(stale.values(status=Status.INTERRUPTED, finished_at=now)).rowcount

    def set_deleted(self, ids: Sequence[str], deleted_at: datetime | None) -> int:
        """Into the trash, or out of it with None. Queued and running ones stay where they are."""
        idle = [status for status in Status if not status.is_active]
        with self._transaction() as session:
            moved = update(Row).where(Row.id.in_(ids), Row.status.in_(idle)).values(deleted_at=deleted_at)
            return session.execute(moved).rowcount

    # Reading

    def get(self, id: str) -> Generation:
        with Session(self._engine) as session:
            found = session.execute(_rows().where(Row.id == id)).first()
            if found is None:
                raise GenerationNotFound
            return _to_generation(*found)

    def status(self, id: str) -> Status:
        with Session(self._engine) as session:
            status = session.scalar(select(Row.status).where(Row.id == id))
        if status is None:
            raise GenerationNotFound
        return Status(status)

    def is_cancel_requested(self, id: str) -> bool:
        with Session(self._engine) as session:
            return session.scalar(select(Row.cancel_requested_at).where(Row.id == id)) is not None

    def next_queued(self) -> str | None:
        with Session(self._engine) as session:
            oldest = select(Row.id).where(Row.status == Status.QUEUED).order_by(Row.created_at, Row.id).limit(1)
            return session.scalar(oldest)

    def progress(self, id: str) -> Progress:
        with Session(self._engine) as session:
            query = select(Row, ProgressRow).outerjoin(ProgressRow, ProgressRow.generation_id == Row.id)
            found = session.execute(query.where(Row.id == id)).first()
            if found is None:
                raise GenerationNotFound
            row, at = found
            cancel_requested = row.cancel_requested_at is not None
            if row.status == Status.QUEUED:
                return Progress(Status.QUEUED, ahead=_ahead(session, row), cancel_requested=cancel_requested)
            if at is None:
                return Progress(Status(row.status), cancel_requested=cancel_requested)
            return Progress(
                Status(row.status), Phase(at.phase), at.step, at.total, at.eta_s, at.preview,
                cancel_requested=cancel_requested,
            )  # fmt: skip

    def browse(self, filter: GalleryFilter, cursor: Cursor | None, limit: int) -> GallerySlice:
        query = _rows().where(_matches(filter)).order_by(Row.created_at.desc(), Row.id.desc()).limit(limit + 1)
        if cursor is not None:
            older = or_(
                Row.created_at < cursor.created_at, and_(Row.created_at == cursor.created_at, Row.id < cursor.id)
            )
            query = query.where(older)
        with Session(self._engine) as session:
            found = [_to_generation(*row) for row in session.execute(query)]
        last = found[limit - 1] if len(found) > limit else None
        return GallerySlice(tuple(found[:limit]), Cursor(last.created_at, last.id) if last else None)

    def page_before(self, filter: GalleryFilter, cursor: Cursor, limit: int) -> Cursor | None:
        """The cursor of the page that ends where this one's page begins. None if that is the first page."""
        newer = or_(Row.created_at > cursor.created_at, and_(Row.created_at == cursor.created_at, Row.id > cursor.id))
        query = select(Row.created_at, Row.id).where(_matches(filter), newer).order_by(Row.created_at, Row.id)
        with Session(self._engine) as session:
            found = session.execute(query.offset(limit - 1).limit(1)).first()
        return Cursor(*found) if found else None

    def models(self) -> list[str]:
        """Every model that some generation was asked of, by name."""
        with Session(self._engine) as session:
            return list(session.scalars(select(Row.model).distinct().order_by(Row.model)))

    def count(self, filter: GalleryFilter) -> int:
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).select_from(Row).where(_matches(filter))) or 0

    def _keep(self, environment: Environment) -> None:
        with Session(self._engine) as session:
            if session.get(EnvironmentRow, environment.id) is not None:
                return
        # Another worker may just have written the same facts.
        with suppress(IntegrityError), self._transaction() as session:
            session.add(EnvironmentRow(id=environment.id, facts_json=environment.to_json()))

    def _transaction(self):
        return self._sessions.begin()


def _claimed(id: str, worker: str):
    """A change to a row that only the worker that claimed it last may make."""
    return update(Row).where(Row.id == id, Row.worker == worker)


def _rows():
    return select(Row, EnvironmentRow.facts_json).outerjoin(EnvironmentRow, Row.environment_id == EnvironmentRow.id)


def _matches(filter: GalleryFilter):
    clauses = [Row.deleted_at.is_not(None) if filter.in_trash else Row.deleted_at.is_(None)]
    if filter.statuses:
        clauses.append(Row.status.in_(filter.statuses))
    if filter.model is not None:
        clauses.append(Row.model == filter.model)
    if filter.parent_id is not None:
        clauses.append(Row.parent_id == filter.parent_id)
    return and_(*clauses)


def _ahead(session: Session, row: Row) -> int:
    """How many will be painted before this one."""
    earlier = or_(Row.created_at < row.created_at, and_(Row.created_at == row.created_at, Row.id < row.id))
    waiting = and_(Row.status == Status.QUEUED, earlier)
    return session.scalar(select(func.count()).select_from(Row).where(or_(waiting, Row.status == Status.RUNNING))) or 0


def _to_row(generation: Generation) -> Row:
    params = generation.params
    return Row(
        id=generation.id,
        status=generation.status,
        created_at=generation.created_at,
        params_json=params.to_json(),
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        model=params.model,
        scheduler=params.scheduler,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        strength=params.strength,
        seed=params.seed,
        source=generation.source,
        source_name=generation.source_name,
        mask=generation.mask,
        width=generation.width,
        height=generation.height,
        device=generation.device,
        record_json=canonical_json(dict(generation.record)),
        parent_id=generation.parent_id,
        relation=generation.relation,
        session=generation.session,
    )


def _to_generation(row: Row, facts_json: str | None) -> Generation:
    same_names = {
        name: getattr(row, name)
        for name in Generation.__dataclass_fields__
        if name not in ("status", "params", "relation", "environment", "record")
    }
    return Generation(
        **same_names,
        status=Status(row.status),
        params=InpaintParams.from_json(row.params_json),
        relation=Relation(row.relation) if row.relation else None,
        environment=json.loads(facts_json) if facts_json else {},
        record=json.loads(row.record_json),
    )


def _outcome_values(outcome: Outcome) -> dict[str, Any]:
    values = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__ if name != "record"}
    if outcome.record:
        values["record_json"] = canonical_json(dict(outcome.record))
    return values
