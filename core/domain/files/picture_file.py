"""What a picture file is and what it holds beside its pixels, counted before any library opens it.

A library copies, unpacks and interprets what it finds, and some of that costs far more than the file has bytes. Here
only lengths are read, so that a file made to do harm is refused in milliseconds, in words.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from core.domain.errors import ImageTooLarge, InvalidImage
from core.domain.files.picture_formats import format_of, sentence_for

MAX_EXIF_BYTES = 128 * 1024
"""A camera's block has at most 64 KiB. Each of its entries may claim all of its bytes, so it is quadratic to read."""

MAX_PROFILE_BYTES = 8 * 2**20
"""The largest colour profiles, of presses, have less than 4 MiB."""

MAX_UNPACKED_BYTES = 2**20
"""Of one compressed text or profile in a PNG file: what Pillow unpacks at most."""

MAX_BESIDE_BYTES = 64 * 2**20
"""Of everything beside the pixels. Depth maps of phones have some MiB."""

MAX_PARTS = 2_000
"""Segments or chunks that hold no pixels. A file with an 8 MiB profile and as much XMP has 260."""

MAX_PIXEL_PARTS = 100_000
"""Chunks with pixels, frames among them. 200 MiB in the usual 8 KiB are 25,600."""

MAX_JUNK_BYTES = 64 * 1024
"""Between the segments of a JPEG file; some cameras fill up to a multiple of 512 or 4096."""

MAX_SCANS = 20
"""Of a progressive JPEG. Encoders write up to 14; each goes over the whole picture again."""

SCANNED_PIXELS = 500_000_000
"""Pixels times scans that are decoded without asking: seconds."""

DAMAGED = "This picture file is damaged or cut off. Export it again and try once more."


@dataclass(frozen=True, slots=True)
class Facts:
    """format: PNG, JPEG, WEBP or AVIF. size: width and height, None where only the library finds out."""

    format: str
    size: tuple[int, int] | None


class _Counted:
    """What was met so far. Raises ImageTooLarge as soon as it is more than a picture needs."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}
        self.parts = self.pixel_parts = 0

    def beside(self, what: str, length: int) -> None:
        self.parts += 1
        self.bytes[what] = self.bytes.get(what, 0) + length
        if what == "EXIF" and self.bytes[what] > MAX_EXIF_BYTES:
            raise _too_much("EXIF data", MAX_EXIF_BYTES)
        if what == "ICC" and self.bytes[what] > MAX_PROFILE_BYTES:
            raise _too_much("colour profile", MAX_PROFILE_BYTES)
        if sum(self.bytes.values()) > MAX_BESIDE_BYTES:
            raise _too_much("data beside its pixels", MAX_BESIDE_BYTES)
        if self.parts > MAX_PARTS:
            raise ImageTooLarge(f"This picture file is cut into more than {MAX_PARTS:,} parts. Export it again.")

    def pixels(self) -> None:
        self.pixel_parts += 1
        if self.pixel_parts > MAX_PIXEL_PARTS:
            raise ImageTooLarge(f"This picture file is cut into more than {MAX_PIXEL_PARTS:,} parts. Export it again.")


def _too_much(what: str, most: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"This file holds more than {most / 1e6:.1f} MB of {what}, far more than any camera or program writes. "
        "Export the picture again without metadata."
    )


def facts_of(data: bytes) -> Facts:
    """Raises InvalidImage for what is no PNG, JPEG, WEBP or AVIF, and ImageTooLarge for what is made to do harm."""
    format = format_of(data)
    read = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "AVIF": _avif}.get(format or "")
    if format is None or read is None:
        raise InvalidImage(sentence_for(data))
    return Facts(format, read(data, _Counted()))


_PNG_PIXELS = {b"IDAT", b"fdAT", b"fcTL"}
_PNG_BESIDE = {b"eXIf": "EXIF", b"iCCP": "ICC"}


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each chunk, as far as the file goes."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, begin = data[at + 4 : at + 8], at + 8
        yield name, begin, min(begin + length, len(data))
        if name == b"IEND":
            return
        at = begin + length + 4


def _png(data: bytes, counted: _Counted) -> tuple[int, int] | None:
    for name, begin, end in png_chunks(data):
        if name in _PNG_PIXELS:
            counted.pixels()
            continue
        counted.beside(_PNG_BESIDE.get(name, "texts"), end - begin)
        if name in (b"iCCP", b"zTXt", b"iTXt"):
            unpacked = _unpacked(name, data[begin:end])
            counted.beside("unpacked texts", unpacked)
            if unpacked > MAX_UNPACKED_BYTES:
                what = "colour profile" if name == b"iCCP" else "text"
                raise ImageTooLarge(
                    f"A {what} in this PNG file unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB. "
                    "Export the picture again without metadata."
                )
    if data[12:16] != b"IHDR" or len(data) < 24:
        raise InvalidImage(DAMAGED)
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _unpacked(name: bytes, content: bytes) -> int:
    """Bytes that this chunk unpacks to, counted up to one more than is taken."""
    packed = content.partition(b"\0")[2]
    if name == b"iTXt":
        if packed[:1] in (b"", b"\0"):
            return 0
        packed = packed[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        packed = packed[1:]
    try:
        return len(zlib.decompressobj().decompress(packed, MAX_UNPACKED_BYTES + 1))
    except zlib.error:
        return 0


_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_ALONE = frozenset({0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
"""Markers after which Pillow reads on at once. Some have a length by the standard; what hides in there counts."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(data: bytes, counted: _Counted) -> tuple[int, int] | None:
    at, junk, scans, size = 2, 0, 0, None
    while found := (_AFTER_SCAN if scans else _MARKER).search(data, at):
        marker, begin = data[found.start() + 1], found.end()
        if not scans:
            junk += found.start() - at
            if junk > MAX_JUNK_BYTES:
                raise InvalidImage(DAMAGED)
        if marker == 0xD9 and scans:
            break
        if marker in _ALONE:
            counted.beside("markers", 2)
            at = begin
            continue
        length = int.from_bytes(data[begin : begin + 2], "big")
        at = begin + max(length, 2)
        content = data[begin + 2 : at]
        if marker == 0xDA:
            scans += 1
            if size and scans > MAX_SCANS and scans * size[0] * size[1] > SCANNED_PIXELS:
                raise ImageTooLarge(
                    f"This JPEG file draws its picture more than {MAX_SCANS} times over, more than any program "
                    "needs. Export it again."
                )
            continue
        if marker in _FRAMES and len(content) >= 5 and not scans:
            size = int.from_bytes(content[3:5], "big"), int.from_bytes(content[1:3], "big")
        counted.beside(_jpeg_kind(marker, content), length)
    return size


def _jpeg_kind(marker: int, content: bytes) -> str:
    if marker == 0xE1 and content.startswith(b"Exif\0"):
        return "EXIF"
    if marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"):
        return "ICC"
    return "segments"


_WEBP_BESIDE = {b"EXIF": "EXIF", b"ICCP": "ICC", b"XMP ": "XMP"}


def _webp(data: bytes, counted: _Counted) -> tuple[int, int] | None:
    """The size of the canvas, which the library sets up as soon as it opens the file."""
    at, size = 12, None
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if size is None:
            size = _webp_size(name, data[at + 8 : at + 18])
        if name in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF"):
            counted.pixels()
        else:
            counted.beside(_WEBP_BESIDE.get(name, "chunks"), min(length, len(data) - at))
        at += 8 + length + length % 2
    return size


def _webp_size(name: bytes, content: bytes) -> tuple[int, int] | None:
    if name == b"VP8X" and len(content) >= 10:
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if name == b"VP8L" and len(content) >= 5:
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 " and len(content) >= 10:
        width, height = int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
        return width & 0x3FFF, height & 0x3FFF
    return None


MAX_META_BYTES = MAX_PROFILE_BYTES + 2**20
"""Of the box that says where everything is. The colour profile lies in it."""

MAX_ITEMS = 4_096


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each box."""
    while begin + 8 <= end:
        length, head = int.from_bytes(data[begin : begin + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[begin + 8 : begin + 16], "big"), 16
        upto = end if length == 0 else min(begin + length, end)
        if upto < begin + head:
            return
        yield data[begin + 4 : begin + 8], begin + head, upto
        begin = upto


def _avif(data: bytes, counted: _Counted) -> tuple[int, int] | None:
    _avif_boxes(data, 0, len(data), counted)
    return None


def _avif_boxes(data: bytes, begin: int, end: int, counted: _Counted, depth: int = 0) -> None:
    """Of the file, and of the tracks of a sequence, which lie two deep."""
    for name, at, upto in _boxes(data, begin, end):
        if name in (b"mdat", b"ftyp"):
            counted.pixels()
        elif name in (b"moov", b"trak") and depth < 2:
            counted.beside("boxes", 8)
            _avif_boxes(data, at, upto, counted, depth + 1)
        else:
            counted.beside("boxes", upto - at)
        if name == b"meta":
            if upto - at > MAX_META_BYTES:
                raise _too_much("data beside its pixels", MAX_META_BYTES)
            _avif_items(data, at + 4, upto, counted)


def _avif_items(data: bytes, begin: int, end: int, counted: _Counted) -> None:
    kinds: dict[int, bytes] = {}
    lengths: dict[int, int] = {}
    for name, at, upto in _boxes(data, begin, end):
        if name == b"iinf":
            kinds |= _item_kinds(data, at, upto)
        elif name == b"iloc":
            lengths |= _item_lengths(data[at:upto])
        elif name == b"iprp":
            for inner, first, last in _boxes(data, at, upto):
                for prop, one, other in _boxes(data, first, last) if inner == b"ipco" else ():
                    counted.beside("ICC" if prop == b"colr" else "properties", other - one)
    for item, length in lengths.items():
        kind = kinds.get(item, b"")
        if kind in (b"Exif", b"mime"):
            counted.beside("EXIF" if kind == b"Exif" else "XMP", length)
        elif length > len(data):
            # Places that overlap: more is claimed than the file has.
            raise InvalidImage(DAMAGED)


def _item_kinds(data: bytes, begin: int, end: int) -> dict[int, bytes]:
    kinds = {}
    first = begin + (6 if data[begin] == 0 else 8)
    for _, at, _ in _boxes(data, first, end):
        wide = 2 if data[at : at + 1] == b"\3" else 0
        item = int.from_bytes(data[at + 4 : at + 6 + wide], "big")
        kinds[item] = data[at + 8 + wide : at + 12 + wide]
        if len(kinds) > MAX_ITEMS:
            raise _too_much("data beside its pixels", MAX_META_BYTES)
    return kinds


def _item_lengths(box: bytes) -> dict[int, int]:
    """Bytes of each item: the sum over its places."""
    if len(box) < 8:
        return {}
    version = box[0]
    offset_size, length_size, base_size = box[4] >> 4, box[4] & 15, box[5] >> 4
    index_size = box[5] & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    at, lengths = 6 + wide, {}
    for _ in range(min(int.from_bytes(box[6 : 6 + wide], "big"), MAX_ITEMS)):
        item = int.from_bytes(box[at : at + wide], "big")
        at += wide + (2 if version in (1, 2) else 0) + 2 + base_size
        count = int.from_bytes(box[at : at + 2], "big")
        at += 2
        step = index_size + offset_size + length_size
        count = min(count, (len(box) - at) // step) if step else 0
        places = (at + place * step + index_size + offset_size for place in range(max(count, 0)))
        lengths[item] = sum(int.from_bytes(box[place : place + length_size], "big") for place in places)
        at += count * step
    return lengths
