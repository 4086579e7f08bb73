"""The file that is handed on: the picture, and what it says about how it was made."""

from __future__ import annotations

import io
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from core import __version__
from core.domain.errors import InvalidImage
from core.domain.files.source_exif import dpi_of
from core.domain.generation import Generation
from core.domain.hashing import canonical_json
from core.metadata import a1111, ours, xmp
from core.metadata.exif import typed, with_comment

PROGRAM = f"{ours.PROGRAM} {__version__}"
FORMATS = ("PNG", "WEBP", "JPEG", "AVIF")
"""PNG and WEBP are written without loss."""

OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    # exact: colours under full transparency are pixels too.
    "WEBP": {"lossless": True, "exact": True, "method": 4},
    "JPEG": {"quality": 95, "subsampling": 0},
    "AVIF": {"quality": 90},
}
LOSSY_WEBP = {"quality": 90, "method": 4}
MAX_SIDE = {"PNG": 2**31 - 1, "WEBP": 16_383, "JPEG": 65_500, "AVIF": 65_535}

MAX_JPEG_BLOCK = 65_000
"""Bytes. A segment of a JPEG file has 64 KiB. XMP can go on in further ones, EXIF cannot."""

LONGEST_IN_JPEG = 7_500
"""Characters of each prompt in EXIF, where both at their full length have no room: they are whole in the record."""


def embedded(
    image: Image.Image,
    generation: Generation,
    *,
    format: str = "PNG",
    metadata: bool = True,
    lossless: bool = True,
    exif: Image.Exif | None = None,
) -> bytes:
    """The file for sharing. Pixels of PNG and WEBP are those of the image; its colour profile is kept.

    image: RGB, RGBA or I;16. metadata: False leaves out everything but the colour profile. lossless: False makes a
    WEBP small instead of exact. exif: what the photo's file says about it (changed here); left out of a JPEG that has
    no room for it. JPEG has no transparency: the picture is laid on white.

    Raises InvalidImage if the format cannot hold the picture.
    """
    texts = _texts(generation, format, exif) if metadata else {}
    return encoded(image, format, lossless=lossless, **texts)


def encoded(image: Image.Image, format: str, *, lossless: bool = True, **texts: Any) -> bytes:
    """texts: as Pillow's writers take them. Raises InvalidImage if the format cannot hold the picture."""
    _check(image, format)
    if image.mode == "RGBA" and format == "JPEG":
        flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    else:
        flat = image.copy()
    # Other entries, such as comments, would be written along.
    flat.info = {}
    file = io.BytesIO()
    options = LOSSY_WEBP if format == "WEBP" and not lossless else OPTIONS[format]
    flat.save(file, format, icc_profile=image.info.get("icc_profile"), **options, **texts)
    return file.getvalue()


def _check(image: Image.Image, format: str) -> None:
    if format not in FORMATS:
        raise InvalidImage(f"Pictures are written as {', '.join(FORMATS)}, not as {format}. Choose one of these.")
    if image.mode not in ("RGB", "RGBA", "I;16"):
        raise InvalidImage(f"A picture in the mode {image.mode} cannot be written. Convert it to RGB first.")
    if image.mode == "I;16" and format != "PNG":
        raise InvalidImage(f"A 16-bit picture would lose half of its bits as {format}. Choose PNG.")
    if max(image.size) > MAX_SIDE[format]:
        raise InvalidImage(f"{format} holds at most {MAX_SIDE[format]} pixels a side. Choose PNG.")


def _texts(generation: Generation, format: str, exif: Image.Exif | None) -> dict[str, Any]:
    record, parameters = ours.record_of(generation), a1111.text_of(generation)
    if format == "AVIF" and exif is not None:
        # Pillow takes it out, and then writes all texts anew, as ASCII. Without it a picture is upright.
        exif.pop(ExifTags.Base.Orientation, None)
    dpi = dpi_of(exif) if exif is not None else None
    resolution = {"dpi": dpi} if dpi else {}
    if format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(ours.CHUNK, canonical_json(record))
        chunks.add_text(a1111.CHUNK, parameters)
        chunks.add_itxt("XML:com.adobe.xmp", xmp.packet(None, PROGRAM))
        return {"pnginfo": chunks, **({"exif": typed(exif.tobytes())} if exif is not None else {}), **resolution}
    if format == "JPEG":
        return _in_jpeg(generation, record, parameters, exif) | resolution
    return {"exif": with_comment(parameters, exif), "xmp": xmp.packet(canonical_json(record), PROGRAM)}


def _in_jpeg(
    generation: Generation, record: dict[str, Any], parameters: str, exif: Image.Exif | None
) -> dict[str, Any]:
    shorter = a1111.text_of(generation, longest=LONGEST_IN_JPEG)
    # What has no room goes in this order: the ends of long prompts, what the photo's file says, both.
    blocks = (with_comment(text, said) for said in (exif, None) for text in (parameters, shorter))
    block = next((block for block in blocks if len(block) <= MAX_JPEG_BLOCK), b"")
    packet = xmp.packet(canonical_json(record), PROGRAM)
    if len(packet) <= MAX_JPEG_BLOCK:
        return {"exif": block, "xmp": packet}
    packet, extension = xmp.extended(canonical_json(record), PROGRAM)
    return {"exif": block, "xmp": packet, "extra": xmp.segments(extension)}
