"""What is done now and then, beside all work: throwing away what is due, and keeping copies of the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from core.ports import ImageStore, Reserve
from core.services.backups import Backups
from core.services.collector import Collector
from core.services.gallery import Gallery

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Housekeeping:
    gallery: Gallery
    collector: Collector
    images: ImageStore
    backups: Backups
    reserve: Reserve

    def run(self) -> None:
        """Whatever fails is logged and tried again the next time: nobody waits for it."""
        jobs: tuple[Callable[[], object], ...] = (
            self.gallery.empty_trash,
            self.collector.collect,
            self.images.tidy,
            self.reserve.keep,
            self.back_up,
        )
        for job in jobs:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the others are done all the same
                log.warning("%s: %s", getattr(job, "__name__", job), error)

    def back_up(self) -> None:
        # A database that was made anew beside a full folder must not push the copies of the lost one out.
        self.collector.check_owner()
        self.backups.daily()
