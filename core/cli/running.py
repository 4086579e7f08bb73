"""Rows that a command asked for: a worker paints them where one is there, else the command itself does.

Two rules. However a command ends, none of the rows that it asked for is left waiting or running. And nothing waits for
a thread by join: on Python 3.11 a KeyboardInterrupt in it takes a living thread for an ended one.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from core import last_resort
from core.bootstrap import Studio
from core.cli.common import errors
from core.cli.exits import exit_code, handled_by, say
from core.dispatch.threads import leave
from core.domain.generation import Generation, Status
from core.domain.reproduction import Verification
from core.services.patience import Forgiving

T = TypeVar("T")

LOOK_EVERY_S = 0.2
"""How soon a signal is seen."""

GRACE_S = 5.0
"""So long a step may take until the command ends without waiting for it."""

TAKE_BACK_S = 15.0
"""So long it is tried to take back what was asked for: a lock alone is waited for ten seconds."""

IN_HASTE_S = 2.0
"""The same after a second signal."""


@contextmanager
def running(studio: Studio) -> Iterator[Running]:
    """To be entered before rows are made. Inside, a signal ends nothing: it is noted, and seen at the next look.

    On leaving, however, whatever has not ended is taken back: what is painted here stops at its next step, or is given
    up if that takes too long, or at once at a second signal.
    """
    run = Running(studio)
    with handled_by(run.note):
        try:
            yield run
        finally:
            run.end()


def work_on(studio: Studio, run: Running, id: str, *, show: bool) -> Generation:
    """Work on one of the generations that were asked for, or have it worked on, until it has ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=errors, disable=not show, transient=True) as bar:
        task, told = bar.add_task(id, total=None), set[str]()

        def follow() -> None:
            at = studio.generations.progress(id)
            if at.status.is_active and at.error and at.error not in told:
                told.add(at.error)
                say(at.error)
            bar.update(task, description=at.phase, completed=at.step, total=at.total or None)

        run.generation(id, follow)
    return run.answer(lambda: studio.gallery.get(id))


class Running:
    """The rows that a command asked for, and the work on them. Made by running."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self._worker = studio, studio.worker
        self._owned: dict[str, Callable[[], object]] = {}
        self._work: Future[Any] | None = None
        # Plain values: a handler that takes a lock, as an Event does, can wait for the very code that it interrupts.
        self._signal: int | None = None
        self._signals = 0

    def owns(self, id: str, take_back: Callable[[], object]) -> None:
        """From now on this is taken back when the command ends, unless done was told. take_back: may be called late."""
        self._owned[id] = take_back

    def done(self, id: str) -> None:
        self._owned.pop(id, None)

    def owns_generations(self, ids: Iterable[str]) -> None:
        for id in ids:
            self.owns(id, partial(self._studio.generations.cancel, id))

    def generation(self, id: str, follow: Callable[[], None] = lambda: None) -> None:
        """Until its row has ended: a worker works on it where one is there, else this process does.

        follow: called a few times a second.

        Raises what the worker could not write into the row.
        """
        self.owns_generations([id])
        self._until_ended(id, lambda: self._studio.gallery.get(id).status, follow)

    def verification(self, id: str) -> Verification:
        self.owns(id, partial(self._studio.reproductions.cancel, id))
        self._until_ended(id, lambda: self._studio.reproductions.get(id).status, lambda: None)
        return self.answer(lambda: self._studio.reproductions.get(id))

    def answer(self, ask: Callable[[], T]) -> T:
        """Of the database, as soon as it answers; a signal ends the waiting."""
        return self._wait_for(lambda: self._worker.insist(ask), lambda: None)

    def _until_ended(self, id: str, ask_status: Callable[[], Status], follow: Callable[[], None]) -> None:
        forgiving = Forgiving(LOOK_EVERY_S)
        follow, told = partial(forgiving, follow, None), False
        while (status := self.answer(ask_status)).is_active:
            if status is Status.QUEUED and not self.answer(self._studio.workers.is_there):
                self._wait_for(lambda: self._worker.run(id), follow)
                continue
            if status is Status.QUEUED and not told and (told := self.answer(self._studio.queue.is_paused)):
                say("The queue is paused: nothing new starts. Go on with: python -m core queue resume")
            # Another process has it, or will. If that one has died, nobody else may be there to say so.
            self._wait_for(lambda: forgiving(self._worker.clear_stale, None), follow)
            self._wait_for(lambda: time.sleep(2 * LOOK_EVERY_S), follow)
        self.done(id)

    def _wait_for(self, do: Callable[[], T], follow: Callable[[], None]) -> T:
        self._work = work = in_thread(do)
        while not wait([work], LOOK_EVERY_S).done:
            self._check()
            follow()
        self._check()
        return work.result()

    def _check(self) -> None:
        if self._signal is not None:
            raise typer.Exit(exit_code(self._signal))

    def note(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal."""
        self._signal = self._signal or number
        self._signals += 1

    @property
    def _is_working(self) -> bool:
        return self._work is not None and not self._work.done()

    def end(self) -> None:
        """Take back what has not ended."""
        if not self._owned and not self._is_working:
            return
        self._worker.halt()
        if self._work is not None and self._is_working:
            say("cancelling at the next step ...")
            self._wait_at_most(self._work, GRACE_S, in_haste_s=0)
        taken_back = in_thread(self._take_back)
        self._wait_at_most(taken_back, TAKE_BACK_S, in_haste_s=IN_HASTE_S)
        if not taken_back.done() or taken_back.exception() is not None:
            say("The gallery's database cannot be written, so what was asked for may still stand in the queue.")
            say("See: python -m core queue list")
        if self._is_working:
            leave(exit_code(self._signal or signal.SIGINT))

    def _wait_at_most(self, work: Future[Any], seconds: float, in_haste_s: float) -> None:
        """in_haste_s: after a second signal."""
        started = time.monotonic()
        while not work.done() and time.monotonic() - started < (in_haste_s if self._signals > 1 else seconds):
            wait([work], LOOK_EVERY_S)

    def _take_back(self) -> None:
        insist = partial(self._worker.insist, though_halted=True)
        if self._is_working:
            insist(self._worker.release)
        for take_back in self._owned.values():
            insist(take_back)


def in_thread(do: Callable[[], T]) -> Future[T]:
    """As a daemon, which a command that ends does not wait for."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(do())
        except Exception as error:  # noqa: BLE001 - raised again by who waits for it
            future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - likewise
            future.set_exception(last_resort.told(error))

    threading.Thread(target=work, name="work", daemon=True).start()
    return future
