"""Models that are fetched from the hub: asked for by anybody, worked on by a worker, whatever becomes of who asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.domain.download import ENDS, Download, DownloadStatus, Wish
from core.domain.errors import InvalidInput, StudioError
from core.last_resort import told
from core.ports import ModelCatalogue
from core.services.patience import Forgiving, Patience
from core.services.reporting import sign_of_life
from db.downloads import DownloadRepo

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.5


class _Stop(Exception):
    """Ends a download in the middle. wish: None where its worker ends, or has lost it to another one."""

    def __init__(self, wish: Wish | None) -> None:
        self.wish = wish


@dataclass(frozen=True, slots=True)
class Downloads:
    """worker: the name of this process in the rows that it works on."""

    repo: DownloadRepo
    catalogue: ModelCatalogue
    worker: str
    now: Callable[[], datetime]
    patience: Patience
    _halted: threading.Event = field(default_factory=threading.Event)

    # What people ask ----------------------------------------------------------------------------------------------

    def ask(self, model: str) -> Download:
        """Queue it; what was broken off goes on. Raises UnknownModel, InvalidInput for what is not on the hub."""
        spec = self.catalogue.on_hub(model)
        if spec.repository is None:
            raise InvalidInput(f"{spec.title} is not on the hub, so there is nothing to download.")
        self.repo.ask(spec.key, self.now())
        return self.repo.get(spec.key) or Download(spec.key, DownloadStatus.QUEUED, self.now())

    def get(self, model: str) -> Download | None:
        return self.repo.get(model)

    def unfinished(self) -> Sequence[Download]:
        """What waits, runs, is paused or has failed, in the order in which it was asked for."""
        return self.repo.unfinished()

    def pause(self, model: str) -> None:
        """Also after a restart it stays so until resume."""
        self.repo.wish(model, Wish.PAUSE, self.now())

    def resume(self, model: str) -> None:
        self.repo.resume(model, self.now())

    def cancel(self, model: str) -> None:
        """Give up what was fetched in part, and free its room."""
        if self.repo.wish(model, Wish.CANCEL, self.now()):
            self.catalogue.discard_download(model)

    # What a worker does -------------------------------------------------------------------------------------------

    def run_next(self) -> bool:
        """Work on the one that waits longest, until it ends. Returns whether there was one."""
        download = self.repo.claim_next(self.worker, self.now())
        if download is None:
            return False
        self._run(download.model)
        return True

    def run(self, model: str) -> None:
        """Work on this one, unless another process was quicker."""
        if self.repo.claim(model, self.worker, self.now()) is not None:
            self._run(model)

    def halt(self) -> None:
        """What is fetched now stops at the next megabyte, and waits again."""
        self._halted.set()

    def give_back(self) -> None:
        """What this process has begun and not ended."""
        self.repo.give_back(self.worker)

    def _run(self, model: str) -> None:
        status, values = DownloadStatus.SUCCEEDED, {}
        try:
            # To hash ten gigabytes takes longer than the sign of life of a dead worker is waited for.
            with sign_of_life(lambda: self.repo.beat(model, self.worker, self.now()), "download-beat"):
                self.catalogue.download(model, self._reporter(model))
        except _Stop as stop:
            if stop.wish is None:
                self.give_back()
                return
            status = ENDS[stop.wish]
        except Exception as error:  # noqa: BLE001 - each ends in a sentence
            problem = error if isinstance(error, StudioError) else told(error)
            status, values = DownloadStatus.FAILED, {"error": str(problem), "link": problem.link}
        finish = lambda: self.repo.finish(model, self.worker, status, self.now(), **values)  # noqa: E731
        self.patience.insist(finish, self._halted)
        if status is DownloadStatus.CANCELLED:
            self.catalogue.discard_download(model)

    def _reporter(self, model: str) -> Callable[[int, int], None]:
        forgiving, written_at = Forgiving(self.patience.pause_s), float("-inf")

        def report(done: int, total: int) -> None:
            nonlocal written_at
            if self._halted.is_set():
                raise _Stop(None)
            if done < total and time.monotonic() - written_at < WRITE_EVERY_S:
                return
            written_at = time.monotonic()
            is_mine = forgiving(lambda: self.repo.beat(model, self.worker, self.now(), done, total), True)
            row = forgiving(lambda: self.repo.get(model), None)
            if not is_mine:
                raise _Stop(None)
            if row is not None and row.wish is not None:
                raise _Stop(row.wish)

        return report
