"""Thumbnails: made once, when a picture comes into the gallery."""

from __future__ import annotations

from PIL import Image

from core.domain.files.encoding import encoded
from core.domain.geometry import Size
from core.domain.pixels import compositing
from core.domain.pixels.colour import as_srgb

THUMBNAIL = Size(384, 384)


def thumbnail(image: Image.Image) -> bytes:
    """A WEBP in sRGB that fits into THUMBNAIL."""
    size = Size(*image.size)
    if image.mode == "I;16":
        small = compositing.for_screen(image, size.fitted(THUMBNAIL))
    else:
        small = as_srgb(image.resize(size.fitted(THUMBNAIL).sides, Image.Resampling.LANCZOS, reducing_gap=2.0))
    # Method 0: 19 ms and 18 kB for 384 px, against 38 ms and 15 kB for method 4.
    return encoded(small, "WEBP", quality=80, method=0)
