"""The queue as an artist sees it: in which order, how long still, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.domain.generation import Generation
from core.domain.params import InpaintParams
from core.domain.queue import Move, QueueEntry, QueueView, moved
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
    """estimate_s: how long a generation takes on a device, from earlier ones; None if nothing is known."""

    repo: QueueRepo
    generations: GenerationRepo
    dispatcher: Dispatcher
    now: Callable[[], datetime]
    estimate_s: Callable[[InpaintParams, str], float | None]

    def view(self, limit: int = SHOWN) -> QueueView:
        ahead_s: float | None = 0.0
        running = []
        for generation in self.repo.generations(self.repo.running()):
            entry = self._of_running(generation)
            running.append(entry)
            ahead_s = _sum(ahead_s, entry.takes_s)
        ids = [waiting.id for waiting in self.repo.waiting()]
        waiting = []
        for generation in self.repo.generations(ids[:limit]):
            takes_s = self.estimate_s(generation.params, generation.device)
            waiting.append(QueueEntry(generation, None, ahead_s, takes_s))
            ahead_s = _sum(ahead_s, takes_s)
        return QueueView(
            tuple(running), tuple(waiting), len(ids), self.repo.verifications_waiting(), self.repo.is_paused(),
            tuple(self.repo.unfinished(UNFINISHED_SHOWN)),
        )  # fmt: skip

    def move(self, id: str, move: Move) -> None:
        """Nothing happens to one that no longer waits."""
        self.repo.put(moved(self.repo.waiting(), id, move))

    def pause(self) -> None:
        """What is being painted still ends; nothing else begins, also not after a restart."""
        self.repo.pause(self.now())

    def resume(self) -> None:
        self.repo.unpause()
        self.dispatcher.enqueue(WAKE_UP)

    def is_paused(self) -> bool:
        return self.repo.is_paused()

    def cancel_all(self) -> int:
        """Take back all that wait, and stop what is being painted at its next step. Returns how many."""
        running = self.repo.running()
        waiting = self.repo.cancel_waiting(self.now())
        for id in running:
            self.generations.request_cancel(id, self.now())
        return waiting + len(running)

    def _of_running(self, generation: Generation) -> QueueEntry:
        progress = self.generations.progress(generation.id)
        left_s = progress.eta_s
        if left_s is None:
            left_s = self.estimate_s(generation.params, generation.device)
        return QueueEntry(generation, progress, 0.0, left_s)


def _sum(seconds: float | None, more: float | None) -> float | None:
    return None if seconds is None or more is None else seconds + more
