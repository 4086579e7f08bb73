"""Picture files made to do harm, or of a kind that is not taken: refused at once, in words that are true."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.domain.errors import ImageTooLarge, InvalidImage, OutOfMemory, StudioError
from core.domain.files.picture import read_picture
from core.domain.files.picture_file import facts_of
from core.metadata.read import read
from tests.conftest import a_picture

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")


def file_of(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def exif(**more) -> bytes:
    made = Image.Exif()
    made[0x010F], made[0x0112] = "a camera", 6
    made.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "x".encode("utf-16-be")
    return made.tobytes()


SEEDS = {
    (format, mode): file_of(a_picture(48, 40, mode), format, exif=exif(), xmp=b"<x/>", icc_profile=b"p" * 300)
    for format in FORMATS
    for mode in ("RGB", "RGBA")
    if (format, mode) != ("JPEG", "RGBA")
}
FRAMES = [a_picture(48, 40).rotate(turn) for turn in (0, 90, 180)]
SEEDS |= {
    (format, "frames"): file_of(FRAMES[0], format, save_all=True, append_images=FRAMES[1:])
    for format in ("PNG", "WEBP", "AVIF")
}
SEEDS["JPEG", "MPO"] = file_of(FRAMES[0], "MPO", save_all=True, append_images=FRAMES[1:])
SEEDS["JPEG", "progressive"] = file_of(FRAMES[0], "JPEG", progressive=True)


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def riff(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def in_jpeg(*parts: bytes) -> bytes:
    seed = SEEDS["JPEG", "RGB"]
    return seed[:2] + b"".join(parts) + seed[2:]


def in_png(*parts: bytes) -> bytes:
    seed = SEEDS["PNG", "RGB"]
    return seed[:33] + b"".join(parts) + seed[33:]


def in_webp(*parts: bytes) -> bytes:
    seed = SEEDS["WEBP", "RGB"] + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(seed) - 8) + seed[8:]


def avif_with(item_bytes: int) -> bytes:
    """Its EXIF item claims so many bytes, in places that overlap."""
    seed = SEEDS["AVIF", "RGB"]
    meta = seed.index(b"meta")
    places = 1000
    each = item_bytes // places
    infe = struct.pack(">IB3xHH", 0, 2, 7, 0)[4:] + b"Exif\0"
    infe = struct.pack(">I", len(infe) + 8) + b"infe" + infe
    iinf = bytes(4) + struct.pack(">H", 1) + infe
    iloc = b"\0\0\0\0\x44\0" + struct.pack(">HHHH", 1, 7, 0, places) + struct.pack(">II", 0, each) * places
    boxes = b"".join(struct.pack(">I", len(b) + 8) + name + b for name, b in ((b"iinf", iinf), (b"iloc", iloc)))
    return seed[: meta - 4] + struct.pack(">I", len(boxes) + 12) + b"meta" + bytes(4) + boxes


@cache
def bomb() -> bytes:
    return zlib.compress(bytes(64 * 2**20), 9)


SCAN = SEEDS["JPEG", "progressive"].index(b"\xff\xda")
FRAME = struct.pack(">IIIIIIHHBB", 0, 48, 40, 0, 0, 1, 10, 1, 0, 0)[:26]

# Made when they are needed: together they are half a gigabyte.
BOMBS = {
    "repeated EXIF of a JPEG": lambda: in_jpeg(*[segment(0xE1, b"Exif\0\0" + bytes(65_000))] * 1000),
    "tiny segments of a JPEG": lambda: in_jpeg(segment(0xE5, b"") * 2_000_000),
    "junk between the segments of a JPEG": lambda: in_jpeg(bytes(20_000_000)),
    "fill bytes between the segments of a JPEG": lambda: in_jpeg(b"\xff" * 20_000_000),
    "markers of a JPEG that stand alone": lambda: in_jpeg(b"\xff\xd0" * 2_000_000),
    "EXIF behind an early end of a JPEG": lambda: in_jpeg(
        b"\xff\xd9", *[segment(0xE1, b"Exif\0\0" + bytes(65_000))] * 1000
    ),
    "EXIF within segments without a reader": lambda: in_jpeg(
        *[segment(0xC8, segment(0xE1, b"Exif\0\0" + bytes(60_000)))] * 900
    ),
    "boxes in boxes": lambda: (
        b"\0\0\0\x18ftypavif\0\0\0\0avifmif1"
        + b"".join(struct.pack(">I", 8 * n) + b"moov" for n in range(20_000, 0, -1))
    ),
    "a huge profile in a JPEG": lambda: in_jpeg(*[segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65_000))] * 200),
    "a large EXIF block of a PNG": lambda: in_png(chunk(b"eXIf", b"MM\0*" + bytes(30_000_000))),
    "a text that unpacks to much": lambda: in_png(chunk(b"zTXt", b"parameters\0\0" + bomb())),
    "an international text that unpacks to much": lambda: in_png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + bomb())),
    "a profile that unpacks to much": lambda: in_png(chunk(b"iCCP", b"p\0\0" + bomb())),
    "many profiles that unpack": lambda: in_png(chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2**20), 9)) * 1500),
    "long texts": lambda: in_png(*[chunk(b"tEXt", b"a%d\0" % n + b"x" * 2**20) for n in range(70)]),
    "tiny chunks of a PNG": lambda: in_png(chunk(b"teSt", b"") * 1_000_000),
    "frames without number": lambda: in_png(
        chunk(b"acTL", struct.pack(">II", 10**6, 0)), chunk(b"fcTL", FRAME) * 300_000
    ),
    "a large EXIF block of a WEBP": lambda: in_webp(riff(b"EXIF", bytes(30_000_000))),
    "a huge profile in a WEBP": lambda: in_webp(riff(b"ICCP", bytes(30_000_000))),
    "tiny chunks of a WEBP": lambda: in_webp(riff(b"teSt", b"") * 1_000_000),
    "a WEBP of 268 megapixels": lambda: (
        b"RIFF\x1e\0\0\0WEBP" + riff(b"VP8X", b"\x10\0\0\0\xff\x3f\0\xff\x3f\0") + bytes(8)
    ),
    "EXIF of an AVIF in places that overlap": lambda: avif_with(10**9),
}


NONSENSE = {"junk between the segments of a JPEG", "fill bytes between the segments of a JPEG", "boxes in boxes"}


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", BOMBS)
def test_what_is_made_to_do_harm_is_refused_at_once_and_not_called_damaged(name):
    data = BOMBS[name]()
    began = time.process_time()

    with pytest.raises(InvalidImage if name in NONSENSE else ImageTooLarge) as refused:
        read_picture(data)
    read(data)

    assert time.process_time() - began < 1
    assert str(refused.value).count(".") >= 1


def test_a_progressive_jpeg_that_is_drawn_over_and_over_is_refused():
    seed = bytearray(SEEDS["JPEG", "progressive"])
    at = seed.index(b"\xff\xc2")
    seed[at + 5 : at + 9] = struct.pack(">HH", 9000, 9000)
    scans = bytes(seed[:SCAN]) + bytes(seed[SCAN:-2]) * 20 + b"\xff\xd9"

    with pytest.raises(ImageTooLarge, match="times over"):
        read_picture(scans)
    assert facts_of(SEEDS["JPEG", "progressive"]).size == (48, 40)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_cameras_and_programs_write_is_read(seed):
    facts = facts_of(SEEDS[seed])

    assert facts.format == seed[0]
    assert facts.size in (None, (48, 40))
    assert sorted(read_picture(SEEDS[seed]).image.size) == [40, 48]


def test_a_photo_with_large_maps_and_a_large_profile_is_read():
    maps = [segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000))] * 150
    profile = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 60]) + bytes(60_000)) for n in range(1, 61)]

    assert read_picture(in_jpeg(*maps, *profile)).image.size == (40, 48)


@pytest.mark.slow
def test_an_animation_of_thousands_of_frames_costs_no_more_than_its_first():
    frames = [Image.new("RGB", (64, 64), (n % 256, n // 256, 7)) for n in range(3000)]
    data = file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=0, quality=1)
    png = file_of(frames[0], "PNG", save_all=True, append_images=frames[1:1000])

    for file in (data, png):
        began = time.process_time()
        picture = read_picture(file)
        read(file, pixels=picture.image)
        assert time.process_time() - began < 0.5
        assert picture.notes == ("This file is an animation: only its first frame is used.",)


def test_a_phones_photo_with_a_depth_or_gain_map_is_no_animation():
    [note] = read_picture(SEEDS["JPEG", "MPO"]).notes

    assert "animation" not in note
    assert "photo" in note


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"II*\0\x10\0\0\0CR\2\0", "raw"),
        (b"GIF89a", "GIF"),
        (b"BM", "BMP"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "PSD"),
        (b"FUJIFILMCCD-RAW ", "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?>\n<!-- by hand -->\n<svg width='9'/>", "SVG"),
        (b"<!DOCTYPE html><p>404", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video"),
        (b"gimp xcf v011", "GIMP"),
        (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (b"PK\3\4" + bytes(30), "zip"),
        (b"", "empty"),
        (b"hello", "cannot be read as a picture"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name_and_told_what_to_do(beginning, name):
    with pytest.raises(InvalidImage) as refused:
        read_picture(beginning + bytes(200) if beginning else b"")

    sentence = str(refused.value)
    assert name in sentence
    assert sentence.count(". ") >= 1
    assert "damaged" not in sentence


def test_where_there_is_no_room_nothing_is_decoded():
    asked = []

    def decoding(pixels: int, peak: int):
        asked.append((pixels, peak))
        raise OutOfMemory

    for format in FORMATS:
        with pytest.raises(OutOfMemory):
            read_picture(SEEDS[format, "RGB"], decoding=decoding)
    assert [pixels for pixels, _ in asked] == [48 * 40] * 4


# Mutations -----------------------------------------------------------------------------------------------------


def is_read_or_refused(data: bytes) -> None:
    began = time.process_time()
    try:
        assert read_picture(data).image.mode in ("RGB", "RGBA", "I;16")
    except StudioError as error:
        assert str(error)
    read(data)
    assert time.process_time() - began < 2


def mutated(random: random.Random, data: bytes) -> bytes:
    """Flipped, moved, doubled, cut, and lengths made extreme: what fuzzers do."""
    file = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(max(1, len(file) - 8)) if random.random() < 0.5 else random.randrange(min(600, len(file)))
        what = random.randrange(6)
        if what == 0:
            file[at] = random.randrange(256)
        elif what == 1:
            file[at : at + 4] = random.choice([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0"])
        elif what == 2:
            file[at:at] = file[at : at + random.randrange(200)]
        elif what == 3:
            del file[at : at + random.randrange(64)]
        elif what == 4:
            file[at] ^= 1 << random.randrange(8)
        else:
            file = file[: max(1, at)]
        if len(file) < 16:
            break
    return bytes(file)


@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 2**32))
def test_whatever_happened_to_a_file_it_is_read_or_refused_with_a_message(seed, number):
    is_read_or_refused(mutated(random.Random(number), SEEDS[seed]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_thousands_of_mutations_are_read_or_refused_with_a_message(seed):
    chance = random.Random(str(seed))
    for _ in range(600):
        is_read_or_refused(mutated(chance, SEEDS[seed]))
