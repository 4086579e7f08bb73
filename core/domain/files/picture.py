"""Reading pictures that strangers send: which files are taken, and what is made of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from PIL import ExifTags, Image

from core.domain.errors import ImageTooLarge, InvalidImage, OutOfMemory, StudioError
from core.domain.files.picture_file import DAMAGED, facts_of
from core.domain.files.source_exif import about
from core.domain.pixels import colour

# Pillow's own limit warns at 89 megapixels and knows nothing of our settings; _check_size comes before any decoding.
Image.MAX_IMAGE_PIXELS = None

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
MAX_PIXELS = 100_000_000
"""100 megapixels: above today's cameras, below what would fill the memory of a small machine (400 MB as RGBA)."""

MAX_FILE_BYTES = 200 * 1024 * 1024
MIN_SIDE = 16

WORKING_MODES = {
    "RGB": "RGB",
    "RGBA": "RGBA",
    "I;16": "I;16",
    "I;16B": "I;16",
    "L": "RGB",
    "LA": "RGBA",
    "1": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "RGBX": "RGB",
}
"""What each Pillow mode becomes. L and LA become RGB and RGBA without loss, so that colour can be painted in."""

LOSSY_MODES = {"CMYK", "YCbCr", "LAB", "HSV"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in one of the modes RGB, RGBA and I;16, upright, without foreign metadata.

    notes: one sentence for everything that was converted or dropped on the way in. exif: what the file says about the
    photo, as core.domain.files.source_exif keeps it.
    """

    image: Image.Image
    notes: tuple[str, ...] = ()
    exif: bytes | None = None


PEAK = {"PNG": 12, "JPEG": 12, "WEBP": 20, "AVIF": 16}
"""Bytes of memory a pixel while a picture is opened and made upright, measured at 40 megapixels with Pillow 13."""

Decoding = Callable[[int, int], AbstractContextManager[None]]
"""(pixels, bytes a pixel) -> what is held while they are decoded; it may raise a StudioError if there is no room."""


def read_picture(
    data: bytes, *, max_pixels: int = MAX_PIXELS, decoding: Decoding = lambda pixels, peak: nullcontext()
) -> Picture:
    """Read a PNG, JPEG, WEBP or AVIF file. The colour profile is kept, and EXIF beside the picture; its
    orientation is applied.

    Raises InvalidImage or ImageTooLarge, before decoding where the header is enough to know; and what decoding raises.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ImageTooLarge(f"This file has {len(data) / 1e6:.0f} MB; the limit is {MAX_FILE_BYTES // 2**20} MiB.")
    with _translate_errors():
        facts = facts_of(data)
        # Some libraries make room for all pixels as soon as they open a file; that of AVIF reads its header first.
        size = facts.size or Image.open(io.BytesIO(data), formats=FORMATS).size
        _check_size(size, max_pixels)
        with decoding(size[0] * size[1], PEAK[facts.format]):
            opened = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(opened.size, max_pixels)
            notes = _notes(opened, data)
            opened.load()
            image, said = _normalised(opened), about(opened)
            notes += colour.profile_notes(opened, image)
            if said.dropped:
                notes.append(f"Metadata that will not be kept: {', '.join(said.dropped)}.")
            return Picture(image, tuple(notes), said.block)


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except StudioError:
        raise
    except MemoryError as error:
        raise OutOfMemory(
            "Not enough memory to open this picture. Make it smaller, or close other programs."
        ) from error
    except Exception as error:
        # A decoder raises what it meets in a stranger's file: OSError, SyntaxError, RuntimeError, struct.error, ...
        raise InvalidImage(DAMAGED) from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"This picture has {width * height / 1e6:.0f} megapixels; the limit is {max_pixels / 1e6:.0f}. Make it "
            "smaller and try again."
        )
    if min(size) < MIN_SIDE:
        raise InvalidImage(f"This picture is {width} x {height} pixels; each side needs at least {MIN_SIDE}.")


def _notes(opened: Image.Image, data: bytes) -> list[str]:
    notes = []
    if opened.format == "MPO":
        # Phones put a depth or gain map, stereo cameras the other eye, behind the photo: that is no animation.
        notes.append("This photo contains further images, such as a depth or gain map; only the photo itself is used.")
    elif getattr(opened, "n_frames", 1) > 1:
        notes.append("This file is an animation: only its first frame is used.")
    if opened.mode in LOSSY_MODES:
        notes.append(f"{opened.mode} colours are converted to RGB.")
    if opened.mode == "P":
        notes.append("Palette colours are converted to full colour (without loss).")
    if opened.format == "PNG" and data[24] == 16 and opened.mode != "I;16":
        notes.append("16 bits per channel are read as 8; only grey pictures keep 16 bits.")
    return notes


TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation, and what makes such a picture upright."""


def _normalised(opened: Image.Image) -> Image.Image:
    orientation = _orientation(opened)
    upright = opened.transpose(TURNED[orientation]) if orientation in TURNED else opened
    if upright.mode == "P" or (upright.mode in ("RGB", "L", "1") and "transparency" in upright.info):
        mode = "RGBA" if "transparency" in upright.info else "RGB"
    elif upright.mode in ("PA", "La", "RGBa"):
        mode = "RGBA"
    else:
        mode = WORKING_MODES.get(upright.mode, "RGB")
    clean = upright.convert(mode)
    profile = colour.kept_profile(opened, mode)
    clean.info = {colour.PROFILE: profile} if profile else {}
    return clean


def _orientation(opened: Image.Image) -> int:
    try:
        return int(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - EXIF comes from strangers; a broken block must not lose the picture
        return 1
