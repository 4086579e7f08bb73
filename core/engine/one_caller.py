"""One caller at a time, and none after it was closed: what every loaded model has in common."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.domain.errors import Busy, ModelUnavailable


class OneCaller:
    """Entered around each use of a loaded model. Raises Busy for a second caller, ModelUnavailable once it is closed.

    release: gives the memory back. It is called after close, as soon as nobody uses the model any more.
    """

    def __init__(self, release: Callable[[], None] = lambda: None) -> None:
        self._release = release
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise Busy
        if self._closed:
            self._lock.release()
            raise ModelUnavailable("This model was unloaded to make room for another one. Run it again.")

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self._closed:
            self._release()

    def close(self) -> None:
        """Release it at once, or when the caller that uses it is done."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._release()
            finally:
                self._lock.release()
