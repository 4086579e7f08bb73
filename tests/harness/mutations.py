"""Changes that do harm: to bytes, to the chunks and segments of picture files, to JSON values, and to texts."""

from __future__ import annotations

import json
import random
import struct
import zlib
from typing import Any

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
PNG = b"\x89PNG\r\n\x1a\n"

TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\udcff",
    "\u202e",
    "\ufeff",
    "\U0010ffff",
    "é" * 300,
    "x" * 5_000,
    "9" * 5_000,
    "-1",
    "1e999",
    "nan",
    "inf",
    "0x10",
    "٣",
    "%s%n",
    "{",
    "}",
    "{a|",
    "__a__",
    "__../../x__",
    "[bold]",
    "[/]",
    "(a:1e9)",
    "((((" * 200,
    "a\nb",
    "\r\n",
    "../../etc",
    "~nosuchuser",
    "~",
    "/",
    "//",
    "C:\\",
    "CON",
    "a/b/c/d",
    "a@b",
    "a/b@c",
    "../x",
    ".",
    "..",
    "*",
    '"',
    "'",
    '"a',
    "<b>",
    "$HOME",
    "`x`",
    "; DROP TABLE x",
    "\\",
    "\\{",
    "file:///",
    "a" * 256,
    "sha256:" + "0" * 64,
    "2026-01-31",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00",
    "true",
    "null",
)
NUMBERS = (
    0,
    -1,
    1,
    2,
    7,
    2**31,
    2**32,
    2**63,
    2**64,
    -(2**63),
    10**400,
    0.5,
    -0.0,
    1e308,
    1e-320,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    False,
    None,
)


# Bytes -----------------------------------------------------------------------------------------------------------


def mutated(chance: random.Random, data: bytes) -> bytes:
    """One to four changes, mostly one; half of them keep to the form of the file."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_BYTES if chance.random() < 0.5 else _FORMS.get(data[:4], _BYTES))(chance, data) or b"\x00"
    return data


def _flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _early(chance: random.Random, data: bytes) -> bytes:
    """In the headers."""
    changed = bytearray(data)
    changed[chance.randrange(min(len(changed), 200))] = chance.choice((0, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _extreme(chance: random.Random, data: bytes) -> bytes:
    form = chance.choice((">I", "<I", ">H", "<H"))
    at, size = chance.randrange(len(data)), struct.calcsize(form)
    value = chance.choice(EXTREMES) & (0xFFFFFFFF if size == 4 else 0xFFFF)
    return (data[:at] + struct.pack(form, value) + data[at + size :])[: len(data) + size]


def _repeated(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data))
    part = data[start : start + chance.randint(1, 400)]
    return data[:start] + part * chance.choice((2, 3, 50, 1_000)) + data[start + len(part) :]


def _without(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 400) :]


def _behind(chance: random.Random, data: bytes) -> bytes:
    return data + chance.choice((bytes(100_000), b"PK\x03\x04" * 100, data, chance.randbytes(1_000)))


_BYTES = (_flipped, _early, _cut, _extreme, _repeated, _without, _behind)


# Picture files ---------------------------------------------------------------------------------------------------


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], len(PNG)
    while at + 8 <= len(data):
        [length] = struct.unpack(">I", data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """With checksums that are right, so that the content is looked at."""
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return PNG + b"".join(parts)


def _png(chance: random.Random, data: bytes) -> bytes:
    chunks = png_chunks(data)
    if not chunks:
        return data
    at = chance.randrange(len(chunks))
    kind, body = chunks[at]
    action = chance.randrange(6)
    if action == 0:
        chunks[at:at] = [chunks[at]] * chance.choice((1, 2, 300))
    elif action == 1:
        del chunks[at]
    elif action == 2:
        chance.shuffle(chunks)
    elif action == 3:
        chunks.insert(at, _strange_chunk(chance))
    elif action == 4 and chunks[0][0] == b"IHDR" and len(chunks[0][1]) == 13:
        sizes = [chance.choice((0, 1, 15, 16, 1_000, 10_000, 30_000, 2**31 - 1)) for _ in range(2)]
        chunks[0] = (b"IHDR", struct.pack(">II", *sizes) + chunks[0][1][8:])
    else:
        chunks[at] = (kind, _flipped(chance, body) if body else chance.randbytes(9))
    return png_of(chunks)


def _strange_chunk(chance: random.Random) -> tuple[bytes, bytes]:
    bomb = zlib.compress(bytes(chance.choice((10, 2**20, 2**25))), 9)
    kind = chance.choice((b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"pHYs", b"cICP"))
    body = {
        b"zTXt": b"parameters\0\0" + bomb,
        b"iTXt": b"inpaint_studio\0\1\0\0\0" + bomb,
        b"iCCP": b"icc\0\0" + bomb,
        b"eXIf": b"II*\0" + chance.randbytes(60),
    }.get(kind, chance.randbytes(chance.choice((0, 1, 4, 8, 26, 768))))
    return kind, body


def _jpeg(chance: random.Random, data: bytes) -> bytes:
    """Segments repeated, dropped, changed; sizes in the frame's header."""
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0] + 2
        segments.append(data[at : at + length])
        at += length
    if not segments:
        return data
    which = chance.randrange(len(segments))
    action = chance.randrange(4)
    if action == 0:
        segments[which : which + 1] = [segments[which]] * chance.choice((2, 20, 2_000))
    elif action == 1:
        del segments[which]
    elif action == 2:
        frames = [n for n, segment in enumerate(segments) if segment[1] in (0xC0, 0xC1, 0xC2)]
        for n in frames:
            size = struct.pack(">HH", *(chance.choice((0, 1, 16, 9_999, 65_535)) for _ in range(2)))
            segments[n] = segments[n][:5] + size + segments[n][9:]
    else:
        body = segments[which][4:]
        segments[which] = segments[which][:4] + (_flipped(chance, body) if body else b"")
    return data[:2] + b"".join(segments) + data[at:]


_FORMS = {PNG[:4]: (_png,), b"\xff\xd8\xff\xe0": (_jpeg,), b"\xff\xd8\xff\xe1": (_jpeg,)}


# JSON ------------------------------------------------------------------------------------------------------------


def any_value(chance: random.Random) -> Any:
    deep: Any = 1
    for _ in range(chance.choice((1, 100, 600))):
        deep = [deep]
    return chance.choice(
        (chance.choice(TEXTS), chance.choice(NUMBERS), [], {}, deep, {"": {}}, [[]] * 50, {chance.choice(TEXTS): 1})
    )


def mutated_json(chance: random.Random, value: Any) -> Any:
    """A copy with one to three values replaced, dropped, doubled or put under another name."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = _changed(chance, value)
    return value


def _changed(chance: random.Random, value: Any) -> Any:
    if chance.random() < 0.02:
        return any_value(chance)
    at = value
    while isinstance(at, dict | list) and at:
        key = chance.choice(list(at)) if isinstance(at, dict) else chance.randrange(len(at))
        if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.8:
            at = at[key]
            continue
        action = chance.randrange(8)
        if action == 0:
            del at[key]
        elif action == 1 and isinstance(at, dict):
            at[chance.choice(TEXTS)] = at.pop(key)
        elif action == 2 and isinstance(at, list):
            at += [at[key]] * chance.choice((1, 20, 2_000))
        else:
            at[key] = any_value(chance)
        return value
    return any_value(chance)


def text_of(chance: random.Random, value: Any) -> str:
    """As JSON, now and then with what JSON does not have."""
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    return text if chance.random() < 0.9 else mutated_text(chance, text)


# Texts -----------------------------------------------------------------------------------------------------------


def mutated_text(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        until = at + chance.choice((0, 0, 1, 5, 40))
        text = text[:at] + chance.choice((*TEXTS, text[at : at + 30] * 20, str(chance.choice(NUMBERS)))) + text[until:]
    return text
