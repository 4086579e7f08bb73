"""Named points in a process: each fsync, rename, removal, SQL statement, and call of the store or a repository."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from inspect import isfunction

from sqlalchemy import Engine, event

from core import bootstrap

AUDITED = {"os.rename": "replace", "os.remove": "remove", "os.mkdir": "mkdir", "tempfile.mkstemp": "mkstemp"}
KINDS = {"fsync": 3, "replace": 3, "remove": 2, "mkdir": 1, "mkstemp": 2, "sql": 4, "commit": 3, "call": 4}
"""How often each is drawn: a folder is made seldom, and SQL is everywhere."""


class Points:
    """Counts what passes, and kills this process at the nth of a kind."""

    def __init__(self, kind: str | None = None, nth: int = 0) -> None:
        self.passed: Counter[str] = Counter()
        self._kind, self._nth = kind, nth

    def watch(self) -> None:
        """From now on, for good: meant for a child that ends soon."""
        sys.addaudithook(lambda name, _: self._pass(AUDITED[name]) if name in AUDITED else None)
        os.fsync = _with(os.fsync, lambda: self._pass("fsync"))
        event.listen(Engine, "before_cursor_execute", lambda *_: self._pass("sql"))
        event.listen(Engine, "commit", lambda *_: self._pass("commit"))
        around_calls(lambda: self._pass("call"))

    def _pass(self, kind: str) -> None:
        self.passed[kind] += 1
        if kind == self._kind and self.passed[kind] == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)


def around_calls(do: Callable[[], object]) -> None:
    """Before and after each call of the store or of a repository; for good, as above."""
    used = [value for name, value in vars(bootstrap).items() if name.endswith(("Repo", "ImageStore"))]
    for owner in {base for each in used for base in each.__mro__ if base.__module__.startswith(("core.", "db."))}:
        for name, method in list(vars(owner).items()):
            if isfunction(method) and name[0] != "_":
                setattr(owner, name, _with(method, do))


def _with(method: Callable, do: Callable[[], object]) -> Callable:
    @wraps(method)
    def called(*given, **named):
        do()
        result = method(*given, **named)
        do()
        return result

    return called
