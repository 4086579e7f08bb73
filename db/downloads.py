"""Downloads in the database: asked for by anybody, worked on by one at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, func, or_, select, update

from core.domain.download import ENDS, Download, DownloadStatus, Wish
from core.domain.worker import DEAD_AFTER
from db.repo import Repo, changed
from db.tables import DownloadRow

RUNNING, QUEUED, PAUSED = DownloadStatus.RUNNING, DownloadStatus.QUEUED, DownloadStatus.PAUSED
AGAIN = {"status": QUEUED.value, "wish": None, "worker": None, "finished_at": None, "error": None, "link": None}


class DownloadRepo(Repo):
    def ask(self, model: str, now: datetime) -> None:
        """Queue it, or go on with what was broken off."""
        with self._sessions.begin() as session:
            if session.get(DownloadRow, model) is None:
                session.add(DownloadRow(model=model, status=QUEUED.value, asked_at=now))
                return
        self.resume(model, now)

    def get(self, model: str) -> Download | None:
        with self._sessions() as session:
            row = session.get(DownloadRow, model)
            return None if row is None else _download(row)

    def unfinished(self) -> list[Download]:
        """In the order in which they were asked for: also those that are paused, or have failed."""
        ended = (DownloadStatus.SUCCEEDED.value, DownloadStatus.CANCELLED.value)
        query = select(DownloadRow).where(DownloadRow.status.not_in(ended)).order_by(DownloadRow.asked_at)
        with self._sessions() as session:
            return [_download(row) for row in session.scalars(query)]

    def is_anything_queued(self) -> bool:
        with self._sessions() as session:
            return bool(session.scalar(select(func.count()).where(DownloadRow.status == QUEUED)))

    def resume(self, model: str, now: datetime) -> None:
        """What was broken off goes on. Of a running one, what was asked of it is taken back."""
        its = update(DownloadRow).where(DownloadRow.model == model)
        with self._sessions.begin() as session:
            stopped = its.where(DownloadRow.status.not_in([RUNNING.value, QUEUED.value]))
            session.execute(stopped.values(asked_at=now, **AGAIN))
            session.execute(its.where(DownloadRow.status == RUNNING).values(wish=None))

    def wish(self, model: str, wish: Wish, now: datetime) -> bool:
        """At once where it is not running. Returns whether that is so."""
        its = update(DownloadRow).where(DownloadRow.model == model)
        idle = [QUEUED.value, *([PAUSED.value, DownloadStatus.FAILED.value] if wish is Wish.CANCEL else [])]
        with self._sessions.begin() as session:
            ended = {"status": ENDS[wish].value, "finished_at": now, "error": None, "link": None}
            if changed(session, its.where(DownloadRow.status.in_(idle)).values(ended)):
                return True
            session.execute(its.where(DownloadRow.status == RUNNING).values(wish=wish.value))
            return False

    def claim_next(self, worker: str, now: datetime) -> Download | None:
        """The one that waits longest, for one worker only; also one whose worker gives no sign of life any more."""
        with self._sessions() as session:
            # Only to look takes no lock, and mostly there is none.
            model = session.scalar(
                select(DownloadRow.model).where(_is_free(now)).order_by(DownloadRow.asked_at).limit(1)
            )
        return None if model is None else self.claim(model, worker, now)

    def claim(self, model: str, worker: str, now: datetime) -> Download | None:
        """None if another one was quicker."""
        begun = {"status": RUNNING.value, "worker": worker, "started_at": now, "heartbeat_at": now}
        with self._sessions.begin() as session:
            free = update(DownloadRow).where(DownloadRow.model == model, _is_free(now))
            if not changed(session, free.values(begun)):
                return None
            row = session.get_one(DownloadRow, model, populate_existing=True)
            return _download(row)

    def beat(self, model: str, worker: str, now: datetime, done: int | None = None, total: int | None = None) -> bool:
        """A sign of life, and how far it is. Returns whether it is still this worker's."""
        values: dict[str, Any] = {"heartbeat_at": now}
        if done is not None:
            values |= {"done_bytes": done, "total_bytes": total}
        with self._sessions.begin() as session:
            return changed(session, _of(model, worker).values(values)) == 1

    def finish(self, model: str, worker: str, status: DownloadStatus, now: datetime, **values: Any) -> bool:
        values |= {"status": status.value, "finished_at": now, "wish": None}
        with self._sessions.begin() as session:
            return changed(session, _of(model, worker).values(values)) == 1

    def give_back(self, worker: str) -> None:
        """What this worker has begun waits again."""
        begun = update(DownloadRow).where(DownloadRow.worker == worker, DownloadRow.status == RUNNING)
        with self._sessions.begin() as session:
            session.execute(begun.values(status=QUEUED.value, worker=None))


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Queued, or left by a worker without a sign of life. To misjudge that does no harm: two workers on one model wait
    for each other in the hub's cache, and the first one stops as soon as it finds that the row is another's.
    """
    lost = ~DownloadRow.heartbeat_at.between(now - DEAD_AFTER, now + DEAD_AFTER)
    return or_(DownloadRow.status == QUEUED, (DownloadRow.status == RUNNING) & lost)


def _of(model: str, worker: str) -> Update:
    return update(DownloadRow).where(
        DownloadRow.model == model, DownloadRow.worker == worker, DownloadRow.status == RUNNING
    )


def _download(row: DownloadRow) -> Download:
    return Download(
        row.model,
        DownloadStatus(row.status),
        row.asked_at,
        row.done_bytes,
        row.total_bytes,
        row.error,
        row.link,
        Wish(row.wish) if row.wish else None,
    )
