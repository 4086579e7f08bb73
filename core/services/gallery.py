"""Looking at what was made, finding it again, and putting it away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from PIL import Image

from core.domain.errors import (
    InvalidInput,
    InvalidMove,
    StorageFull,
    StoredImageDamaged,
    StoredImageMissing,
    StoredImageUnreadable,
    StudioError,
    TooManyOrphans,
)
from core.domain.gallery.answers import BrokenFile, Count, Facets, GallerySlice, PurgeResult, SavedSearch, StorageAudit
from core.domain.gallery.filter import RATINGS, GalleryFilter
from core.domain.gallery.paging import PAGE_ROWS, Cursor
from core.domain.generation import Generation, Status, Verdict
from core.domain.geometry import Size
from core.domain.labels import notes_text, tag_name, title_text
from core.domain.pixels.mask import Mask
from core.ports import ImageStore, Reserve
from core.services.collector import TRASH_TTL, Collector
from core.services.thumbnails import thumbnail
from db.files import FileRepo
from db.gallery import GalleryRepo
from db.generations import GenerationRepo

EVERYTHING = GalleryFilter()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gallery:
    """Every method on several ids works on all of them or on none; GenerationNotFound if one does not exist."""

    repo: GalleryRepo
    generations: GenerationRepo
    files: FileRepo
    images: ImageStore
    collector: Collector
    reserve: Reserve
    now: Callable[[], datetime]

    # Finding

    def browse(
        self, filter: GalleryFilter = EVERYTHING, cursor: Cursor | None = None, limit: int = PAGE_ROWS
    ) -> GallerySlice:
        """Raises InvalidInput for a cursor of another order."""
        return self.repo.browse(filter, cursor, limit)

    def states(
        self, filter: GalleryFilter, cursor: Cursor | None = None, limit: int = PAGE_ROWS
    ) -> list[tuple[str, Status, Verdict | None]]:
        """Id, status and verdict of what browse returns, at a fraction of its cost."""
        return self.repo.states(filter, cursor, limit)

    def prompts(self, limit: int) -> Sequence[tuple[str, str]]:
        """Prompt and negative prompt of the newest generations, newest first."""
        return self.repo.prompts(limit)

    def page_before(self, filter: GalleryFilter, cursor: Cursor, limit: int = PAGE_ROWS) -> Cursor | None:
        """To page back from the page of this cursor; None: back to the first page."""
        return self.repo.page_before(filter, cursor, limit)

    def count(self, filter: GalleryFilter = EVERYTHING) -> Count:
        """A number; f"{count:,}" shows “5,000+” where counting on would take too long."""
        return self.repo.count(filter)

    def facets(self, filter: GalleryFilter = EVERYTHING) -> Facets:
        """How many there are of each status, model, device, scheduler, rating, tag, ... under the other filters."""
        return self.repo.facets(filter)

    def tags(self) -> list[str]:
        """Every tag in use, by name."""
        return self.repo.tags()

    def save_search(self, name: str, filter: GalleryFilter) -> None:
        """Under this name, in place of what it named before."""
        name = title_text(name)
        if not 1 <= len(name) <= 100:
            raise InvalidInput(f"A saved search needs a name of 1 to 100 characters, not {len(name):,}.")
        self.repo.save_search(name, filter, self.now())

    def saved_searches(self) -> list[SavedSearch]:
        """By name."""
        return self.repo.saved_searches()

    def delete_search(self, name: str) -> None:
        self.repo.delete_search(title_text(name))

    def is_anything_active(self) -> bool:
        """Whether a generation or a verification waits or is being worked on."""
        return self.repo.is_anything_active()

    # One generation

    def get(self, id: str) -> Generation:
        """Raises GenerationNotFound."""
        return self.generations.get(id)

    def known(self, ids: Sequence[str]) -> Sequence[Generation]:
        """In this order, with one look at the rows; those that are gone are left out."""
        return self.generations.known(tuple(ids))

    def image(self, key: str) -> Image.Image:
        """The picture of a key. Raises StoredImageMissing or StoredImageDamaged."""
        return self.images.get(key)

    def size(self, key: str) -> Size:
        """Of the picture of a key, which is not decoded. Raises as image does."""
        return self.images.size(key)

    def mask(self, generation: Generation) -> Mask:
        return Mask.from_image(self.images.get(generation.mask))

    def file(self, key: str) -> bytes:
        """The stored file of a key as it is: a PNG for pictures, a WEBP for thumbnails."""
        return self.images.read_file(key)

    def thumbnail(self, id: str, key: str) -> bytes:
        """A small WEBP of the result of this generation; one that is missing or damaged is made again.

        Raises as image does, if the result cannot be read either.
        """
        try:
            return self.images.read_file(key)
        except (StoredImageMissing, StoredImageDamaged):
            made = thumbnail(self.images.get(self.generations.get(id).output or key))
        # It is shown also where it cannot be kept.
        with suppress(StudioError):
            kept = self.images.put_file(made, ".webp")
            if kept != key:
                self.repo.change([id], thumbnail=kept)
        return made

    def location(self, key: str) -> str:
        """Where the stored file of a key is."""
        return self.images.location(key)

    # Organising

    def set_favourite(self, ids: Sequence[str], favourite: bool = True) -> None:
        self.repo.change(ids, favourite=favourite)

    def rate(self, ids: Sequence[str], rating: int | None) -> None:
        """1 to 5; None takes the rating away."""
        if rating is not None and rating not in RATINGS:
            raise InvalidInput(f"A rating is a number from 1 to 5, not {rating}.")
        self.repo.change(ids, rating=rating)

    def rename(self, ids: Sequence[str], title: str) -> None:
        """An empty title takes it away."""
        self.repo.change(ids, title=title_text(title))

    def note(self, ids: Sequence[str], notes: str) -> None:
        """In place of the notes before."""
        self.repo.change(ids, notes=notes_text(notes))

    def tag(self, ids: Sequence[str], names: Sequence[str]) -> None:
        """Tags that differ only in upper and lower case are one, spelled as it first was."""
        self.repo.tag(ids, [tag_name(name) for name in names])

    def untag(self, ids: Sequence[str], names: Sequence[str]) -> None:
        self.repo.untag(ids, [tag_name(name) for name in names])

    # Throwing away

    def trash(self, ids: Sequence[str]) -> None:
        """Out of the gallery; restore brings it back. Raises InvalidMove for one that is still being painted."""
        if self._with_room(lambda: self.repo.set_deleted(ids, self.now())) < len(set(ids)):
            raise InvalidMove("A generation that is waiting or being painted cannot be deleted. Cancel it first.")

    def restore(self, ids: Sequence[str]) -> None:
        self.repo.set_deleted(ids, None)

    def empty_trash(self, *, all: bool = False, at_once: bool = False) -> PurgeResult:
        """Remove for good what lies in the trash for longer than TRASH_TTL, or all of it.

        Files that nothing needs follow when they have settled, and lie in the trash of the data folder for another
        TRASH_TTL; at_once: they and all that lies there are gone on return. What was made from a removed generation
        stays, and forgets its parent.
        """
        before = None if all else self.now() - TRASH_TTL
        return self._purge_result(self._with_room(lambda: self.repo.purge(self.now(), before=before)), at_once)

    def delete_for_good(self, ids: Sequence[str], *, at_once: bool = False) -> PurgeResult:
        """As empty_trash, but these of the trash only; what does not lie there is left alone."""
        return self._purge_result(self._with_room(lambda: self.repo.purge(self.now(), ids=ids)), at_once)

    def _with_room(self, delete: Callable[[], T]) -> T:
        """On a full disk even a deletion needs room at first: that which was set aside for it."""
        try:
            return delete()
        except StorageFull:
            if not self.reserve.give():
                raise
            return delete()

    def _purge_result(self, purged: tuple[int, set[str]], at_once: bool) -> PurgeResult:
        generations, files = purged
        unused = files - self.files.used_among(files)
        return PurgeResult(generations, len(unused), self._with_room(self.collector.free) if at_once else None)

    def check(self, *, repair: bool = False, most_files: bool = False) -> StorageAudit:
        """Compare files and rows: reads every file. repair: files that nothing uses go to the folder's trash.

        Raises ForeignFolder or TooManyOrphans before anything is moved; most_files: although most files are orphans.
        """
        if repair:
            self.collector.collect()
            self.images.tidy()
        # Files first: what is stored while this runs is not taken for an orphan.
        stored = set(self.images.keys())
        uses, drafts = self.files.in_use()
        lost: dict[type[StudioError], list[BrokenFile]] = {error: [] for error in _UNREAD}
        for key in sorted({*uses, *drafts}):
            try:
                self._read(key)
            except _UNREAD as error:
                lost[type(error)].append(BrokenFile(key, tuple(uses.get(key, ()))))
        # What was released is on its way.
        orphans = sorted(stored - uses.keys() - drafts - set(self.files.released(self.now())))
        removed = self._remove_orphans(orphans, len(stored), most_files) if repair and orphans else ()
        missing, damaged, unreadable = (tuple(lost[error]) for error in _UNREAD)
        return StorageAudit(len(stored), missing, damaged, unreadable, tuple(orphans), removed)

    def _read(self, key: str) -> None:
        """Raises StoredImageMissing, StoredImageDamaged or StoredImageUnreadable."""
        self.images.read_file(key) if "." in key else self.images.get(key)

    def _remove_orphans(self, orphans: Sequence[str], stored: int, most_files: bool) -> tuple[str, ...]:
        if 2 * len(orphans) > stored and not most_files:
            raise TooManyOrphans(
                f"{len(orphans):,} of {stored:,} stored files would be deleted: the database may not belong to this "
                "folder, or rows were lost. Nothing was moved. To delete them anyway, add --yes-most-files."
            )
        return self.collector.discard(orphans)


_UNREAD = (StoredImageMissing, StoredImageDamaged, StoredImageUnreadable)
