"""What the gallery answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Cursor
from core.domain.generation import Generation


class Count(int):
    """A number of generations. at_least: there are more; counting stopped there to be quick. Shown as “5,000+”."""

    at_least: bool = False

    @classmethod
    def capped(cls, number: int, cap: int) -> Count:
        count = cls(min(number, cap))
        count.at_least = number > cap
        return count

    def __format__(self, spec: str) -> str:
        return int.__format__(self, spec) + ("+" if self.at_least else "")

    def __str__(self) -> str:
        return f"{self:,}"


Facets = dict[str, list[tuple[Any, Count]]]
"""For each filter with values to choose from, by its name in GalleryFilter: those that occur, the most frequent first,
with how many generations there are of each.
"""


@dataclass(frozen=True, slots=True)
class GallerySlice:
    """In the order that was asked for. next is None on the last page."""

    generations: tuple[Generation, ...]
    next: Cursor | None = None


@dataclass(frozen=True, slots=True)
class SavedSearch:
    name: str
    filter: GalleryFilter


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A stored file that is gone or damaged, and the generations that need it."""

    key: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StorageAudit:
    """What was found when files and rows were compared. unreadable: nobody can say what is in them, for lack of a
    permission. orphans: files that nothing uses. removed: of those.
    """

    files: int
    missing: tuple[BrokenFile, ...] = ()
    damaged: tuple[BrokenFile, ...] = ()
    unreadable: tuple[BrokenFile, ...] = ()
    orphans: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not (self.missing or self.damaged or self.unreadable or set(self.orphans) - set(self.removed))


@dataclass(frozen=True, slots=True)
class Freed:
    """files: how many were deleted permanently. bytes: the room that they took."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """generations: how many were deleted. files: how many of theirs nothing else uses. freed: where the room
    was wanted at once, what went of those and of the folder's trash.
    """

    generations: int = 0
    files: int = 0
    freed: Freed | None = None
