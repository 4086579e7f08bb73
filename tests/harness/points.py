"""Named points in a process: each fsync, rename, removal, SQL statement, and call of the store or a repository."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps

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
        os.fsync = self._counted(os.fsync, "fsync")
        event.listen(Engine, "before_cursor_execute", lambda *_: self._pass("sql"))
        event.listen(Engine, "commit", lambda *_: self._pass("commit"))
        for owner in (value for name, value in vars(bootstrap).items() if name.endswith(("Repo", "ImageStore"))):
            for name, method in vars(owner).items():
                if callable(method) and name[0] != "_":
                    setattr(owner, name, self._counted(method, "call"))

    def _counted(self, method: Callable, kind: str) -> Callable:
        @wraps(method)
        def counted(*given, **named):
            self._pass(kind)
            result = method(*given, **named)
            self._pass(kind)
            return result

        return counted

    def _pass(self, kind: str) -> None:
        self.passed[kind] += 1
        if kind == self._kind and self.passed[kind] == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)
