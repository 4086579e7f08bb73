"""The question put to the gallery, and its answer."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from core.domain.errors import InvalidInput
from core.domain.generation import Generation, Status

PAGE_ROWS = 60


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row seen: paging by it costs the same at any depth, and rows of one instant are not skipped."""

    created_at: datetime
    id: str

    def to_text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.created_at.isoformat(), self.id]).encode()).decode()

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        try:
            created_at, id = json.loads(base64.urlsafe_b64decode(text.encode()))
            return cls(datetime.fromisoformat(created_at), str(id))
        except (ValueError, TypeError, binascii.Error) as error:
            raise InvalidInput("This page of the gallery cannot be found. Start from the first page.") from error


@dataclass(frozen=True, slots=True)
class GalleryFilter:
    """Which generations; an empty filter is all that are not in the trash."""

    statuses: tuple[Status, ...] = ()
    model: str | None = None
    parent_id: str | None = None
    in_trash: bool = False


@dataclass(frozen=True, slots=True)
class GallerySlice:
    """Newest first. next is None on the last page."""

    generations: tuple[Generation, ...]
    next: Cursor | None = None
