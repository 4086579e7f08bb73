"""Looking at what was made, and putting it away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from PIL import Image

from core.domain.errors import InvalidMove
from core.domain.gallery import PAGE_ROWS, Cursor, GalleryFilter, GallerySlice
from core.domain.generation import Generation
from core.domain.mask import Mask
from core.ports import ImageStore
from db.generations import GenerationRepo

EVERYTHING = GalleryFilter()


@dataclass(frozen=True, slots=True)
class Gallery:
    repo: GenerationRepo
    images: ImageStore
    now: Callable[[], datetime]

    def browse(
        self, filter: GalleryFilter = EVERYTHING, cursor: Cursor | None = None, limit: int = PAGE_ROWS
    ) -> GallerySlice:
        return self.repo.browse(filter, cursor, limit)

    def page_before(self, filter: GalleryFilter, cursor: Cursor, limit: int = PAGE_ROWS) -> Cursor | None:
        """To page back from the page of this cursor; None: back to the first page."""
        return self.repo.page_before(filter, cursor, limit)

    def models(self) -> list[str]:
        """The models found in the gallery, the trash included."""
        return self.repo.models()

    def count(self, filter: GalleryFilter = EVERYTHING) -> int:
        return self.repo.count(filter)

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

    def trash(self, ids: Sequence[str]) -> None:
        """Out of the gallery; restore brings it back. Raises InvalidMove for one that is still being painted."""
        if self.repo.set_deleted(ids, self.now()) < len(set(ids)):
            raise InvalidMove("A generation that is waiting or being painted cannot be deleted. Cancel it first.")

    def restore(self, ids: Sequence[str]) -> None:
        self.repo.set_deleted(ids, None)
