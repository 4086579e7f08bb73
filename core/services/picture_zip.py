"""Zip files that hold pictures, each named by the hash of its pixels. Strangers send them too.

images/<sha256>.png         a picture
exif/<sha256>.exif          what a photo's file says about it, without where it was taken
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from core.domain.errors import InvalidImage, InvalidInput, StudioError
from core.domain.files.picture import MAX_PIXELS
from core.domain.files.picture_file import facts_of
from core.domain.files.source_exif import MAX_BYTES
from core.domain.hashing import is_named, sha256_of
from core.memory import decoding

EXIF_ENDING = ".exif"
MAX_IMAGE_BYTES = 8 * MAX_PIXELS
"""An uncompressed RGBA picture of the largest size, twice: no PNG that we wrote is larger."""


@contextmanager
def translate_errors(invalid: type[InvalidInput]) -> Iterator[None]:
    """The border: zipfile, zlib, json, Pillow and pydantic each have errors of their own for what strangers send."""
    try:
        yield
    except StudioError:
        raise
    except Exception as error:
        raise invalid from error


@dataclass(frozen=True, slots=True)
class PictureZip:
    """A zip that is read. invalid: the error for all that is wrong with it. max_pixels: of one picture."""

    zip: zipfile.ZipFile
    invalid: type[InvalidInput]
    max_pixels: int = MAX_PIXELS

    @classmethod
    @contextmanager
    def opened(cls, file: BinaryIO, invalid: type[InvalidInput], max_pixels: int = MAX_PIXELS) -> Iterator[PictureZip]:
        """Raises invalid for what is no zip."""
        with translate_errors(invalid):
            archive = zipfile.ZipFile(file)
        with archive:
            yield cls(archive, invalid, max_pixels)

    def read(self, name: str, limit: int) -> bytes:
        """One file, never more than so many bytes, whatever its header says."""
        with translate_errors(self.invalid):
            with self.zip.open(name) as file:
                data = file.read(limit + 1)
            if len(data) > limit:
                raise self.invalid
            return data

    def picture(self, key: str) -> Image.Image:
        return decoded(self.read(name_of(key), MAX_IMAGE_BYTES), key, self.invalid, self.max_pixels)

    def exif(self, key: str) -> bytes:
        block = self.read(exif_name_of(key), MAX_BYTES)
        if sha256_of(block) + EXIF_ENDING != key:
            raise self.invalid
        return block


def decoded(data: bytes, key: str, invalid: type[InvalidInput], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Raises invalid unless these bytes are the picture of this key, and no larger than that."""
    with translate_errors(invalid):
        try:
            facts_of(data)
        except InvalidImage as error:
            raise invalid(f"A picture in this file cannot be read. {error}") from error
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        if image.width * image.height > max_pixels:
            limit = f"{max_pixels / 1e6:.0f} megapixels"
            raise invalid(f"A picture in this file has {image.width} x {image.height} pixels; the limit is {limit}.")
        with decoding(image.width * image.height):
            image.load()
        if not is_named(key, image):
            raise invalid("A picture in this file is not the one that was recorded. Export it again.")
        return image


def name_of(key: str) -> str:
    """Only names of this form are ever opened, so a path in a zip leads nowhere."""
    return f"images/{key.removeprefix('sha256:')}.png"


def exif_name_of(key: str) -> str:
    return f"exif/{key.removeprefix('sha256:')}"
