"""Files of models that a worker is to read: asked for by anybody, read by one at a time."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Update, or_, select, update

from core.domain.model_library import Verified
from core.domain.worker import DEAD_AFTER
from db.model_files import put
from db.repo import Repo, changed
from db.tables import ModelFileRow

_verified = TypeAdapter(Verified)

NOT_BEGUN = {"verify_worker": None, "verify_done": 0}


class ModelCheckRepo(Repo):
    """Every path is the one where the file really stands."""

    def ask(self, path: str, now: datetime) -> None:
        """Asked twice, it is read once."""
        with self._sessions.begin() as session:
            row = session.get(ModelFileRow, path)
            if row is None or row.verify_asked_at is None:
                put(session, path, {"verify_asked_at": now, "verified_json": None, **NOT_BEGUN})

    def cancel(self, path: str) -> None:
        """Whoever reads it stops at its next sign of life."""
        with self._sessions.begin() as session:
            session.execute(_of(path).values(verify_asked_at=None, **NOT_BEGUN))

    def is_any_asked(self) -> bool:
        with self._sessions() as session:
            waiting = ModelFileRow.verify_asked_at.is_not(None) & ModelFileRow.verify_worker.is_(None)
            return session.scalar(select(ModelFileRow.path).where(waiting).limit(1)) is not None

    def claim_next(self, worker: str, now: datetime) -> str | None:
        """The path that waits longest, for one worker only; also one whose worker gives no sign of life any more."""
        free = ModelFileRow.verify_asked_at.is_not(None) & _is_free(now)
        with self._sessions() as session:
            # Only to look takes no lock, and mostly there is none.
            path = session.scalar(select(ModelFileRow.path).where(free).order_by(ModelFileRow.verify_asked_at).limit(1))
        if path is None:
            return None
        begun = {"verify_worker": worker, "verify_beat_at": now, "verify_done": 0}
        with self._sessions.begin() as session:
            return path if changed(session, _of(path).where(free).values(begun)) else None

    def beat(self, path: str, worker: str, now: datetime, done: int | None = None) -> bool:
        """A sign of life, and how many bytes are read. Returns whether it is still wanted of this worker."""
        values = {"verify_beat_at": now, **({} if done is None else {"verify_done": done})}
        with self._sessions.begin() as session:
            return changed(session, _claimed(path, worker).values(values)) == 1

    def finish(self, path: str, worker: str, verified: Verified) -> None:
        ended = {"verify_asked_at": None, "verified_json": _verified.dump_json(verified).decode(), **NOT_BEGUN}
        with self._sessions.begin() as session:
            session.execute(_claimed(path, worker).values(ended))

    def give_back(self, worker: str) -> None:
        """What this worker has begun waits again."""
        with self._sessions.begin() as session:
            session.execute(update(ModelFileRow).where(ModelFileRow.verify_worker == worker).values(NOT_BEGUN))


def _is_free(now: datetime) -> ColumnElement[bool]:
    """To misjudge that does no harm: two read the same file, and the first stops when it finds the row another's."""
    lost = ~ModelFileRow.verify_beat_at.between(now - DEAD_AFTER, now + DEAD_AFTER)
    return or_(ModelFileRow.verify_worker.is_(None), lost)


def _of(path: str) -> Update:
    return update(ModelFileRow).where(ModelFileRow.path == path)


def _claimed(path: str, worker: str) -> Update:
    wanted = ModelFileRow.verify_asked_at.is_not(None)
    return _of(path).where(ModelFileRow.verify_worker == worker, wanted)
