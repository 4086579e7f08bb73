"""What was read is used again for as long as nobody, in whatever process, has committed anything since."""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event

P = ParamSpec("P")
T = TypeVar("T")

KEPT = 100
"""Readings: the draft of each tab, and about ten that are the same for all."""

_of: WeakKeyDictionary[Engine, Recent] = WeakKeyDictionary()
_making = threading.Lock()


class Recent:
    """SQLite counts the commits of all other connections: one that only asks for that number costs a fiftieth of the
    smallest reading of rows. Other databases, and one in the memory, have no such number: there all is read each time.

    https://www.sqlite.org/pragma.html#pragma_data_version
    """

    def __init__(self, engine: Engine) -> None:
        self._file = engine.url.database if engine.dialect.name == "sqlite" else None
        self._lock = threading.Lock()
        self._counter: sqlite3.Connection | None = None
        self._readings: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        event.listen(engine, "engine_disposed", lambda _: self._close())

    def read(self, key: Hashable, reading: Callable[[], T]) -> T:
        """key: what is read, with all that it depends on. reading: must return what nobody changes."""
        # Counted before it is read: a commit in between makes the reading count as old, never as new.
        commits = self._commits()
        if commits is None:
            return reading()
        with self._lock:
            at, value = self._readings.get(key, (None, None))
        if at == commits:
            return cast(T, value)
        value = reading()
        with self._lock:
            self._readings[key] = commits, value
            self._readings.move_to_end(key)
            if len(self._readings) > KEPT:
                self._readings.popitem(last=False)
        return value

    def _commits(self) -> int | None:
        """Another number after each commit; None where there is none."""
        if self._file in (None, "", ":memory:"):
            return None
        with self._lock, suppress(sqlite3.Error):
            if self._counter is None:
                # Never made anew. Not read-only: the last who closes a database tidies its log away.
                address = f"{Path(self._file).absolute().as_uri()}?mode=rw"
                self._counter = sqlite3.connect(address, uri=True, timeout=0, check_same_thread=False)
            return int(self._counter.execute("PRAGMA data_version").fetchone()[0])
        return None

    def _close(self) -> None:
        with self._lock:
            self._readings.clear()
            if self._counter is not None:
                self._counter.close()
                self._counter = None


def recent(engine: Engine) -> Recent:
    """The one of this engine."""
    with _making:
        if engine not in _of:
            _of[engine] = Recent(engine)
        return _of[engine]


def remembered(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """A method of a repo that only reads: what it returned is returned again for as long as nothing was committed.

    Its arguments must be hashable, and what it returns immutable.
    """

    @functools.wraps(method)
    def read(self: Any, /, *args: P.args, **named: P.kwargs) -> T:
        found: Recent = self._recent
        key = (method.__qualname__, args, tuple(named.items()))
        return found.read(key, lambda: method(self, *args, **named))

    return read
