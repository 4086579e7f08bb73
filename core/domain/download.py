"""A download of a model, from the wish to the last byte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DownloadStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether it goes on by itself."""
        return self in (DownloadStatus.QUEUED, DownloadStatus.RUNNING)


class Wish(StrEnum):
    """What is asked of a running download; it is obeyed at the next megabyte."""

    PAUSE = "pause"
    CANCEL = "cancel"


ENDS = {Wish.PAUSE: DownloadStatus.PAUSED, Wish.CANCEL: DownloadStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class Download:
    """model: its key in the table, or a hub id. done_bytes, total_bytes: 0 until the hub has said how large it is.

    link: where the person can do something about the error. wish: what it was asked while it is running.
    """

    model: str
    status: DownloadStatus
    asked_at: datetime
    done_bytes: int = 0
    total_bytes: int = 0
    error: str | None = None
    link: str | None = None
    wish: Wish | None = None

    @property
    def fraction(self) -> float:
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0
