"""Where texts travel in picture files: PNG chunks, EXIF and XMP. Everything here comes from strangers."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image

from core.domain.picture_file import facts_of, png_chunks
from core.memory import decoding

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")

MAX_TEXT = 4 * 2**20
"""Characters of one text. Workflows of hundreds of nodes have one million. Pillow itself stops at one MiB for
compressed texts and at 64 MiB for all texts of a PNG file."""

MAX_DEPTH = 64
MAX_PIXELS = 40_000_000
"""Pictures above are not decoded to look for texts inside the pixels."""

MAX_PIXELS_OPENED = 500_000_000
"""Some libraries make room for all pixels as soon as they open a file. What the settings allow at most."""

USER_COMMENT = "UserComment"
EXIF_TEXTS = {
    int(ExifTags.Base.UserComment): USER_COMMENT,
    int(ExifTags.Base.MakerNote): "MakerNote",
    int(ExifTags.Base.Software): "Software",
    int(ExifTags.Base.ImageDescription): "ImageDescription",
}
NAMED = re.compile(r"([a-z_]{2,30}):(?=\s*[{\[])")
"""ComfyUI's form for EXIF: "prompt:{...}"."""

BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Carried:
    """texts: by the name of their PNG chunk, or "exif:UserComment" and the like; "prompt:{...}" in EXIF is a text
    named "prompt". left_out: names of texts above MAX_TEXT."""

    texts: Mapping[str, str] = field(default_factory=dict)
    xmp: str = ""
    left_out: tuple[str, ...] = ()

    def exif(self, name: str) -> str | None:
        return self.texts.get(f"exif:{name}")


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
    found = {
        **{name: value for name, value in picture.info.items() if isinstance(name, str) and isinstance(value, str)},
        **_exif_texts(picture),
    }
    comment = picture.info.get("comment")
    if isinstance(comment, bytes):
        found["comment"] = comment.decode("utf-8", "replace")
    found.pop("XML:com.adobe.xmp", None)
    xmp = picture.info.get("xmp", b"")
    return Carried(
        texts={name: str(text) for name, text in found.items() if len(text) <= MAX_TEXT},
        xmp=xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) and len(xmp) <= MAX_TEXT else "",
        left_out=tuple(name for name, text in found.items() if len(text) > MAX_TEXT),
    )


def _exif_texts(picture: Image.Image) -> dict[str, str]:
    try:
        exif = picture.getexif() if "exif" in picture.info else {}
        # Fooocus puts the tags of the inner directory into the outer one.
        entries = {**exif, **(exif.get_ifd(ExifTags.IFD.Exif) if exif else {})}
    except Exception:  # noqa: BLE001 - as above
        return {}
    texts = {}
    for tag, value in entries.items():
        text = _decoded(value) if isinstance(value, str | bytes) else ""
        if named := NAMED.match(text):
            texts[named[1]] = text[named.end() :]
        elif tag in EXIF_TEXTS and text:
            texts[f"exif:{EXIF_TEXTS[tag]}"] = text
    return texts


def _decoded(value: str | bytes) -> str:
    """An EXIF text: plain, or with the eight bytes before it that name its encoding."""
    data = value.encode("latin-1", "replace") if isinstance(value, str) and value.startswith("UNICODE") else value
    if isinstance(data, str):
        # Pillow reads plain EXIF text as Latin-1; most tools write UTF-8.
        with contextlib.suppress(UnicodeError):
            data = data.encode("latin-1").decode()
        return data.rstrip("\x00")
    if data.startswith(b"UNICODE\x00"):
        return _utf16(data[8:])
    for prefix in (b"ASCII\x00\x00\x00", bytes(8)):
        data = data.removeprefix(prefix)
    return data.decode("utf-8", "replace").rstrip("\x00")


def _utf16(data: bytes) -> str:
    """Big-endian as A1111 writes it; little-endian by its mark, or if it has more zeros where Latin text has them."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    is_little = data[1::2].count(0) > data[0::2].count(0)
    return data.decode("utf-16-le" if is_little else "utf-16-be", "replace")


def exif_with(user_comment: str) -> bytes:
    exif = Image.Exif()
    # A half character would make UTF-16 fail; the params refuse it, but other texts may come in later.
    encoded = user_comment.encode("utf-16-be", "replace")
    exif[ExifTags.IFD.Exif] = {int(ExifTags.Base.UserComment): b"UNICODE\x00" + encoded}
    return exif.tobytes()


# JSON ----------------------------------------------------------------------------------------------------------


def json_object(text: str | None) -> dict[str, Any] | None:
    """The JSON object in a text, or None. NaN and infinity, which ComfyUI writes, become None."""
    if text is None or len(text) > MAX_TEXT or text.lstrip()[:1] != "{" or _is_too_deep(text):
        return None
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_too_deep(text: str) -> bool:
    depth = 0
    for token in BRACKETS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


# XMP -----------------------------------------------------------------------------------------------------------

NAMESPACE = "urn:inpaint-studio:ns:1.0/"
"""Ours. Both names below are part of the format: files with them are out in the world."""

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture in which a trained model has repainted a part."""

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:studio="{namespace}">
   <xmp:CreatorTool>{program}</xmp:CreatorTool>
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>{record}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xmp_with(record_json: str | None, program: str) -> bytes:
    """record_json: our record, or None if it travels elsewhere in the file."""
    record = ""
    if record_json is not None:
        # The few characters that XML cannot hold stand in JSON only inside of strings, where \u says the same.
        text = NOT_IN_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", record_json)
        record = f"\n   <studio:record>{_escaped(text)}</studio:record>"
    packet = PACKET.format(namespace=NAMESPACE, program=_escaped(program), source_type=SOURCE_TYPE, record=record)
    return packet.encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def record_in(xmp: str) -> str | None:
    """Our record in an XMP packet, as an element or, as some editors rewrite it, as an attribute."""
    if NAMESPACE not in xmp or "<!" in xmp:
        # A document type is where entity bombs live; XMP has none.
        return None
    try:
        root = ElementTree.fromstring(xmp.replace("\x00", "").lstrip("\ufeff"))
    except (ElementTree.ParseError, ValueError, RecursionError):
        return None
    name = f"{{{NAMESPACE}}}record"
    for element in root.iter():
        if element.tag == name:
            return element.text
        if name in element.attrib:
            return element.attrib[name]
    return None
