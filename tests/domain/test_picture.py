"""Pictures that strangers send."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.domain.errors import ImageTooLarge, InvalidImage
from core.domain.files.picture import read_picture
from tests.conftest import a_picture


def file_of(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_a_png_keeps_every_pixel(mode):
    picture = read_picture(file_of(a_picture(mode=mode)))

    assert picture.image.mode == mode
    assert picture.image.tobytes() == a_picture(mode=mode).tobytes()
    assert picture.notes == ()


@pytest.mark.parametrize(("mode", "becomes"), [("L", "RGB"), ("LA", "RGBA"), ("1", "RGB"), ("P", "RGB")])
def test_grey_and_palette_pictures_become_colour_without_loss(mode, becomes):
    original = a_picture().convert(mode)

    picture = read_picture(file_of(original))

    assert picture.image.mode == becomes
    assert picture.image.tobytes() == original.convert(becomes).tobytes()


def test_a_transparent_palette_colour_becomes_real_transparency():
    original = Image.new("P", (20, 20), 1)
    original.putpalette([255, 0, 0, 0, 255, 0])
    original.putpixel((3, 3), 0)

    picture = read_picture(file_of(original, transparency=0))

    assert picture.image.mode == "RGBA"
    assert picture.image.getpixel((3, 3))[3] == 0
    assert picture.image.getpixel((0, 0)) == (0, 255, 0, 255)


def test_what_is_converted_is_told():
    sixteen = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + b"\x12\x34" * 48 for _ in range(16))
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", sixteen) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")

    assert "16 bits" in read_picture(data).notes[0]
    assert "CMYK" in read_picture(file_of(a_picture().convert("CMYK"), "JPEG")).notes[0]
    frames = [a_picture(), a_picture(96, 64).rotate(180)]
    assert "animation" in read_picture(file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:])).notes[0]


def test_a_photo_taken_sideways_is_turned_upright_and_its_exif_is_dropped():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"

    picture = read_picture(file_of(a_picture(96, 64), "JPEG", exif=exif))

    assert picture.image.size == (64, 96)
    assert "exif" not in picture.image.info
    assert not picture.image.getexif()


def test_broken_exif_does_not_lose_the_picture():
    data = file_of(a_picture(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\x01" * 40)

    assert read_picture(data).image.size == (96, 64)


def test_the_colour_profile_is_kept():
    assert read_picture(file_of(a_picture(), icc_profile=b"x" * 200)).image.info["icc_profile"] == b"x" * 200


def test_a_bomb_is_refused_by_its_header():
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000))

    with pytest.raises(ImageTooLarge, match="10000 megapixels"):
        read_picture(data)


def test_the_limit_of_the_settings_holds():
    with pytest.raises(ImageTooLarge):
        read_picture(file_of(a_picture(200, 200)), max_pixels=30_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4",
        b"GIF89a" + b"\0" * 100,
        file_of(a_picture())[:200],
        file_of(a_picture(), "JPEG")[:300],
        file_of(a_picture(), "BMP"),
        file_of(a_picture(), "TIFF"),
    ],
    ids=["empty", "text", "svg", "pdf", "gif", "cut png", "cut jpeg", "bmp", "tiff"],
)
def test_what_is_no_whole_png_jpeg_or_webp_is_refused_with_a_message(data):
    with pytest.raises(InvalidImage):
        read_picture(data)


def test_a_picture_of_a_few_pixels_is_refused():
    with pytest.raises(InvalidImage, match="at least 16"):
        read_picture(file_of(Image.new("RGB", (15, 100))))


@settings(max_examples=2 * settings.default.max_examples)
@given(st.data(), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_a_file_with_flipped_bytes_is_read_or_refused_but_never_breaks(data, format):
    file = bytearray(file_of(Image.fromarray(np.full((32, 32, 3), 77, np.uint8)), format))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))

    try:
        picture = read_picture(bytes(file))
    except InvalidImage as error:
        assert str(error)
    else:
        assert picture.image.mode in ("RGB", "RGBA", "I;16")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
