"""How far a download from the hub is: told in bytes of all its files, and in none of the libraries' bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.ports import OnDownload


class Progress:
    """Counts the bytes of all files; a file that was already here, or was linked, counts whole at its end."""

    def __init__(self, on_progress: OnDownload) -> None:
        self._on_progress = on_progress
        self.total = 0
        self._finished = 0
        self._current = 0

    @contextmanager
    def file(self, size: int) -> Iterator[None]:
        self._current = 0
        yield
        self._finished += size
        self._current = 0
        self.report()

    def advance(self, size: int) -> None:
        self._current += size
        self.report()

    def report(self) -> None:
        try:
            self._on_progress(min(self._finished + self._current, self.total), self.total)
        except Exception as error:
            raise Stopped(error) from error


class Stopped(BaseException):
    """on_progress has raised: what that means is its caller's matter, and none of the libraries'."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


def silent_bar() -> type:
    """A progress bar that draws nothing."""
    from tqdm import tqdm

    class Silent(tqdm):  # type: ignore[type-arg]  # generic in its stub alone
        # Else each class begins a thread that redraws its bars, for ever.
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent
