"""One background thread that works off the queue in the database."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from core.domain.errors import StudioError
from core.last_resort import told

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Rows can also be left by a process that died."""

GLANCE_EVERY_S = 0.2
"""How soon work from another process, such as the dashboard, is begun."""


class ThreadDispatcher:
    """run_next: works on the oldest queued generation and tells whether there was one.

    There is one thread because there is one pipeline: whatever the pages ask at the same time is painted in the
    order in which it was asked.
    """

    def __init__(
        self,
        run_next: Callable[[], bool],
        is_anything_queued: Callable[[], bool] = lambda: False,
        *,
        first: Callable[[], object] = lambda: None,
    ) -> None:
        """is_anything_queued: whether run_next would find something that was queued since. first: called before all."""
        self._run_next, self._is_anything_queued, self._first = run_next, is_anything_queued, first
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="inpaint-worker", daemon=True)
        self._thread.start()

    def enqueue(self, generation_id: str) -> None:
        self._wake.set()

    def stop(self, wait_s: float = 0) -> bool:
        self._stopping.set()
        self._wake.set()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        self._first()
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                while not self._stopping.is_set() and self._run_next():
                    pass
                self._wait()
            except BaseException as error:  # noqa: BLE001
                # The database may be locked or away for a moment. The queue is in it, so nothing is lost. Whatever it
                # is, a thread that ended would leave everybody waiting.
                with suppress(Exception):
                    log.error("the worker tries again: %s", error if isinstance(error, StudioError) else told(error))
                self._wake.wait(LOOK_EVERY_S)

    def _wait(self) -> None:
        """Until something was queued, or it is time for another look."""
        until = time.monotonic() + LOOK_EVERY_S
        while not self._wake.wait(GLANCE_EVERY_S) and time.monotonic() < until:
            if self._is_anything_queued():
                return


def leave(code: int) -> NoReturn:
    """End the process although a thread still works: torch's do not survive the interpreter's own end, it aborts."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
