"""Looking at what was made, finding it again, and putting it away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from PIL import Image

from core.domain.errors import InvalidInput, InvalidMove, StoredImageDamaged, StoredImageMissing
from core.domain.gallery import (
    PAGE_ROWS,
    RATINGS,
    Check,
    Count,
    Cursor,
    Emptied,
    Facets,
    GalleryFilter,
    GallerySlice,
    Lost,
    SavedSearch,
    notes_text,
    tag_name,
    title_text,
)
from core.domain.generation import Generation
from core.domain.hashing import sha256_of
from core.domain.mask import Mask
from core.ports import ImageStore
from db.generations import GenerationRepo

EVERYTHING = GalleryFilter()

RETENTION = timedelta(days=30)
"""How long the trash keeps what was put there."""

SETTLED_S = 3600.0
"""While something is being painted, younger files than this are not taken for orphans: their row may come yet."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Every method on several ids works on all of them or on none; GenerationNotFound if one does not exist."""

    repo: GenerationRepo
    images: ImageStore
    now: Callable[[], datetime]

    # Finding

    def browse(
        self, filter: GalleryFilter = EVERYTHING, cursor: Cursor | None = None, limit: int = PAGE_ROWS
    ) -> GallerySlice:
        """Raises InvalidInput for a cursor of another order."""
        return self.repo.browse(filter, cursor, limit)

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
            raise InvalidInput("A saved search needs a name of 1 to 100 characters.")
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
        return self.repo.get(id)

    def image(self, key: str) -> Image.Image:
        """The picture of a key. Raises StoredImageMissing or StoredImageDamaged."""
        return self.images.get(key)

    def mask(self, generation: Generation) -> Mask:
        return Mask.from_image(self.images.get(generation.mask))

    def file(self, key: str) -> bytes:
        """The stored file of a key as it is: a PNG for pictures, a WEBP for thumbnails."""
        return self.images.read_file(key)

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
        if self.repo.set_deleted(ids, self.now()) < len(set(ids)):
            raise InvalidMove("A generation that is waiting or being painted cannot be deleted. Cancel it first.")

    def restore(self, ids: Sequence[str]) -> None:
        self.repo.set_deleted(ids, None)

    def empty_trash(self, *, all: bool = False) -> Emptied:
        """Remove for good what lies in the trash for longer than RETENTION, or all of it.

        Files go with it unless another generation, in whatever state, or an open draft needs them. What was made from
        a removed generation stays, and forgets its parent. Rows go first: if the program ends in between, files are
        left over that check finds; never a row without its file.
        """
        return self._without_files(*self.repo.purge(None if all else self.now() - RETENTION))

    def delete_for_good(self, ids: Sequence[str]) -> Emptied:
        """As empty_trash, but these of the trash only; what does not lie there is left alone."""
        return self._without_files(*self.repo.purge(ids=ids))

    def _without_files(self, generations: int, files: set[str]) -> Emptied:
        unused = files - self.repo.used_among(files)
        return Emptied(generations, sum(self.images.remove(key) for key in sorted(unused)))

    def check(self, *, repair: bool = False) -> Check:
        """Compare files and rows: reads every file. repair: remove files that nothing uses, and nothing else."""
        # Files first: what is stored while this runs is not taken for an orphan.
        stored = set(self.images.keys())
        uses, drafts = self.repo.files_in_use()
        missing, damaged = [], []
        for key in sorted({*uses, *drafts}):
            try:
                if key not in stored and not self.images.has(key):
                    raise StoredImageMissing
                self._read(key)
            except StoredImageMissing:
                missing.append(Lost(key, tuple(uses.get(key, ()))))
            except StoredImageDamaged:
                damaged.append(Lost(key, tuple(uses.get(key, ()))))
        orphans = sorted(stored - uses.keys() - drafts)
        removed = self._remove_orphans(orphans) if repair else ()
        return Check(len(stored), tuple(missing), tuple(damaged), tuple(orphans), removed)

    def _read(self, key: str) -> None:
        """Raises StoredImageMissing or StoredImageDamaged."""
        if "." not in key:
            self.images.get(key)
        elif sha256_of(self.images.read_file(key)) != key.partition(".")[0]:
            raise StoredImageDamaged

    def _remove_orphans(self, orphans: Sequence[str]) -> tuple[str, ...]:
        settled_s = SETTLED_S if self.repo.is_anything_active() else 0.0
        unused = set(orphans) - self.repo.used_among(orphans)
        return tuple(key for key in sorted(unused) if self.images.remove(key, settled_s=settled_s))
