"""One background thread that works off the queue in the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from core.domain.errors import StudioError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Rows can also come from another process (the command line, a second server) or be left by one that died."""


class ThreadDispatcher:
    """run_next: works on the oldest queued generation and tells whether there was one.

    There is one thread because there is one pipeline: whatever the pages ask at the same time is painted in the
    order in which it was asked.
    """

    def __init__(self, run_next: Callable[[], bool]) -> None:
        self._run_next = run_next
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="inpaint-worker", daemon=True)
        self._thread.start()

    def enqueue(self, generation_id: str) -> None:
        self._wake.set()

    def stop(self, wait_s: float = 0) -> None:
        """Start nothing more. What is being worked on still ends and is recorded; it is waited for so long."""
        self._stopping = True
        self._wake.set()
        self._thread.join(wait_s)

    def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                while not self._stopping and self._run_next():
                    pass
            except BaseException as error:
                # The database may be locked or away for a moment. The queue is in it, so nothing is lost. Whatever it
                # is, a thread that ended would leave everybody waiting.
                with suppress(Exception):
                    log.error("the worker tries again: %s", error, exc_info=not isinstance(error, StudioError))
            self._wake.wait(LOOK_EVERY_S)
