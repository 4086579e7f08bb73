"""Signals that end a command, wherever in it they arrive.

Python raises in the main thread, between two instructions. Where these are a destructor's, or a callback's of the
garbage collector, nobody can catch the exception: it is printed, dropped, and the command goes on as if nobody had
pressed Ctrl+C. So it is sent once more, a moment later.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from typing import Any

AGAIN_AFTER_S = 0.05
"""The callback has ended by then; and if another one has begun, it is sent a third time."""


class Ended(BaseException):
    """A signal, where it may end the command at once."""

    def __init__(self, number: int) -> None:
        self.number = number


def send_again_what_is_dropped() -> None:
    """For the rest of the process."""
    told = sys.unraisablehook
    pending = set[int]()

    def send(number: int) -> None:
        pending.discard(number)
        if hasattr(signal, "pthread_kill"):
            # To the main thread itself, so that it also wakes up from what it waits for.
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            _thread.interrupt_main(signal.Signals(number))

    def hook(dropped: Any) -> None:
        number = _number(dropped.exc_value)
        if number is None:
            told(dropped)
        elif number not in pending:
            # One at a time: a second one would arrive where the command already ends.
            pending.add(number)
            timer = threading.Timer(AGAIN_AFTER_S, send, [number])
            timer.daemon = True
            timer.start()

    sys.unraisablehook = hook


def _number(error: BaseException | None) -> int | None:
    if isinstance(error, Ended):
        return error.number
    return signal.SIGINT if isinstance(error, KeyboardInterrupt) else None
