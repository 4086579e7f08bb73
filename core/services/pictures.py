"""Pictures that come in: read once, of the large ones one at a time, and only where the memory has room."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.picture import Picture, read_picture
from core.memory import decoding


@dataclass(frozen=True, slots=True)
class Pictures:
    """max_pixels: larger ones are refused, as the settings say."""

    max_pixels: int

    def read(self, data: bytes) -> Picture:
        """Raises InvalidImage, ImageTooLarge or OutOfMemory."""
        return read_picture(data, max_pixels=self.max_pixels, decoding=decoding)
