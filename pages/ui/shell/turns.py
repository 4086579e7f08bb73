"""Runs of pages take turns: so many at a time, in the order in which they were asked for.

One interpreter draws all pages. Those that are drawn at once share it, so that each takes as long as all of them, and
who began last is not served last. Streamlit starts each run at once, in a thread of its session; nothing public says
how many, so the method that runs one waits here. A release in which it has another name behaves as it does by itself.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

AT_ONCE = 2
"""While one reads a file or waits for the database another one computes."""
LONGEST_S = 1.0
"""So long a run waits for its turn, and then begins all the same: what hangs, or opens a large photo, keeps nobody
from their pages."""

_NAME = "_run_script"


class Turns:
    """at_once: how many have theirs at a time. longest_s: how long anybody waits for it."""

    def __init__(self, at_once: int, longest_s: float) -> None:
        self._free = at_once
        self._longest_s = longest_s
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Whatever happens in it, the next one gets it afterwards."""
        has_turn = self._take()
        try:
            yield
        finally:
            if has_turn:
                self._pass_on()

    def _take(self) -> bool:
        """False: it has waited long enough, and goes on without one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(self._longest_s):
            return True
        with self._lock:
            if called.is_set():
                return True
            self._waiting.remove(called)
            return False

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                # To this one, and not to whoever asks next while it wakes up.
                self._waiting.popleft().set()
            else:
                self._free += 1


@contextmanager
def runs_take_turns() -> Iterator[None]:
    """For the time that the server runs."""
    run: Callable[..., Any] | None = getattr(ScriptRunner, _NAME, None)
    if run is None:
        yield
        return
    turns = Turns(AT_ONCE, LONGEST_S)

    @functools.wraps(run)
    def in_turn(self: ScriptRunner, *args: Any, **named: Any) -> Any:
        with turns.turn():
            return run(self, *args, **named)

    setattr(ScriptRunner, _NAME, in_turn)
    try:
        yield
    finally:
        setattr(ScriptRunner, _NAME, run)
