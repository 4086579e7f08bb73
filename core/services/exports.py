"""Results as files to be handed on: in the format that is wanted, with or without what they say of their making."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image

from core.domain.errors import InvalidImage, InvalidMove, StoredImageDamaged, StudioError
from core.domain.files.source_exif import for_file, has_place
from core.domain.generation import Generation
from core.domain.geometry import Size
from core.domain.pixels import compositing
from core.metadata.write import MAX_SIDE, embedded, encoded
from core.ports import ImageStore

log = logging.getLogger(__name__)


class FileType(StrEnum):
    PNG = "png"
    WEBP = "webp"
    WEBP_LOSSY = "webp-lossy"
    JPEG = "jpeg"
    AVIF = "avif"

    @property
    def label(self) -> str:
        return _KINDS[self].label

    @property
    def suffix(self) -> str:
        return _KINDS[self].suffix

    @property
    def mime(self) -> str:
        return f"image/{_KINDS[self].format.lower()}"

    @property
    def is_lossless(self) -> bool:
        return _KINDS[self].is_lossless


@dataclass(frozen=True, slots=True)
class _Kind:
    label: str
    format: str
    suffix: str
    is_lossless: bool = False


_KINDS = {
    FileType.PNG: _Kind("PNG", "PNG", ".png", is_lossless=True),
    FileType.WEBP: _Kind("WEBP, lossless", "WEBP", ".webp", is_lossless=True),
    FileType.WEBP_LOSSY: _Kind("WEBP, small", "WEBP", ".webp"),
    FileType.JPEG: _Kind("JPEG", "JPEG", ".jpg"),
    FileType.AVIF: _Kind("AVIF", "AVIF", ".avif"),
}


ENDINGS = {
    ".png": FileType.PNG,
    ".webp": FileType.WEBP,
    ".jpg": FileType.JPEG,
    ".jpeg": FileType.JPEG,
    ".avif": FileType.AVIF,
}
"""What the ending of a file's name says; WEBP without loss."""


def check_size(type: FileType, width: int, height: int) -> None:
    """Raises InvalidImage if the format holds no picture of this size."""
    most = MAX_SIDE[_KINDS[type].format]
    if max(width, height) > most:
        raise InvalidImage(f"{type.label} holds at most {most:,} pixels a side. Choose PNG.")


@dataclass(frozen=True, slots=True)
class Exports:
    images: ImageStore

    def file(
        self, generation: Generation, type: FileType = FileType.PNG, *, metadata: bool = True, place: bool = False
    ) -> bytes:
        """The result as a file. Raises InvalidMove without a result, InvalidImage if the format cannot hold it.

        metadata: how it was made, and what the photo's file says about the photo; place: also where it was taken.
        Of an imported picture never with metadata: we do not speak for the tool that made it.
        """
        if generation.output is None:
            raise InvalidMove("This generation has no result to download. Run it again first.")
        image = self.images.get(generation.output)
        if image.mode == "I;16" and type is not FileType.PNG:
            image = compositing.for_screen(image, Size(*image.size))
        says = metadata and not generation.is_imported_picture
        return embedded(
            image,
            generation,
            format=_KINDS[type].format,
            metadata=says,
            lossless=type.is_lossless,
            exif=self._exif(generation, image.size, place) if says else None,
        )

    def knows_place(self, generation: Generation) -> bool:
        """Whether the photo's file says where it was taken."""
        block = self._block(generation)
        return block is not None and has_place(block)

    def _exif(self, generation: Generation, size: tuple[int, int], place: bool) -> Image.Exif | None:
        block = self._block(generation)
        return for_file(block, size, with_place=place) if block else None

    def _block(self, generation: Generation) -> bytes | None:
        """What is lost here must not keep back the picture."""
        try:
            return self.images.read_file(generation.source_exif) if generation.source_exif else None
        except (StudioError, OSError) as error:
            log.warning("no EXIF for %s: %s", generation.id, error)
            return None

    def sheet(self, picture: Image.Image, type: FileType) -> bytes:
        """A sheet as a file. Its pictures say how they were made, each in the gallery."""
        return encoded(picture, _KINDS[type].format, lossless=type.is_lossless)

    def losses(self, generation: Generation, type: FileType) -> tuple[str, ...]:
        """What this format cannot keep of the result, one sentence each. Raises InvalidImage if it holds none of it."""
        check_size(type, generation.width, generation.height)
        return tuple(_losses(self._mode(generation.output), type)) if generation.output else ()

    def _mode(self, key: str) -> str:
        """From the header of the file alone."""
        try:
            return Image.open(io.BytesIO(self.images.read_file(key)), formats=("PNG",)).mode
        except (OSError, SyntaxError, ValueError) as error:
            raise StoredImageDamaged from error


def _losses(mode: str, type: FileType) -> Iterator[str]:
    if mode.startswith("I") and type is not FileType.PNG:
        yield "This picture has 16 bits a channel; only PNG keeps them. Here 8 are left."
    if mode == "RGBA" and type is FileType.JPEG:
        yield "JPEG has no transparency: the picture is laid on white."
    if not type.is_lossless:
        yield "Smaller, but not pixel-exact: colours change a little everywhere, also outside the mask."
