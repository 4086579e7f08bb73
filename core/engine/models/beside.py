"""What people keep beside a file of weights: a picture of what it does, and its trigger words; also in its metadata."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from core.domain.errors import StudioError
from core.domain.files.picture import read_picture
from core.engine.models import header
from core.engine.models.header import Damaged
from core.files import read_regular
from core.memory import decoding

PICTURES = (".preview.png", ".preview.jpg", ".preview.jpeg", ".preview.webp", ".png", ".jpg", ".jpeg", ".webp")
"""Endings in place of that of the file, as A1111 and its helpers write them."""

TEXTS = (".json",)
"""A1111 (ui_extra_networks_user_metadata.py) keeps what is written on a card in such a file."""

MAX_PICTURE_BYTES = 20 * 2**20
MAX_TEXT_BYTES = 2**20
MAX_PIXELS = 40_000_000
SIDE_PX = 256
QUALITY = 80

THUMBNAIL = "modelspec.thumbnail"
"""A data URL, as ModelSpec (Stability-AI/ModelSpec) has it."""


def files(weights: Path) -> Iterator[Path]:
    """Of these names, those that are there."""
    return (path for path in _named(weights, (*PICTURES, *TEXTS)) if path.is_file())


def picture(weights: Path) -> bytes | None:
    """A JPEG of at most SIDE_PX a side. What cannot be read counts as not there."""
    for data in _pictures(weights):
        try:
            image = read_picture(data, max_pixels=MAX_PIXELS, decoding=decoding).image
        except StudioError:
            continue
        image.thumbnail((SIDE_PX, SIDE_PX))
        small = io.BytesIO()
        _flat(image).save(small, "JPEG", quality=QUALITY)
        return small.getvalue()
    return None


def trigger_words(weights: Path) -> Sequence[str]:
    """What its owner has written into the card of A1111 as activation text."""
    for path in _named(weights, TEXTS):
        try:
            content = json.loads(read_regular(path, MAX_TEXT_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        text = content.get("activation text") if isinstance(content, dict) else None
        if isinstance(text, str):
            return tuple(word.strip() for word in text.split(",") if word.strip())
    return ()


def _named(weights: Path, endings: Sequence[str]) -> Iterator[Path]:
    return (weights.with_name(weights.stem + ending) for ending in endings)


def _pictures(weights: Path) -> Iterator[bytes]:
    for path in _named(weights, PICTURES):
        try:
            yield read_regular(path, MAX_PICTURE_BYTES)
        except OSError:
            continue
    if weights.suffix == ".safetensors" and (data := _thumbnail(weights)):
        yield data


def _thumbnail(weights: Path) -> bytes | None:
    try:
        kind, _, content = header.read(weights).metadata.get(THUMBNAIL, "").partition(";base64,")
        return base64.b64decode(content, validate=True) if kind.startswith("data:image/") else None
    except (Damaged, binascii.Error, ValueError):
        return None


def _flat(image: Image.Image) -> Image.Image:
    """Without transparency, on grey."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "#808080"), image).convert("RGB")
