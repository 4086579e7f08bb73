"""A worker in a process of its own: started where none is running, watched, and started again when it dies."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.dispatch.lock import is_held
from core.domain.worker import REPLACE

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
WORKER = (sys.executable, "-m", "core", "worker", "--embedded")

LOOK_EVERY_S = 1.0
"""How soon it is noticed that a worker of another program has ended."""

OLD_S = 10.0
"""A worker that lived for so long did not die of what it meets at its start, such as a database that is away."""

LONGEST_PAUSE_S = 60.0

ENDS_WITHIN_S = 8.0
"""A worker gives its step five seconds when it is to end; Docker gives the whole container ten."""

NICENESS = 10
"""A tenth of the dashboard's share where both want the same processor, which pages seldom do for long."""

# Ctrl+C in a terminal goes to a whole group of processes. The worker is ended by the program that has started it.
_APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if os.name == "nt"
    else {"start_new_session": True}
)


class Supervisor:
    """Sees to it that a worker is running in a data folder; several of them, in as many programs, share one.

    Its own worker has a pipe as its standard input, and ends in good order when that is closed: by stop, or by the
    system when this program is gone, however it ended.
    """

    def __init__(
        self,
        data: Path,
        on_death: Callable[[int, int], object],
        *,
        command: Sequence[str] = WORKER,
        old_s: float = OLD_S,
    ) -> None:
        """on_death: is told the pid and the exit code of each of its workers that has died, before the next one is
        started; a negative code is the signal that has ended it. old_s: after what dies earlier there are pauses.
        """
        self._data, self._on_death, self._command, self._old_s = data, on_death, command, old_s
        self._child: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="supervisor", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the worker that it has started, while that one lives."""
        child = self._child
        return None if child is None or child.returncode is not None else child.pid

    def stop(self, wait_s: float = ENDS_WITHIN_S) -> None:
        """Start none any more, and end its own one: a worker that has not ended after so many seconds is killed."""
        self._stopping.set()
        with self._starting:
            child = self._child
        if child is not None:
            _close(child)
        self._thread.join(wait_s)
        if child is not None and child.poll() is None:
            log.warning("the worker %d did not end within %.0f s, and is killed", child.pid, wait_s)
            child.kill()
            child.wait()

    def _work(self) -> None:
        pause_s, early_deaths = 0.0, 0
        while not self._stopping.wait(pause_s):
            if is_held(self._data):
                pause_s, early_deaths = LOOK_EVERY_S, 0
                continue
            started = time.monotonic()
            code = self._run()
            is_early = code != REPLACE and time.monotonic() - started < self._old_s
            early_deaths = early_deaths + 1 if is_early else 0
            pause_s = pause_after(early_deaths)

    def _run(self) -> int | None:
        """One worker, to its end. Its exit code; None if the system cannot start any."""
        with self._starting:
            if self._stopping.is_set():
                return None
            try:
                self._child = child = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, env=_environment(), **_APART
                )
            except OSError as error:
                log.error("no worker can be started: %s", error)
                return None
            _let_pages_come_first(child.pid)
        code = child.wait()
        _close(child)
        if not self._stopping.is_set() and code != 0:
            log.warning("the worker %d has ended with code %d; another one is started", child.pid, code)
            try:
                self._on_death(child.pid, code)
            except Exception as error:  # noqa: BLE001 - what it held is missed later: it gives no sign of life
                log.warning("%s: %s", type(error).__name__, error)
        return code


def _let_pages_come_first(worker: int) -> None:
    """On processors that both want, whoever waits for a page is served before the picture that takes seconds anyway.

    Linux shares them out between sessions first, where nobody told it otherwise, and a worker has its own: there
    the niceness of a process means something to its own session only (man 7 sched, "The autogroup feature").
    """
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, worker, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
    with suppress(OSError):
        Path(f"/proc/{worker}/autogroup").write_text(str(NICENESS))


def pause_after(early_deaths: int) -> float:
    """[s] after so many in a row: the first one may be an accident."""
    return 0.0 if early_deaths < 2 else min(2.0 ** (early_deaths - 2), LONGEST_PAUSE_S)


def _environment() -> dict[str, str]:
    """Ours, in which Python finds this program wherever it was started from."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _close(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()
