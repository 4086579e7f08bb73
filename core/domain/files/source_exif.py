"""What a photo's file says about the photo: camera, lens, date, author, resolution, place. It stays with the picture.

Kept as one block of EXIF, cleaned, into which the author of XMP and IPTC and the resolution of PNG and JFIF are put.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image, IptcImagePlugin, JpegImagePlugin

MAX_BYTES = 64 * 1024
"""Of a block. A camera's, without maker notes and preview, has some thousand."""

MAX_TEXT = 2_000
"""Bytes of one value. Longer ones are somebody's data and not about the photo."""

Base, Ifd = ExifTags.Base, ExifTags.IFD

OUTER = frozenset(
    {
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.XResolution,
        Base.YResolution,
        Base.ResolutionUnit,
        Base.Software,
        Base.DateTime,
        Base.Artist,
        Base.HostComputer,
        Base.Copyright,
        Base.Rating,
        Base.RatingPercent,
        Base.XPTitle,
        Base.XPComment,
        Base.XPAuthor,
        Base.XPKeywords,
        Base.XPSubject,
    }
)
"""What else stands in the outer directory tells how the pixels lie in the file, which is another one now."""

NOT_INNER = frozenset(
    {
        Base.MakerNote,
        Base.UserComment,
        Base.ExifImageWidth,
        Base.ExifImageHeight,
        Base.ExifInteroperabilityOffset,
        Base.RelatedSoundFile,
        Base.ImageUniqueID,
        Base.CompressedBitsPerPixel,
    }
)
"""Maker notes hold places in the old file, and anything else; the comment is where our own record stands."""

INNER = frozenset(tag for tag in Base if 0x829A <= tag <= 0xA500) - NOT_INNER - OUTER
PLACE = frozenset(ExifTags.GPS)
INTEROPERABILITY_INDEX = 1
"""R03: the colours are Adobe RGB, though there is no profile."""


@dataclass(frozen=True, slots=True)
class About:
    """block: EXIF, None if the file says nothing of the kind. dropped: names of what was there and is not kept."""

    block: bytes | None = None
    dropped: tuple[str, ...] = ()


def about(opened: Image.Image) -> About:
    """What the file of a decoded picture says about it. It comes from a stranger: nothing here raises."""
    try:
        exif = opened.getexif()
        made = _copied(exif, with_place=True)
        dropped = [*_dropped(exif), *_packets(opened)]
    except Exception:  # noqa: BLE001 - Pillow's readers raise what they meet in a stranger's file
        exif, made, dropped = Image.Exif(), Image.Exif(), ["damaged EXIF"]
    for tag, value in (*_author(opened), *_resolution(opened, exif)):
        if tag not in made and _is_kept(tag, value):
            made[tag] = value
    says_something = len(made) or any(made.get_ifd(ifd) for ifd in (Ifd.Exif, Ifd.GPSInfo))
    block = made.tobytes() if says_something else None
    if block is not None and len(block) > MAX_BYTES:
        return About(None, ("EXIF, which is too long",))
    return About(block, tuple(dropped))


def for_file(block: bytes, size: tuple[int, int], *, with_place: bool = False) -> Image.Exif | None:
    """What a file of a picture of this size says; None if the block cannot be read. An upright picture says so."""
    try:
        exif = Image.Exif()
        exif.load(block[:MAX_BYTES])
        made = _copied(exif, with_place=with_place)
    except Exception:  # noqa: BLE001 - as above: blocks come in bundles too
        return None
    made[Base.Orientation] = 1
    made.get_ifd(Ifd.Exif).update({Base.ExifImageWidth: size[0], Base.ExifImageHeight: size[1]})
    return made


def without_place(block: bytes) -> bytes | None:
    """The same block with nothing on where the photo was taken."""
    try:
        exif = Image.Exif()
        exif.load(block[:MAX_BYTES])
        return _copied(exif, with_place=False).tobytes()
    except Exception:  # noqa: BLE001 - as above
        return None


def has_place(block: bytes) -> bool:
    """Whether it says where the photo was taken."""
    try:
        exif = Image.Exif()
        exif.load(block[:MAX_BYTES])
        return bool(exif.get_ifd(Ifd.GPSInfo))
    except Exception:  # noqa: BLE001 - as above
        return False


def dpi_of(exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels per inch; None if it does not say."""
    try:
        across, down = float(exif[Base.XResolution]), float(exif[Base.YResolution])
        factor = {2: 1.0, 3: 2.54}[int(exif.get(Base.ResolutionUnit, 2))]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across * factor, down * factor) if 1 <= across * factor < 65_536 and 1 <= down * factor < 65_536 else None


def _copied(exif: Image.Exif, *, with_place: bool) -> Image.Exif:
    made = Image.Exif()
    for tag in OUTER:
        if tag in exif and _is_kept(tag, value := _exact(exif[tag])):
            made[tag] = value
    inner = exif.get_ifd(Ifd.Exif)
    kept = _some(inner, INNER, Ifd.Exif)
    index = exif.get_ifd(Ifd.Interop).get(INTEROPERABILITY_INDEX) if Ifd.Interop in inner else None
    if isinstance(index, str) and len(index) <= 4:
        kept[Ifd.Interop] = {INTEROPERABILITY_INDEX: index}
    if kept:
        made.get_ifd(Ifd.Exif).update(kept)
    if with_place and (place := _some(exif.get_ifd(Ifd.GPSInfo), PLACE, Ifd.GPSInfo)):
        made.get_ifd(Ifd.GPSInfo).update(place)
    return made


def _some(found: Mapping[int, Any], tags: frozenset[int], directory: int) -> dict[int, Any]:
    values = {tag: _text_inside(value) for tag, value in found.items() if tag in tags}
    return {tag: value for tag, value in values.items() if _is_kept(tag, value, directory)}


def _exact(value: Any) -> Any:
    """Text as the bytes that it was: Pillow reads it as Latin-1 and writes it as ASCII, most programs write UTF-8."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _text_inside(value: Any) -> Any:
    """Here Pillow knows no types: it writes ASCII as text, and bytes as numbers, to which core.metadata.exif.typed
    gives the right type. Text ends with a zero."""
    return value if not isinstance(value, str) or value.isascii() else _exact(value) + b"\0"


def _is_kept(tag: int, value: Any, directory: int | None = None) -> bool:
    """Whether it is about the photo, and can be written: what one tag holds must not lose the others."""
    if isinstance(value, bytes) and (len(value) > MAX_TEXT or _is_a_graph(value)):
        return False
    alone = Image.Exif()
    (alone if directory is None else alone.get_ifd(directory))[tag] = value
    try:
        return len(alone.tobytes()) <= MAX_TEXT + 100
    except Exception:  # noqa: BLE001 - Pillow's writer raises whatever a stranger's value makes it
        return False


def _is_a_graph(value: bytes) -> bool:
    """Some tools write how they made a picture into the camera's tags: "prompt:{...}"."""
    return value.lstrip()[:1] in (b"{", b"[") or value.partition(b":")[2].lstrip()[:1] in (b"{", b"[")


def _dropped(exif: Image.Exif) -> Iterator[str]:
    if Base.MakerNote in exif.get_ifd(Ifd.Exif):
        yield "maker notes"
    if exif.get_ifd(Ifd.IFD1):
        yield "preview"


def _packets(opened: Image.Image) -> Iterator[str]:
    xmp = opened.info.get("xmp")
    if xmp and b"urn:inpaint-studio:" not in xmp:
        yield "XMP beyond author and copyright"
    if _iptc(opened):
        yield "IPTC beyond author and copyright"


DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
MAX_PACKET = 2**20
BYLINE, COPYRIGHT_NOTICE = (2, 80), (2, 116)


def _author(opened: Image.Image) -> Iterator[tuple[int, bytes]]:
    """Where EXIF does not say who made the photo and whose it is: from XMP, IPTC, and the texts of a PNG."""
    xmp, iptc = _dublin_core(opened.info.get("xmp")), _iptc(opened)
    names = ((Base.Artist, "creator", BYLINE, "Author"), (Base.Copyright, "rights", COPYRIGHT_NOTICE, "Copyright"))
    for tag, property, record, chunk in names:
        chunk_text = opened.info.get(chunk) if opened.format == "PNG" else None
        for text in (xmp.get(property), iptc.get(record), chunk_text):
            if isinstance(text, str) and text.strip():
                yield tag, text.strip().encode("utf-8", "replace")


def _dublin_core(packet: Any) -> dict[str, str]:
    # A document type is where entity bombs live; XMP has none.
    if not isinstance(packet, bytes) or len(packet) > MAX_PACKET or b"<!" in packet or b"/dc/elements/" not in packet:
        return {}
    try:
        root = ElementTree.fromstring(packet.replace(b"\0", b""))
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        return {}
    found = {}
    for name in ("creator", "rights"):
        for element in root.iter(DUBLIN_CORE + name):
            items = [item.text or "" for item in element.iter(ITEM)] or [element.text or ""]
            found[name] = "; ".join(item.strip() for item in items if item.strip())
    return found


def _iptc(opened: Image.Image) -> dict[tuple[int, int], str]:
    if not isinstance(opened, JpegImagePlugin.JpegImageFile):
        return {}
    try:
        records = IptcImagePlugin.getiptcinfo(opened) or {}
        return {key: _text(value) for key, value in records.items() if value}
    except Exception:  # noqa: BLE001 - as above
        return {}


def _text(value: bytes | list[bytes]) -> str:
    data = b"; ".join(value) if isinstance(value, list) else value
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _resolution(opened: Image.Image, exif: Image.Exif) -> Iterator[tuple[int, Any]]:
    """Of a PNG, or of a JPEG that says it in its JFIF segment: Pillow makes 72 up where nothing does."""
    dpi = opened.info.get("dpi")
    says_so = opened.format == "PNG" or opened.info.get("jfif_unit") in (1, 2)
    if dpi is None or not says_so or dpi_of(exif) is not None or not all(1 <= side < 65_536 for side in dpi):
        return
    yield from ((Base.XResolution, float(dpi[0])), (Base.YResolution, float(dpi[1])), (Base.ResolutionUnit, 2))
