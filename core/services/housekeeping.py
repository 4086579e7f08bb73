"""What is done now and then, beside all work: throwing away what is due, and keeping copies of the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from core.ports import ImageStore
from core.services.collector import Collector
from core.services.gallery import Gallery

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Housekeeping:
    gallery: Gallery
    collector: Collector
    images: ImageStore

    def run(self) -> None:
        """Whatever fails is logged and tried again the next time: nobody waits for it."""
        deeds: tuple[Callable[[], object], ...] = (
            self.gallery.empty_trash,
            self.collector.collect,
            self.images.tidy,
        )
        for deed in deeds:
            try:
                deed()
            except Exception as error:
                log.warning("%s: %s", getattr(deed, "__name__", deed), error)
