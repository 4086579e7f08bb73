"""The processes of a dashboard in use: who they are, and how much memory they have."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

SEARCH_EVERY_S = 2.0
"""To ask every process of the machine who it is costs more than all the rest."""


@dataclass
class Memory:
    """The most that was seen. [bytes]"""

    dashboard: psutil.Process
    data: Path
    of_dashboard: int = 0
    of_workers: int = 0
    together: int = 0
    """At one moment, with what they share counted once; where look_together is called."""
    own: int = 0
    """The same without what is read from files, which the system takes back where memory runs short."""
    workers: int = 0
    """How many at one time."""
    browsing: list[tuple[int, int]] = field(default_factory=list)
    """What each look saw: of the dashboard, of the workers."""
    _workers: list[psutil.Process] = field(default_factory=list)
    _look_again_at: float = 0.0

    def look(self) -> None:
        size, sizes = 0, []
        with suppress(psutil.Error):
            size = self.dashboard.memory_info().rss
        if time.monotonic() >= self._look_again_at:
            self._workers, self._look_again_at = list(workers(self.data)), time.monotonic() + SEARCH_EVERY_S
        for worker in self._workers:
            with suppress(psutil.Error):
                sizes.append(worker.memory_info().rss)
        self.of_dashboard, self.of_workers = max(self.of_dashboard, size), max(self.of_workers, sum(sizes))
        self.browsing.append((size, sum(sizes)))
        self.workers = max(self.workers, len(sizes))

    def look_together(self) -> None:
        self.look()
        size = own = 0
        for process in (self.dashboard, *self._workers):
            with suppress(psutil.Error):
                # Only Linux tells who shares what.
                told = process.memory_full_info()
                size += getattr(told, "pss", told.rss)
                own += told.rss - getattr(told, "shared", 0)
        self.together, self.own = max(self.together, size), max(self.own, own)


def workers(data: Path) -> Iterator[psutil.Process]:
    """The processes "core worker" on this folder, whoever has started them."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_worker = ("core", "worker") in pairwise(process.cmdline())
            if is_worker and process.environ().get("INPAINT_STUDIO_DATA") == str(data):
                yield process


@contextmanager
def all_ended(data: Path) -> Iterator[None]:
    """A worker may outlive its dashboard; not this program."""
    try:
        yield
    finally:
        left = list(workers(data))
        for process in left:
            with suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(left, timeout=10)[1]:
            with suppress(psutil.Error):
                process.kill()
