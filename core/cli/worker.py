"""python -m core worker: paint what waits in the queue, in a process of its own."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import Annotated

import typer

from core import bootstrap
from core.bootstrap import Studio
from core.cli.common import JSON, make_studio, summary, tell
from core.cli.exits import exit_codes, handled_by, say
from core.cli.running import IN_HASTE_S, LOOK_EVERY_S, TAKE_BACK_S, in_thread
from core.dispatch.lock import is_held, the_only_worker
from core.dispatch.threads import ThreadDispatcher, leave
from core.domain.errors import StudioError
from core.domain.generation import Generation
from core.domain.worker import REPLACE
from core.memory import trim
from core.services.patience import Forgiving
from core.services.watchdog import Watchdog

app = typer.Typer()

STEP_S = 5.0
"""How long a step is waited for when the program ends. Docker gives it ten seconds."""

LOCKED_S = 300.0
"""So long a library may keep the interpreter for itself: to read its 3 GB from a disk of 10 MB/s, for example."""


@app.command()
def worker(
    context: typer.Context,
    wait_: Annotated[
        bool, typer.Option("--wait", help="If another worker is running, start as soon as it has ended.")
    ] = False,
    embedded: Annotated[bool, typer.Option("--embedded", hidden=True)] = False,
    as_json: JSON = False,
) -> None:
    """Paint what waits in the queue, until Ctrl+C or SIGTERM. One worker for each data folder.

    What is being painted then goes back into the queue after its current step. A second signal does not wait for it.
    """
    with exit_codes():
        if embedded:
            _end_with_input()
        studio = make_studio(context)
        if embedded and is_held(studio.settings.data):
            # Another dashboard on this folder was quicker; they share its worker.
            return
        with the_only_worker(studio.settings.data, waits=wait_):
            _Shift(studio, as_json).work()


def _end_with_input() -> None:
    """Standard input is a pipe that a dashboard holds open: at its end this process ends as by SIGTERM.

    The system closes it however the dashboard ended.
    """

    def watch() -> None:
        # Not by sys.stdin: a thread that waits in it makes the end of the interpreter fail.
        with suppress(OSError):
            while os.read(0, 1):
                pass
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, name="input", daemon=True).start()


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
        # Nobody waits in front of it who could make room and run it again.
        self._worker = replace(studio.worker, on_end=self._tell, watchdog=watchdog, patience=bootstrap.PATIENT)
        self._is_warm = threading.Event()
        # A plain value: a handler that takes a lock can wait for the very code that it interrupts.
        self._signals = 0
        self._has_painted = False
        self._is_painting = False

    def work(self) -> None:
        """Until a signal."""
        with handled_by(self._note):
            downloads, checks = self._studio.downloads, self._studio.model_checks
            self._studio.presence.begin()
            self._studio.housekeeping.start()
            dispatcher = ThreadDispatcher(self._run_next, self._worker.is_anything_queued, first=self._warm_up)
            # Beside painting: what waits for the network keeps nobody from painting.
            downloading = ThreadDispatcher(downloads.run_next, downloads.repo.is_anything_queued)
            # While nothing is painted: both would wait for the same disk.
            checking = ThreadDispatcher(lambda: checks.run_next(lambda: self._is_painting), checks.repo.is_any_asked)
            say(f"worker {os.getpid()} is waiting for work")
            with _while_alive(LOCKED_S * self._studio.settings.timeout_factor) as is_alive:
                while not self._signals:
                    is_alive()
                    time.sleep(LOOK_EVERY_S)
            self._worker.halt()
            downloads.halt()
            checks.halt()
            downloading.stop()
            checking.stop()
            self._studio.housekeeping.stop()
            say("ending after the current step ...")
            started = time.monotonic()
            while not (has_ended := dispatcher.stop(LOOK_EVERY_S)):
                is_late = self._signals > 1 or time.monotonic() - started > STEP_S
                if is_late or not self._is_warm.is_set():
                    break
            self._give_back()
            self._studio.presence.end()
            if not has_ended:
                leave(0)

    def _warm_up(self) -> None:
        """In the thread that paints: two must not import torch at the same time."""
        self._studio.presence.tell()
        Forgiving(0)(bootstrap.warm_up, None)
        self._is_warm.set()

    def _run_next(self) -> bool:
        self._is_painting = True
        try:
            has_painted = self._worker.run_next()
        finally:
            self._is_painting = False
        if has_painted:
            self._has_painted = True
            return True
        self._studio.presence.close_if_asked()
        if self._has_painted:
            # What a picture took: 12 to 30 MB with the bundled model.
            trim()
            self._has_painted = False
        return False

    def _give_back(self) -> None:
        """What is still being painted. If the database cannot be written, others find out by themselves."""
        with suppress(StudioError):
            # Its thread may hang in the network.
            self._studio.downloads.give_back()
            self._studio.model_checks.give_back()
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
