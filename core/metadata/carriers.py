"""Where texts travel in picture files: PNG chunks, EXIF and XMP. Everything here comes from strangers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import iTXt

from core.domain.files.picture_file import facts_of, png_chunks
from core.memory import decoding
from core.metadata import exif, xmp
from core.metadata.json_text import MAX_TEXT, objects_in

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")

MAX_PIXELS = 40_000_000
"""Pictures above are not decoded to look for texts inside the pixels."""

MAX_PIXELS_OPENED = 500_000_000
"""Some libraries make room for all pixels as soon as they open a file. What the settings allow at most."""


PARAMETERS = "parameters"
CHUNKS = frozenset({"prompt", "workflow", PARAMETERS})
SPOKEN = (
    "exif:UserComment",
    "xmp:UserComment",
    "comment",
    "exif:ImageDescription",
    "xmp:description",
    "exif:XPComment",
)
"""Where tools write what they have no chunk for, in the order in which they are believed."""


@dataclass(frozen=True)
class Carried:
    """texts: by the name of their PNG chunk, or "exif:UserComment", "xmp:CreatorTool" and the like; "prompt:{...}" in
    EXIF is a text named "prompt". xmp: the packet itself, and xmp_extension what did not fit into it. left_out: names
    of texts above MAX_TEXT."""

    texts: Mapping[str, str] = field(default_factory=dict)
    xmp: str = ""
    xmp_extension: str = ""
    left_out: tuple[str, ...] = ()

    def exif(self, name: str) -> str | None:
        return self.texts.get(f"exif:{name}")

    @cached_property
    def objects(self) -> list[tuple[str, dict[str, Any]]]:
        """All JSON objects, wherever they stand and whatever they stand in, with their names. Chunks come first."""
        return objects_in(sorted(self.texts.items(), key=lambda entry: entry[0] in SPOKEN))

    def named(self, name: str) -> dict[str, Any] | None:
        """The JSON object of this name."""
        return next((value for found, value in self.objects if found == name), None)

    @property
    def spoken(self) -> Iterator[str]:
        """Texts for people, which may be A1111's: EXIF before the chunk, as A1111 does it; also within JSON."""
        for name in (*SPOKEN, PARAMETERS):
            if name in self.texts:
                yield self.texts[name]
        for _, value in self.objects:
            if isinstance(value.get(PARAMETERS), str):
                yield value[PARAMETERS]


def open_picture(data: bytes) -> Image.Image | None:
    """The picture with all its texts read and no pixel decoded, or None."""
    try:
        facts = facts_of(data)
        if facts.size is not None and facts.size[0] * facts.size[1] > MAX_PIXELS_OPENED:
            return None
        return Image.open(io.BytesIO(_texts_first(data) if facts.format == "PNG" else data), formats=FORMATS)
    except Exception:  # noqa: BLE001 - Pillow's readers raise what they meet in a stranger's file
        return None


def _texts_first(data: bytes) -> bytes:
    """A PNG file with the texts that stand behind its pixels before them: the library reads them without the pixels."""
    chunks = list(png_chunks(data))
    first = next((begin - 8 for name, begin, _ in chunks if name in (b"IDAT", b"fcTL")), None)
    behind = b"".join(
        data[begin - 8 : end + 4]
        for name, begin, end in chunks
        if first is not None and begin > first and name in (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
    )
    return data[:first] + behind + data[first:] if behind else data


def load_pixels(picture: Image.Image) -> bool:
    """Decode the pixels. False if that cannot be done."""
    pixels = picture.width * picture.height
    if pixels > MAX_PIXELS:
        return False
    try:
        with decoding(pixels):
            picture.load()
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def carried_by(picture: Image.Image) -> Carried:
    """All texts of an opened picture."""
    texts = ((name, value) for name, value in picture.info.items() if isinstance(name, str))
    found = {name: _text(value) for name, value in texts if isinstance(value, str)}
    found |= exif.texts_of(picture)
    comment = picture.info.get("comment")
    if isinstance(comment, bytes) and comment:
        found["comment"] = exif.decoded(comment)
    found.pop("XML:com.adobe.xmp", None)
    data = picture.info.get("xmp", b"") or exif.profile(picture, "xmp")
    packet = data.decode("utf-8", "replace") if isinstance(data, bytes) and len(data) <= MAX_TEXT else ""
    extension = xmp.extension_in(_app1(picture), packet, MAX_TEXT)
    for part in (packet, extension):
        for name, text in xmp.texts_in(part).items():
            # A graph is a text of its own name, wherever it travels.
            is_chunk = name.lower() in CHUNKS and name.lower() not in found
            found.setdefault(name.lower() if is_chunk else f"xmp:{name}", text)
    return Carried(
        texts={name: text for name, text in found.items() if len(text) <= MAX_TEXT},
        xmp=packet,
        xmp_extension=extension,
        left_out=tuple(name for name, text in found.items() if len(text) > MAX_TEXT),
    )


def _text(value: str) -> str:
    """Of a PNG chunk. Only iTXt is UTF-8 by the standard; the others are often written so all the same."""
    return str(value) if isinstance(value, iTXt) else exif.repaired(value)


def _app1(picture: Image.Image) -> list[bytes]:
    return [data for name, data in getattr(picture, "applist", ()) if name == "APP1"]
