"""Families of generations in the database, and the replays of their chains."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine, func, literal, select, update
from sqlalchemy.orm import Session, aliased, sessionmaker

from core.domain.errors import DatabaseConflict, DatabaseUnusable, GenerationNotFound, StorageFull, StudioError
from core.domain.generation import Generation, Relation, Status
from core.domain.lineage import Family, Kin, Replay, ReplayStep, family_of
from core.domain.outpaint import Extended
from db.generations import add_rows
from db.mapping import to_generation, whole_rows
from db.tables import GenerationRow, ReplayRow, ReplayStepRow

log = logging.getLogger(__name__)

Row, Step = GenerationRow, ReplayStepRow

MAX_DEPTH = 1_000
"""Steps of one session; also what ends a walk in a ring of parents, which only a damaged database holds."""

MAX_KIN = 400
"""Members of a family that are looked at, those on the way to the first ancestor apart."""

MAX_INTERRUPTIONS = 3
"""So often a step is queued again by itself after its worker died. Then it waits for a word: it may be the culprit."""

_KIN = (
    "id",
    "parent_id",
    "prompt",
    "title",
    "seed",
    "source",
    "source_name",
    "output",
    "pixels_sha256",
    "thumbnail",
    "created_at",
)


Extend = Callable[[str, Generation], str]
"""The key of the picture of this key, extended as the source of this generation was. Raises StudioError."""


class LineageRepo:
    """Every method is one transaction; advance is one for each replay."""

    def __init__(self, engine: Engine, extend: Extend) -> None:
        self._engine = engine
        self._extend = extend
        self._sessions = sessionmaker(engine)

    # Families

    def family(self, id: str) -> Family:
        """Raises GenerationNotFound."""
        with Session(self._engine) as session:
            upwards = _upwards(session, id)
            if not upwards:
                raise GenerationNotFound
            kin = _kin(session, {*upwards, *_children(session, id), *_downwards(session, upwards[-1])})
        if id not in kin:
            # Another process deleted it between the two questions.
            raise GenerationNotFound
        ancestors = [kin[ancestor] for ancestor in upwards[1:] if ancestor in kin]
        return family_of(kin[id], ancestors, tuple(kin.values()))

    # Replays

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
        with Session(self._engine) as session:
            row = session.get(ReplayRow, replay_id)
            if row is None:
                raise GenerationNotFound("There is no such replay in this gallery. It may have been deleted.")
            steps = _steps(session, replay_id)
            kin = _kin(session, {id for step in steps for id in (step.original_id, step.generation_id) if id})
        found = tuple(ReplayStep(kin.get(step.original_id), kin.get(step.generation_id)) for step in steps)
        return Replay(row.id, row.created_at, row.ended_at, found)

    def replays_of(self, generation_id: str, limit: int) -> list[str]:
        """Ids of the replays that end with this generation, or that it was made by; newest first."""
        later = aliased(Step)
        is_last = ~select(later.place).where(later.replay_id == Step.replay_id, later.place > Step.place).exists()
        of_it = ((Step.original_id == generation_id) & is_last) | (Step.generation_id == generation_id)
        query = select(ReplayRow.id).join(Step, Step.replay_id == ReplayRow.id).where(of_it).distinct()
        with Session(self._engine) as session:
            ordered = query.add_columns(ReplayRow.created_at).order_by(ReplayRow.created_at.desc()).limit(limit)
            return [id for id, _ in session.execute(ordered)]

    def advance(self, now: datetime, new_id: Callable[[], str]) -> list[str]:
        """Queue the next step of every replay that waits for one. Returns the ids of what was queued.

        Whoever calls this, and however often: a step is queued once. What was queued when the program died goes on.
        """
        queued: list[str] = []
        with Session(self._engine) as session:
            active = list(session.scalars(select(ReplayRow.id).where(ReplayRow.ended_at.is_(None))))
        for replay_id in active:
            try:
                ready = self._ready(replay_id)
                with self._sessions.begin() as session:
                    queued += _advance(session, replay_id, ready, now, new_id)
            except DatabaseConflict:
                # Another process took the same place in the gallery at the same moment: the next look queues it.
                continue
            except (DatabaseUnusable, StorageFull):
                # That is no fault of the replay, and ends it as little as the program's end does.
                raise
            except StudioError as error:
                log.warning("replay %s ends: %s", replay_id, error)
                self.stop(replay_id, now)
        return queued

    def stop(self, replay_id: str, now: datetime) -> list[str]:
        """Queue no further step. Returns the ids of those that wait or are being painted."""
        with self._sessions.begin() as session:
            session.execute(update(ReplayRow).where(ReplayRow.id == replay_id).values(ended_at=now))
            ids = [step.generation_id for step in _steps(session, replay_id) if step.generation_id]
            return list(session.scalars(select(Row.id).where(Row.id.in_(ids), Row.status.in_(_ACTIVE))))

    def _ready(self, replay_id: str) -> _Ready | None:
        """The step that can begin now. Raises StudioError if its picture cannot be extended.

        Apart from the transaction that begins it: to extend a large picture takes seconds, and nobody could write.
        """
        with Session(self._engine) as session:
            before: Generation | None = None
            for step in _steps(session, replay_id):
                again = _generation(session, step.generation_id)
                if again is None:
                    original = _generation(session, step.original_id)
                    break
                if again.status is not Status.SUCCEEDED:
                    return None
                before = again
            else:
                return None
        if original is None or (step.place > 0 and before is None):
            return None
        source = before.output if before else original.source
        if before and original.extended:
            source = self._extend(source, original)
        return _Ready(step.place, original, before, source)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A step of a replay that can begin. before: the new step before it. source: key of the picture it begins with."""

    place: int
    original: Generation
    before: Generation | None
    source: str


_ACTIVE = [status for status in Status if status.is_active]


# Walking -------------------------------------------------------------------------------------------------------


def _upwards(session: Session, id: str) -> list[str]:
    """The generation and its ancestors, nearest first, each once."""
    start = select(Row.id, Row.parent_id, literal(0).label("depth")).where(Row.id == id).cte("up", recursive=True)
    parent = aliased(Row)
    up = start.union_all(
        select(parent.id, parent.parent_id, start.c.depth + 1)
        .join(start, parent.id == start.c.parent_id)
        .where(start.c.depth < MAX_DEPTH)
    )
    return list(dict.fromkeys(session.scalars(select(up.c.id).order_by(up.c.depth))))


def _downwards(session: Session, id: str) -> list[str]:
    """Descendants, level by level, the oldest levels first, until there are enough."""
    start = select(literal(id).label("id"), literal(0).label("depth")).cte("down", recursive=True)
    child = aliased(Row)
    down = start.union_all(
        select(child.id, start.c.depth + 1).join(start, child.parent_id == start.c.id).where(start.c.depth < MAX_DEPTH)
    )
    # No order: then the walk ends with the limit, in a ring too.
    return list(session.scalars(select(down.c.id).limit(MAX_KIN)))


def _children(session: Session, id: str) -> list[str]:
    newest = select(Row.id).where(Row.parent_id == id).order_by(Row.number.desc()).limit(MAX_KIN)
    return list(session.scalars(newest))


def _kin(session: Session, ids: Iterable[str]) -> Mapping[str, Kin]:
    wanted = sorted(set(ids))
    columns = [getattr(Row, name) for name in _KIN]
    counted = select(Row.parent_id, func.count()).where(Row.parent_id.in_(wanted)).group_by(Row.parent_id)
    children = dict(session.execute(counted).all())
    more = (Row.relation, Row.status, Row.deleted_at, Row.extended_json)
    rows = session.execute(select(*columns, *more).where(Row.id.in_(wanted)))
    return {
        row.id: Kin(
            **{name: getattr(row, name) for name in _KIN},
            relation=Relation(row.relation) if row.relation else None,
            status=Status(row.status),
            in_trash=row.deleted_at is not None,
            children=children.get(row.id, 0),
            extended_from=Extended.from_json(row.extended_json).source if row.extended_json else None,
        )
        for row in rows
    }


# Replaying -----------------------------------------------------------------------------------------------------


def _steps(session: Session, replay_id: str) -> Sequence[ReplayStepRow]:
    return session.scalars(select(Step).where(Step.replay_id == replay_id).order_by(Step.place)).all()


def _advance(
    session: Session, replay_id: str, ready: _Ready | None, now: datetime, new_id: Callable[[], str]
) -> list[str]:
    # A write comes first: from here on no other process advances this replay before the transaction has ended.
    mine = update(ReplayRow).where(ReplayRow.id == replay_id, ReplayRow.ended_at.is_(None))
    if session.execute(mine.values(ended_at=None)).rowcount != 1:
        return []
    before: Generation | None = None
    for step in _steps(session, replay_id):
        again = _generation(session, step.generation_id)
        if again is None:
            if _generation(session, step.original_id) is None or (step.place > 0 and before is None):
                session.execute(mine.values(ended_at=now))
                return []
            # Something may have happened since the look: then the next one finds what is ready.
            is_ready = ready is not None and ready.place == step.place
            return _begin(session, step, ready, now, new_id) if is_ready else []
        if again.status is Status.INTERRUPTED:
            return _resume(session, step, again)
        if again.status is not Status.SUCCEEDED:
            if again.status.is_final:
                session.execute(mine.values(ended_at=now))
            return []
        before = again
    session.execute(mine.values(ended_at=now))
    return []


def _begin(session: Session, step: ReplayStepRow, ready: _Ready, now: datetime, new_id: Callable[[], str]) -> list[str]:
    """The first step runs its original again; each further one continues the new result of the step before."""
    original, before, extended = ready.original, ready.before, ready.original.extended
    again = original.again(new_id(), now, step.device, session.get_one(ReplayRow, step.replay_id).session)
    if before:
        again = replace(
            again,
            source=ready.source,
            parent_id=before.id,
            relation=Relation.CONTINUATION,
            extended=Extended(before.output, extended.by) if extended else None,
        )
    add_rows(session, [again])
    session.flush()
    step.generation_id = again.id
    return [again.id]


def _resume(session: Session, step: ReplayStepRow, again: Generation) -> list[str]:
    if step.interruptions >= MAX_INTERRUPTIONS:
        return []
    step.interruptions += 1
    requeued = update(Row).where(Row.id == again.id, Row.status == Status.INTERRUPTED)
    session.execute(requeued.values(status=Status.QUEUED, worker=None, started_at=None, cancel_requested_at=None))
    return [again.id]


def _generation(session: Session, id: str | None) -> Generation | None:
    row = session.execute(whole_rows().where(Row.id == id)).first() if id else None
    return to_generation(row) if row else None
