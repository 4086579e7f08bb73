"""Content credentials: who made a picture, and nothing of how."""

from __future__ import annotations

import struct
import zlib

import pytest

from core.metadata.read import read
from tests.metadata import make_samples as made
from tests.metadata.files import A1111, element, png_with, with_xmp, xmp

BOX = b"\0\0\0\x20jumbc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71\x03c2pa\0"
GENERATED = b"digitalSourceTypexFhttp://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
TAKEN = b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def in_file(box: bytes, format: str) -> bytes:
    if format == "PNG":
        return png_with(b"caBX", box)
    data = made.jpeg({0x010F: "x"}, format)
    if format == "JPEG":
        return data[:2] + b"\xff\xeb" + struct.pack(">H", len(box) + 2) + box + data[2:]
    return data + b"C2PA" + struct.pack("<I", len(box)) + box


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    ("words", "tool"),
    [
        (b"claim_generator_info dnamexOpenAI Media Service API", "openai"),
        (b"softwareAgent GPT-4o", "openai"),
        (b"softwareAgent DALL\xc2\xb7E", "openai"),
        (b"Google C2PA Core Generator Library", "google"),
        (b"Adobe Firefly", "adobe"),
        (b"somebody else", "c2pa"),
    ],
)
def test_content_credentials_are_a_label_of_the_tool_and_nothing_else(words, tool, format):
    found = read(in_file(BOX + words + GENERATED, format))

    assert found.tool == tool
    assert (dict(found.params), dict(found.raw), found.seed_text) == ({}, {}, None)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_what_a_camera_signed_is_no_generation(format):
    assert read(in_file(BOX + b"Google Pixel Camera" + TAKEN, format)) is None
    assert read(in_file(b"jumb of something else, Adobe" + GENERATED, format)) is None


def test_settings_count_more_than_a_label():
    data = in_file(BOX + b"OpenAI" + GENERATED, "PNG")
    text = b"parameters\0" + A1111.encode()
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))

    assert read(data[:33] + chunk + data[33:]).tool == "a1111"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_xmp_that_names_a_generator_is_a_label_too(format):
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    generated = xmp(
        element("photoshop:Credit", "Made with Google AI"), element("Iptc4xmpExt:DigitalSourceType", source)
    )
    edited = xmp(element("xmp:CreatorTool", "Adobe Photoshop"))

    assert read(with_xmp(generated, format)).tool == "google"
    assert read(with_xmp(edited, format)) is None
