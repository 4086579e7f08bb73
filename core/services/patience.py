"""What to do while the database does not answer: it is locked, its disk is full, or it is away for a moment.

A result must be written, so the worker insists. Progress may be lost, so painting goes on without it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from core.domain.errors import DatabaseBusy, DatabaseUnusable, StorageFull

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what must be written is tried. [s]

    busy_s: while another program holds the database. otherwise_s: while its disk is full, or it is away. pause_s: how
    long what need not be written is left alone after it failed, as each try may wait for a lock for seconds.
    """

    busy_s: float = 300.0
    otherwise_s: float = 600.0
    pause_s: float = 5.0

    def insist(self, do: Callable[[], T], given_up: threading.Event) -> T:
        """The answer, as soon as the database takes it; do is called again and again until then.

        given_up: when it is set, the next failure is the last one. Raises that last failure, and at once whatever has
        nothing to do with the state of the database.
        """
        started, pause_s = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                return do()
            except (DatabaseUnusable, StorageFull) as error:
                limit_s = self.busy_s if isinstance(error, DatabaseBusy) else self.otherwise_s
                left_s = started + limit_s - time.monotonic()
                if left_s <= 0 or given_up.is_set():
                    raise
                if pause_s == FIRST_PAUSE_S:
                    log.warning("%s It is tried for %.0f s.", error, left_s)
            given_up.wait(min(pause_s, left_s))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class Forgiving:
    """Calls that painting does not depend on: an error of one is logged, the first time, and goes no further."""

    def __init__(self, pause_s: float) -> None:
        """pause_s: so long after an error nothing is called at all."""
        self._pause_s = pause_s
        self._not_before = float("-inf")
        self._is_logged = False

    def __call__(self, do: Callable[[], T], otherwise: T) -> T:
        """What do returns; otherwise if that fails."""
        if time.monotonic() < self._not_before:
            return otherwise
        try:
            return do()
        except Exception as error:  # noqa: BLE001 - what it does is not worth a failure
            self._not_before = time.monotonic() + self._pause_s
            if not self._is_logged:
                self._is_logged = True
                log.warning("%s: %s Work goes on without it.", type(error).__name__, error)
            return otherwise
