"""A picture as the bytes of a file."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """options: as Pillow's plugin for the format takes them."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
