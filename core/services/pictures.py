"""Pictures that come in: read once, of the large ones one at a time, and only where the memory has room."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.files.picture import Picture, read_picture
from core.memory import decoding
from core.ports import ImageStore


def read(data: bytes, max_pixels: int) -> Picture:
    """Raises InvalidImage, ImageTooLarge or OutOfMemory."""
    return read_picture(data, max_pixels=max_pixels, decoding=decoding)


@dataclass(frozen=True, slots=True)
class Pictures:
    """max_pixels: larger ones are refused, as the settings say."""

    images: ImageStore
    max_pixels: int

    def read(self, data: bytes) -> Picture:
        """Raises InvalidImage, ImageTooLarge or OutOfMemory."""
        return read(data, self.max_pixels)

    def keep_exif(self, picture: Picture) -> str | None:
        """Store what its file says about the photo, and return the key; None if it says nothing."""
        return self.images.put_file(picture.exif, ".exif") if picture.exif else None
