"""Texts in EXIF: reading them in every spelling that tools use, and writing ours as the standard asks."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator
from itertools import islice

from PIL import ExifTags, Image

USER_COMMENT = "UserComment"
TEXTS = {
    int(ExifTags.Base.UserComment): USER_COMMENT,
    int(ExifTags.Base.MakerNote): "MakerNote",
    int(ExifTags.Base.Software): "Software",
    int(ExifTags.Base.ImageDescription): "ImageDescription",
    int(ExifTags.Base.XPComment): "XPComment",
}
NAMED = re.compile(r"([A-Za-z_]{2,30}):(?=\s*[{\[])")
"""ComfyUI's form for EXIF: "prompt:{...}" or "Prompt: {...}", in any tag."""

ENCODINGS = (b"ASCII\0\0\0", b"JIS\0\0\0\0\0")
UNICODE = b"UNICODE\0"
HEAD = b"Exif\0\0"
MAX_PROFILE = 4 * 2**20
CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1f]")
MARKS = (b"\xff\xfe", b"\xfe\xff")


def texts_of(picture: Image.Image) -> dict[str, str]:
    """By "exif:UserComment" and the like; what is named inside of a tag stands under that name in small letters."""
    try:
        exif = _exif(picture)
        # Fooocus puts the tags of the inner directory into the outer one.
        entries = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # noqa: BLE001 - Pillow's readers raise what they meet in a stranger's file
        return {}
    texts = {}
    for tag, value in entries.items():
        text = decoded(_bytes(value))
        if named := NAMED.match(text):
            texts[named[1].lower()] = text[named.end() :].lstrip()
        elif tag in TEXTS and text:
            texts[f"exif:{TEXTS[tag]}"] = text
    return texts


def _exif(picture: Image.Image) -> Image.Exif:
    if "exif" in picture.info:
        return picture.getexif()
    exif = Image.Exif()
    for name in ("exif", "APP1"):
        if (block := profile(picture, name)).startswith(HEAD):
            exif.load(block)
            break
    return exif


RAW_PROFILE = re.compile(r"\s*\w+\s+\d+\s+((?:[0-9a-fA-F]{2}|\s)*+)\s*")


def profile(picture: Image.Image, name: str) -> bytes:
    """What ImageMagick keeps of another format's block when it converts to PNG: a text of hexadecimal digits."""
    text = picture.info.get(f"Raw profile type {name}")
    found = RAW_PROFILE.fullmatch(text) if isinstance(text, str) and len(text) <= MAX_PROFILE else None
    return bytes.fromhex("".join(found[1].split())) if found else b""


def _bytes(value: object) -> bytes:
    """Of a text, which Pillow reads as Latin-1, of bytes, and of bytes that were written as a list of numbers."""
    if isinstance(value, str):
        with contextlib.suppress(UnicodeError):
            return value.encode("latin-1")
        return value.encode("utf-8", "replace")
    if isinstance(value, tuple) and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return bytes(value)
    return value if isinstance(value, bytes) else b""


def decoded(data: bytes) -> str:
    """Plain text, mostly UTF-8, or text after eight bytes that name its encoding. NUL at the ends is no text."""
    for prefix in ENCODINGS:
        data = data.removeprefix(prefix)
    is_unicode = data.startswith(UNICODE)
    data = data.removeprefix(UNICODE)
    text = _utf16(data) if _is_utf16(data.lstrip(b"\0"), is_unicode) else _plain(data)
    return text.strip("\0\ufeff")


def _is_utf16(data: bytes, is_unicode: bool) -> bool:
    """Some name Unicode and write UTF-8, others write UTF-16 and name nothing. The letters of a JSON text or of
    A1111's line have a zero in every second byte of UTF-16, which no plain text has."""
    data = data.rstrip(b"\0")
    if data[:2] in MARKS:
        return True
    if not is_unicode:
        head = data[:400]
        return head.count(0) * 10 > len(head)
    return CONTROLS.search(data) is not None or not _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf16(data: bytes) -> str:
    """Big-endian as A1111 writes it; little-endian by its mark, or if it has more zeros where Latin text has them."""
    if data[:2] in MARKS:
        return data.decode("utf-16", "replace")
    is_little = data[1::2].count(0) > data[0::2].count(0)
    return data.decode("utf-16-le" if is_little else "utf-16-be", "replace")


def _plain(data: bytes) -> str:
    """UTF-8, also if a part of it was damaged; Latin-1 where no letter beyond ASCII is one of UTF-8."""
    text = data.decode("utf-8", "replace")
    is_utf8 = "\ufffd" not in text or any(letter > "\x7f" and letter != "\ufffd" for letter in text)
    return text if is_utf8 else data.decode("latin-1")


def repaired(text: str) -> str:
    """UTF-8 that was read as Latin-1, as it stands in the plain text chunks of several tools; other text as it is."""
    with contextlib.suppress(UnicodeError):
        return text.encode("latin-1").decode()
    return text


BYTE, TEXT, UNDEFINED = 1, 2, 7
OF_TYPE_UNDEFINED = frozenset({0x9000, 0x9101, 0x927C, 0x9286, 0xA000, 0xA300, 0xA301, 0xA302})
"""Tags whose bytes the standard calls neither text nor numbers: versions, maker note, user comment, scene."""

OF_TYPE_TEXT = frozenset(range(0xA430, 0xA43D))
"""Owner, lens, photographer and the like: Pillow knows no type for them."""


def with_comment(user_comment: str, exif: Image.Exif | None = None) -> bytes:
    """A block of EXIF that says this, beside what exif holds (which is changed)."""
    exif = Image.Exif() if exif is None else exif
    # A half character would make UTF-16 fail; the params refuse it, but other texts may come in later.
    encoded = UNICODE + user_comment.encode("utf-16-be", "replace")
    exif.get_ifd(ExifTags.IFD.Exif)[int(ExifTags.Base.UserComment)] = encoded
    return typed(exif.tobytes())


def typed(block: bytes) -> bytes:
    """The block with the types that the standard asks for. Pillow writes all bytes as numbers, and readers such as
    piexif then give a list of numbers where A1111 and Forge expect text."""
    changed = bytearray(block)
    for entry, tag, kind in _entries(block):
        wanted = UNDEFINED if tag in OF_TYPE_UNDEFINED else TEXT if tag in OF_TYPE_TEXT else BYTE
        if kind == BYTE and wanted != BYTE:
            order = ">" if block[len(HEAD) :].startswith(b"MM") else "<"
            struct.pack_into(f"{order}H", changed, entry + 2, wanted)
    return bytes(changed)


def _entries(block: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each entry of a well-formed block begins, its tag and its type; of the outer and the inner directory."""
    start = len(HEAD)
    order = ">" if block[start : start + 2] == b"MM" else "<"
    directories = [struct.unpack_from(f"{order}I", block, start + 4)[0]]
    for directory in islice(directories, 2):
        (count,) = struct.unpack_from(f"{order}H", block, start + directory)
        for number in range(count):
            entry = start + directory + 2 + 12 * number
            tag, kind, _, value = struct.unpack_from(f"{order}HHII", block, entry)
            if tag == ExifTags.IFD.Exif:
                directories.append(value)
            yield entry, tag, kind
