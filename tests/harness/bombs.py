"""Small or plain files that cost much: sizes, repeated parts, what unpacks to a multiple, depth."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass

from PIL import Image

from core.domain.errors import StudioError
from core.domain.files.picture import MAX_FILE_BYTES, read_picture
from core.metadata.read import read, read_text
from tests.harness.inputs import Bench, Kind, pictures
from tests.harness.mutations import PNG, png_of
from tests.metadata import make_samples


def _large(mode: str, format: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, format)
    return file.getvalue()


def _header_only(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that says a size and holds a row."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])


def _jpeg_with(kind: int, body: bytes, times: int) -> bytes:
    plain = next(data for data in pictures() if data[:3] == b"\xff\xd8\xff")
    return plain[:2] + (b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body) * times + plain[2:]


def _png_with(kind: bytes, body: bytes, times: int) -> bytes:
    header = (b"IHDR", struct.pack(">IIBBBBB", 48, 48, 8, 0, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(bytes(48 * 49)))
    return png_of([header, *[(kind, body)] * times, pixels, (b"IEND", b"")])


def _animation(format: str, frames: int) -> bytes:
    file, first = io.BytesIO(), Image.new("RGB", (48, 48))
    others = [Image.new("RGB", (48, 48), (n % 256, 0, 0)) for n in range(frames)]
    first.save(file, format, save_all=True, append_images=others)
    return file.getvalue()


def _zip(entries: int, name: str, size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        with bundle.open(name, "w", force_zip64=True) as entry:
            for _ in range(size // 2**20):
                entry.write(bytes(2**20))
        for number in range(entries):
            bundle.writestr(f"images/{number:064x}.png", b"")
    return file.getvalue()


EXIF = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHI4s", 0x010E, 2, 4, b"abc\0") + bytes(4)

PICTURES = {
    "100 megapixels of PNG": lambda: _large("RGB", "PNG", 10_000, 10_000),
    "100 megapixels of grey PNG": lambda: _large("L", "PNG", 10_000, 10_000),
    "100 megapixels of bits": lambda: _large("1", "PNG", 10_000, 10_000),
    "a line of 65,000 pixels in JPEG": lambda: _large("RGB", "JPEG", 65_000, 16),
    "96 megapixels of JPEG": lambda: _large("RGB", "JPEG", 12_000, 8_000),
    "98 megapixels of WEBP": lambda: _large("RGB", "WEBP", 16_000, 6_000),
    "a gigapixel of bits": lambda: _header_only(31_623, 31_623, 1, 0),
    "two thousand millions in a line": lambda: _header_only(2**31 - 1, 1),
    "a PNG that says 100 megapixels": lambda: _header_only(10_000, 10_000, 16, 6),
    "Exif 1,000 times": lambda: _jpeg_with(0xE1, EXIF + bytes(60_000), 1_000),
    "Exif 3,000 times": lambda: _jpeg_with(0xE1, EXIF + bytes(60_000), 3_000),
    "small Exif 100,000 times": lambda: _jpeg_with(0xE1, EXIF, 100_000),
    "XMP 2,000 times": lambda: _jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b" " * 60_000, 2_000),
    "a profile 3,000 times": lambda: _jpeg_with(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000), 3_000),
    "APP13 3,000 times": lambda: _jpeg_with(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_000, 3_000),
    "comments 3,000 times": lambda: _jpeg_with(0xFE, b"x" * 60_000, 3_000),
    "MPF 1,000 times": lambda: _jpeg_with(0xE2, b"MPF\0II*\0" + bytes(2_000), 1_000),
    "tEXt 500,000 times": lambda: _png_with(b"tEXt", b"a\0b", 500_000),
    "IDAT, empty, 500,000 times": lambda: _png_with(b"IDAT", b"", 500_000),
    "eXIf 50,000 times": lambda: _png_with(b"eXIf", EXIF[6:], 50_000),
    "zTXt that unpacks to 64 MB, 100 times": lambda: _png_with(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9), 100),
    "a profile that unpacks to 256 MB": lambda: _png_with(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**28), 9), 1),
    "XMP of 50 MB in PNG": lambda: _png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<a>" * 2**24, 1),
    "brackets of 4 MB": lambda: make_samples.png({"prompt": '{"a":' * 2**19}),
    "an animation of 2,000 frames": lambda: _animation("WEBP", 2_000),
    "an animated PNG of 2,000 frames": lambda: _animation("PNG", 2_000),
    "150 MB of nothing behind a picture": lambda: pictures()[0] + bytes(150 * 2**20),
    "more than is taken": lambda: PNG + bytes(MAX_FILE_BYTES),
}  # fmt: skip
TEXTS = {
    "commas": lambda: "a\nSteps: 1" + ", Seed: 1" * 200_000,
    "quotes": lambda: 'a\nSteps: 1, x: "' + '\\"' * 500_000,
    "colons": lambda: "a\nSteps: " + ":" * 1_000_000,
    "lines": lambda: "\n" * 1_000_000 + "Steps: 1, Sampler: x, Seed: 5",
    "brackets": lambda: "(" * 1_000_000 + "\nSteps: 1, Sampler: x",
    "a graph of 20,000 nodes": lambda: json.dumps(
        {
            str(n): {"class_type": "KSampler", "inputs": {"positive": [str(n + 1), 0], "model": [str(n + 1), 0]}}
            for n in range(20_000)
        }
    ),
    "a graph that doubles": lambda: json.dumps(
        {
            str(n): {
                "class_type": "ConditioningCombine",
                "inputs": {
                    "conditioning_1": [str(n + 1), 0],
                    "conditioning_2": [str(n + 1), 0],
                    "positive": [str(n + 1), 0],
                },
            }
            for n in range(200)
        }
        | {"k": {"class_type": "KSampler", "inputs": {"positive": ["0", 0], "steps": 5}}}
    ),
}
BUNDLES = {
    "an index of 256 MB": lambda: _zip(0, "bundle.json", 2**28),
    "100,000 files": lambda: _zip(100_000, "bundle.json", 2**20),
    "a picture of 256 MB": lambda: _zip(0, f"images/{'a' * 64}.png", 2**28),
}
ALL = {**PICTURES, **TEXTS, **BUNDLES}


@dataclass(frozen=True)
class Bomb:
    name: str
    content: bytes | str


def a_bomb(chance: random.Random, bench: Bench) -> Bomb:
    name = chance.choice(list(ALL))
    return Bomb(name, ALL[name]())


def read_bomb(bench: Bench, bomb: Bomb) -> str:
    try:
        if bomb.name in TEXTS:
            read_text(bomb.content)
        elif bomb.name in BUNDLES:
            bench.studio.bundles.import_(io.BytesIO(bomb.content))
        else:
            read(bomb.content)
            read_picture(bomb.content)
    except StudioError:
        return f"in words: {bomb.name}"
    return f"value: {bomb.name}"


KINDS = {"bombs": Kind(0.012, a_bomb, read_bomb, mb=1_500)}
"""mb: a picture of 100 megapixels, which is taken, needs up to 12 bytes for each while it is read."""
