"""Work in the caller's own thread: for tests, scripts and the command line."""

from __future__ import annotations

from collections.abc import Callable


class InlineDispatcher:
    """run: works on one generation and returns when it has ended."""

    def __init__(self, run: Callable[[str], None]) -> None:
        self._run = run

    def enqueue(self, generation_id: str) -> None:
        self._run(generation_id)


class WaitingDispatcher:
    """Keeps the ids until drain() is called: for tests that look at what is queued, or cancel in between."""

    def __init__(self, run: Callable[[str], None]) -> None:
        self._run = run
        self.waiting: list[str] = []

    def enqueue(self, generation_id: str) -> None:
        self.waiting.append(generation_id)

    def drain(self) -> None:
        while self.waiting:
            self._run(self.waiting.pop(0))
