"""python -m core worker: paint what waits in the queue, in a process of its own."""

from __future__ import annotations

import faulthandler
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from core import bootstrap
from core.bootstrap import Studio
from core.cli.common import JSON, make_studio, summary, tell
from core.cli.exits import exit_codes, handled_by, say
from core.cli.running import IN_HASTE_S, LOOK_EVERY_S, TAKE_BACK_S, in_thread
from core.dispatch.threads import REPLACE, ThreadDispatcher, leave
from core.domain.errors import InvalidInput, StudioError
from core.domain.generation import Generation
from core.files import why
from core.services.watchdog import Watchdog

app = typer.Typer()

LOCK = "worker.lock"
"""The file in the data folder that a worker holds. The system lets go of it however the process ends."""

LOCKED_S = 300.0
"""So long a library may keep the interpreter for itself: to read its 3 GB from a disk of 10 MB/s, for example."""


@app.command()
def worker(
    context: typer.Context,
    wait_: Annotated[
        bool, typer.Option("--wait", help="If another worker is running, start as soon as it has ended.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Paint what waits in the queue, until Ctrl+C or SIGTERM. One worker for each data folder.

    What is being painted then goes back into the queue after its current step. A second signal does not wait for it.
    """
    with exit_codes():
        studio = make_studio(context)
        with _only_one(studio.settings.data, wait_):
            _Shift(studio, as_json).work()


@contextmanager
def _only_one(data: Path, waits: bool) -> Iterator[None]:
    """Raises InvalidInput if another process works in this folder, StudioError if that cannot be found out."""
    from filelock import FileLock, Timeout

    # A file that only stands for a lock would outlive a worker that is killed.
    lock = FileLock(data / LOCK, fallback_to_soft=False)
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=-1 if waits else 0, poll_interval=LOOK_EVERY_S)
    except Timeout:
        raise InvalidInput(
            f"Another worker is already running in the data folder {data}. Stop it first, or start this one with "
            "--wait to take over when it ends."
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = why(error) if isinstance(error, OSError) else "this file system knows no locks"
        raise StudioError(f"{data / LOCK} cannot be locked: {reason}. Check the data folder and try again.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _while_alive(seconds: float) -> Iterator[Callable[[], None]]:
    """Inside, the process ends itself as soon as what this yields was not called for so long.

    That is so when a library hangs that keeps the interpreter for itself: then not even the watchdog's thread can run.
    What counts the time is a thread of C, and standard error shows where it hung.
    """

    def is_alive() -> None:
        # Without a standard error there is nothing that it could write to.
        with suppress(AttributeError, OSError, ValueError, RuntimeError):
            faulthandler.dump_traceback_later(seconds, exit=True)

    try:
        yield is_alive
    finally:
        faulthandler.cancel_dump_traceback_later()


class _Shift:
    """The work of one process, from its start to the signal that ends it."""

    def __init__(self, studio: Studio, as_json: bool) -> None:
        self._studio, self._as_json = studio, as_json
        watchdog = Watchdog(lambda: leave(REPLACE), self._gb_of, studio.settings.timeout_factor)
        self._worker = replace(studio.worker, on_end=self._tell, watchdog=watchdog)
        # A plain value: a handler that takes a lock can wait for the very code that it interrupts.
        self._signals = 0
        self._is_told = False

    def work(self) -> None:
        """Until a signal."""
        with handled_by(self._note):
            self._studio.presence.begin()
            dispatcher = ThreadDispatcher(self._run_next)
            say(f"worker {os.getpid()} is waiting for work; Ctrl+C ends it")
            with _while_alive(LOCKED_S * self._studio.settings.timeout_factor) as is_alive:
                while not self._signals:
                    is_alive()
                    time.sleep(LOOK_EVERY_S)
            self._worker.halt()
            say("ending after the current step ...")
            started = time.monotonic()
            while not (has_ended := dispatcher.stop(LOOK_EVERY_S)):
                if self._signals > 1 or time.monotonic() - started > bootstrap.STEP_S:
                    break
            self._give_back()
            self._studio.presence.end()
            if not has_ended:
                leave(0)

    def _run_next(self) -> bool:
        if not self._is_told:
            self._studio.presence.tell()
            self._is_told = True
        if self._worker.run_next():
            return True
        self._studio.presence.close_if_asked()
        return False

    def _give_back(self) -> None:
        """What is still being painted. If the database cannot be written, others find out by themselves."""
        given_back = in_thread(lambda: self._worker.insist(self._worker.release, though_halted=True))
        started = time.monotonic()
        while not wait([given_back], LOOK_EVERY_S).done:
            if time.monotonic() - started > (IN_HASTE_S if self._signals > 1 else TAKE_BACK_S):
                break

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _gb_of(self, model: str) -> float | None:
        spec = self._studio.models.find(model)
        return spec.memory_gb or spec.download_gb

    def _tell(self, id: str) -> None:
        """A picture that is there is worth more than the line about it: whoever read them may have gone away."""
        with suppress(StudioError, OSError, ValueError):
            generation = self._worker.insist(lambda: self._studio.gallery.get(id))
            tell(summary(self._studio, generation), _words(generation), self._as_json)


def _words(generation: Generation) -> str:
    took = f" in {generation.runtime_s:.1f} s" if generation.runtime_s is not None else ""
    return f"{generation.id} {generation.status}{took}: {generation.error or generation.params.model}"
