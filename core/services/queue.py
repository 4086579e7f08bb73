"""The queue as an artist sees it: in which order, how long still, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.domain.generation import Generation
from core.domain.params import InpaintParams
from core.domain.queue import Move, QueueEntry, QueueView, moved, placed
from core.ports import Dispatcher
from db.generations import GenerationRepo
from db.queue import QueueRepo

SHOWN = 50
"""Waiting generations that are listed one by one."""

UNFINISHED_SHOWN = 20

WAKE_UP = ""
"""No id: the worker only looks at the queue again."""


@dataclass(frozen=True, slots=True)
class Queue:
    """estimates_s: how long each takes on its device, from earlier ones; None where nothing is known."""

    repo: QueueRepo
    generations: GenerationRepo
    dispatcher: Dispatcher
    now: Callable[[], datetime]
    estimates_s: Callable[[Sequence[tuple[InpaintParams, str]]], Sequence[float | None]]

    def view(self, limit: int = SHOWN) -> QueueView:
        ids = [waiting.id for waiting in self.repo.waiting()]
        being_painted = self.repo.running()
        # One of them may have waited a moment ago, when the others were listed.
        in_line_ids = [id for id in ids[:limit] if id not in being_painted]
        found = self.generations.known((*being_painted, *in_line_ids))
        takes = self.estimates_s([(generation.params, generation.device) for generation in found])
        count = sum(generation.id in being_painted for generation in found)
        running, waiting = found[:count], found[count:]
        at_work = [self._of_running(*pair) for pair in zip(running, takes, strict=False)]
        ahead_s: float | None = 0.0
        for entry in at_work:
            ahead_s = _sum(ahead_s, entry.takes_s)
        in_line = []
        for generation, takes_s in zip(waiting, takes[len(running) :], strict=True):
            in_line.append(QueueEntry(generation, None, ahead_s, takes_s))
            ahead_s = _sum(ahead_s, takes_s)
        return QueueView(
            tuple(at_work),
            tuple(in_line),
            len(ids),
            self.repo.is_paused(),
        )

    def verifying(self) -> int:
        """How many verifications wait; they come after all generations."""
        return self.repo.verifications_waiting()

    def unfinished(self) -> Sequence[Generation]:
        """The newest that were interrupted and wait for a word."""
        return self.repo.unfinished(UNFINISHED_SHOWN)

    def move(self, id: str, move: Move) -> None:
        """Nothing happens to one that no longer waits."""
        self.repo.put(moved(self.repo.waiting(), id, move))

    def place(self, id: str, after: str | None) -> None:
        """Below this one, as far as the sessions' turns let it; None: before all others of its session."""
        self.repo.put(placed(self.repo.waiting(), id, after))

    def pause(self) -> None:
        """What is being painted still ends; nothing else begins, also not after a restart."""
        self.repo.pause(self.now())

    def resume(self) -> None:
        self.repo.unpause()
        self.dispatcher.enqueue(WAKE_UP)

    def is_paused(self) -> bool:
        return self.repo.is_paused()

    def count_of(self, session: str) -> int:
        """How many of this session wait or are being painted."""
        waiting = sum(one.session == session for one in self.repo.waiting())
        return waiting + sum(one.session == session for one in self.generations.known(tuple(self.repo.running())))

    def cancel_all(self, session: str | None = None) -> int:
        """Take back all that wait, and stop what is being painted at its next step. Returns how many.

        session: only what this one has asked for.
        """
        painted = self.generations.known(tuple(self.repo.running()))
        running = [one.id for one in painted if session is None or one.session == session]
        waiting = self.repo.cancel_waiting(self.now(), session)
        for id in running:
            self.generations.request_cancel(id, self.now())
        return waiting + len(running)

    def _of_running(self, generation: Generation, takes_s: float | None) -> QueueEntry:
        progress = self.generations.progress(generation.id)
        return QueueEntry(generation, progress, 0.0, takes_s if progress.eta_s is None else progress.eta_s)


def _sum(seconds: float | None, more: float | None) -> float | None:
    return None if seconds is None or more is None else seconds + more
