"""The file that is handed on: the picture, and what it says about how it was made."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, PngImagePlugin

from core.domain.errors import InvalidImage
from core.domain.generation import Generation
from core.domain.hashing import canonical_json
from core.metadata import a1111, ours
from core.metadata.carriers import exif_with, xmp_with

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

MAX_JPEG_XMP = 65_000
"""Bytes. A block of a JPEG file has 64 KiB, and Pillow writes one."""

EXPENDABLE = ("run", "environment", "model")
"""What a record can do without, in this order, where there is no room for it."""


def embedded(
    image: Image.Image, generation: Generation, *, format: str = "PNG", metadata: bool = True, lossless: bool = True
) -> bytes:
    """The file for sharing. Pixels of PNG and WEBP are those of the image; its colour profile is kept.

    image: RGB, RGBA or I;16. metadata: False leaves out everything but the colour profile. lossless: False makes a
    WEBP small instead of exact. JPEG has no transparency: the picture is laid on white.

    Raises InvalidImage if the format cannot hold the picture.
    """
    return encoded(image, format, lossless=lossless, **(_texts(generation, format) if metadata else {}))


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


def _texts(generation: Generation, format: str) -> dict[str, Any]:
    record, parameters = ours.record_of(generation), a1111.text_of(generation)
    if format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(ours.CHUNK, canonical_json(record))
        chunks.add_text(a1111.CHUNK, parameters)
        chunks.add_itxt("XML:com.adobe.xmp", xmp_with(None, ours.PROGRAM))
        return {"pnginfo": chunks}
    limit = MAX_JPEG_XMP if format == "JPEG" else None
    return {"exif": exif_with(parameters), "xmp": _xmp_within(limit, record)}


def _xmp_within(limit: int | None, record: dict[str, Any]) -> bytes:
    """With the whole record if there is room, else with what can be told, and words for what is missing."""
    left_out: list[str] = []
    for expendable in (None, *EXPENDABLE):
        if expendable is not None:
            left_out.append(expendable)
            record = {name: value for name, value in record.items() if name != expendable}
            record["note"] = f"Left out, for a JPEG file has no room: {', '.join(left_out)}. A PNG file has it all."
        xmp = xmp_with(canonical_json(record), ours.PROGRAM)
        if limit is None or len(xmp) <= limit:
            break
    return xmp
