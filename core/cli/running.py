"""How the commands run and end: exit codes, signals, and rows that are worked on until they have ended.

Two rules. However a command ends, none of the rows that it asked for is left waiting or running. And nothing waits for
a thread by join: on Python 3.11 a KeyboardInterrupt in it takes a living thread for an ended one.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import typer
from rich.console import Console

from core import last_resort
from core.bootstrap import Studio
from core.dispatch.threads import leave
from core.domain.errors import InvalidInput, StudioError
from core.domain.generation import Status
from core.domain.reproduction import Verification
from core.services.patience import Forgiving

T = TypeVar("T")

errors = Console(stderr=True)

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]

LOOK_EVERY_S = 0.2
"""How soon a signal is seen."""

GRACE_S = 5.0
"""So long a step may take until the command ends without waiting for it."""

TAKE_BACK_S = 15.0
"""So long it is tried to take back what was asked for: a lock alone is waited for ten seconds."""

IN_HASTE_S = 2.0
"""The same after a second signal."""


# Exit codes ----------------------------------------------------------------------------------------------------


@contextmanager
def exit_codes() -> Iterator[None]:
    """2 for bad input, 1 for everything else that went wrong, 128 and its number for a signal: 130 for Ctrl+C."""
    with _handled_by(_end):
        try:
            yield
        except InvalidInput as error:
            complain(error)
            raise typer.Exit(2) from None
        except StudioError as error:
            complain(error)
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            complain(last_resort.told(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(_code(signal.SIGINT)) from None
        except _Ended as ended:
            raise typer.Exit(_code(ended.number)) from None


def complain(error: StudioError) -> None:
    _say(f"{error} {error.link or ''}".strip())


def _say(sentence: str) -> None:
    # The terminal may have gone away, and with it standard error.
    with suppress(OSError, ValueError):
        errors.print(sentence, markup=False, soft_wrap=True, highlight=False)


class _Ended(BaseException):
    """A signal, where it may end the command at once."""

    def __init__(self, number: int) -> None:
        self.number = number


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended(number)


def _code(number: int) -> int:
    return 128 + number


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Signals that are ignored stay so, as nohup and scripts in the background want it."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


# Working on rows -----------------------------------------------------------------------------------------------


@contextmanager
def running(studio: Studio) -> Iterator[Running]:
    """To be entered before rows are made. Inside, a signal ends nothing: it is noted, and seen at the next look.

    On leaving, however, whatever has not ended is taken back: what is painted here stops at its next step, or is given
    up if that takes too long, or at once at a second signal.
    """
    run = Running(studio)
    with _handled_by(run.note):
        try:
            yield run
        finally:
            run.end()


class Running:
    """The rows that a command asked for, and the work on them. Made by running."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
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
        """Work on it until its row has ended, here or in another process. follow: called a few times a second.

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
        return self._wait_for(lambda: self._studio.worker.insist(ask), lambda: None)

    def _until_ended(self, id: str, ask_status: Callable[[], Status], follow: Callable[[], None]) -> None:
        forgiving = Forgiving(LOOK_EVERY_S)
        follow = partial(forgiving, follow, None)
        while (status := self.answer(ask_status)).is_active:
            if status is Status.QUEUED:
                self._wait_for(lambda: self._studio.worker.run(id), follow)
                continue
            # Another process has it. If that one has died, nobody else may be there to say so.
            self._wait_for(lambda: forgiving(self._studio.worker.clear_stale, None), follow)
            self._wait_for(lambda: time.sleep(2 * LOOK_EVERY_S), follow)
        self.done(id)

    def _wait_for(self, do: Callable[[], T], follow: Callable[[], None]) -> T:
        self._work = work = _in_thread(do)
        while not wait([work], LOOK_EVERY_S).done:
            self._check()
            follow()
        self._check()
        return work.result()

    def _check(self) -> None:
        if self._signal is not None:
            raise typer.Exit(_code(self._signal))

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
        self._studio.worker.halt()
        if self._is_working:
            _say("cancelling at the next step ...")
            self._wait_at_most(self._work, GRACE_S, in_haste_s=0)
        taken_back = _in_thread(self._take_back)
        self._wait_at_most(taken_back, TAKE_BACK_S, in_haste_s=IN_HASTE_S)
        if not taken_back.done() or taken_back.exception() is not None:
            _say("The gallery's database cannot be written, so what was asked for may still stand in the queue.")
            _say("See: python -m core queue list")
        if self._is_working:
            leave(_code(self._signal or signal.SIGINT))

    def _wait_at_most(self, work: Future[Any], seconds: float, in_haste_s: float) -> None:
        """in_haste_s: after a second signal."""
        started = time.monotonic()
        while not work.done() and time.monotonic() - started < (in_haste_s if self._signals > 1 else seconds):
            wait([work], LOOK_EVERY_S)

    def _take_back(self) -> None:
        never = threading.Event()
        insist = self._studio.worker.patience.insist
        if self._is_working:
            insist(self._studio.worker.let_go, never)
        for take_back in self._owned.values():
            insist(take_back, never)


def _in_thread(do: Callable[[], T]) -> Future[T]:
    """As a daemon, which a command that ends does not wait for."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(do())
        except Exception as error:
            future.set_exception(error)
        except BaseException as error:
            future.set_exception(last_resort.told(error))

    threading.Thread(target=work, name="work", daemon=True).start()
    return future
