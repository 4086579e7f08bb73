"""No dispatcher: for programs that work on rows themselves, or leave them to a worker on the same data."""

from __future__ import annotations


class NoDispatcher:
    """A ports.Dispatcher that brings nothing to anybody: rows stay queued until somebody works on them."""

    def enqueue(self, generation_id: str) -> None: ...

    def stop(self, wait_s: float = 0) -> bool:
        return True
