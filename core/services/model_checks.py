"""Reading all of a model's files to learn whether they are as before: asked for on a page, done by a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from core.domain.errors import InvalidInput, StudioError
from core.domain.model_library import ModelEntry, Verified
from core.last_resort import told
from core.services.models import Models
from core.services.patience import Forgiving, Patience
from core.services.reporting import sign_of_life
from db.model_checks import ModelCheckRepo

WRITE_EVERY_S = 0.5
LOOK_EVERY_S = 0.2


class _Stop(Exception):
    """It is wanted no longer, or its worker ends."""


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """worker: the name of this process in the rows that it works on."""

    repo: ModelCheckRepo
    models: Models
    worker: str
    now: Callable[[], datetime]
    patience: Patience
    _halted: threading.Event = field(default_factory=threading.Event)

    def ask(self, name: str) -> None:
        """Raises UnknownModel, or InvalidInput for a model without files."""
        entry = self.models.find(name)
        if entry.found.stored is None:
            raise InvalidInput(f"{entry.found.title} has no files, so there is nothing to verify.")
        self.repo.ask(entry.found.stored, self.now())

    def cancel(self, name: str) -> None:
        entry = self.models.find(name)
        if entry.found.stored is not None:
            self.repo.cancel(entry.found.stored)

    def run_next(self, is_busy: Callable[[], bool] = lambda: False) -> bool:
        """Read what waits longest, until it ends. Returns whether there was anything.

        is_busy: whether this process has better things to do; as long as it has, nothing is read.
        """
        path = self.repo.claim_next(self.worker, self.now())
        if path is None:
            return False
        try:
            with sign_of_life(lambda: self.repo.beat(path, self.worker, self.now()), "verify-beat"):
                verified = self._read(path, is_busy)
        except _Stop:
            self.give_back()
            return True
        self.patience.insist(lambda: self.repo.finish(path, self.worker, verified), self._halted)
        return True

    def halt(self) -> None:
        """What is read now stops within a moment, and waits again."""
        self._halted.set()

    def give_back(self) -> None:
        self.repo.give_back(self.worker)

    def _read(self, path: str, is_busy: Callable[[], bool]) -> Verified:
        try:
            return self.models.check(self._entry(path), self._reporter(path, is_busy))
        except _Stop:
            raise
        except Exception as error:  # noqa: BLE001 - each ends in a sentence
            return Verified("", False, str(error if isinstance(error, StudioError) else told(error)))

    def _entry(self, path: str) -> ModelEntry:
        for entry in self.models.here():
            if entry.found.stored == path:
                return entry
        raise InvalidInput("The file is not on this machine any more.")

    def _reporter(self, path: str, is_busy: Callable[[], bool]) -> Callable[[int, int], None]:
        forgiving, written_at = Forgiving(self.patience.pause_s), float("-inf")

        def report(done: int, total: int) -> None:
            nonlocal written_at
            while is_busy() and not self._halted.is_set():
                self._halted.wait(LOOK_EVERY_S)
            if self._halted.is_set():
                raise _Stop
            if time.monotonic() - written_at >= WRITE_EVERY_S:
                written_at = time.monotonic()
                if not forgiving(lambda: self.repo.beat(path, self.worker, self.now(), done), True):
                    raise _Stop

        return report
