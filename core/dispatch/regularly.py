"""A background thread that does the same thing again and again, with pauses."""

from __future__ import annotations

import threading
from collections.abc import Callable

EVERY_S = 600.0


class Regularly:
    """do is called at the start and then after each pause; it must not raise."""

    def __init__(self, do: Callable[[], object], every_s: float = EVERY_S) -> None:
        self.do, self._every_s = do, every_s
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._work, name="regularly", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            self.do()
            self._stopped.wait(self._every_s)
