"""Texts in every encoding that tools write them in, in every kind of file."""

from __future__ import annotations

import zlib

import pytest

from core.metadata.read import read
from tests.metadata.files import EULER_A, LINE, UNSAID, commented, exif_formats, is_valid_import, png_with

WORDS = "ein Häuschen, 夕日"


@pytest.mark.parametrize(
    "data",
    [
        b"UNICODE\0" + WORDS.encode("utf-16-be") + f"\n{LINE}".encode("utf-16-be"),
        b"UNICODE\0" + f"{WORDS}\n{LINE}".encode("utf-16-le"),
        b"UNICODE\0" + f"{WORDS}\n{LINE}".encode(),
        b"UNICODE\0" + f"{WORDS}\n{LINE}".encode("utf-16"),
        b"ASCII\0\0\0" + f"{WORDS}\n{LINE}".encode(),
        b"\0\0\0\0" + f"{WORDS}\n{LINE}".encode(),
        b"\0\0\0\0" + f"{WORDS}\n{LINE}".encode("utf-16-le"),
        bytes(8) + f"{WORDS}\n{LINE}".encode() + b"\0\0",
        f"{WORDS}\n{LINE}".encode("utf-16-be"),
        f"{WORDS}\n{LINE}".encode(),
    ],
)
@exif_formats
def test_a_comment_is_read_in_whatever_way_it_was_written(data, format):
    is_valid_import(read(commented(data, format)), "a1111", {**UNSAID, **EULER_A, "prompt": WORDS})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", lambda data: b"parameters\0" + data),
        (b"zTXt", lambda data: b"parameters\0\0" + zlib.compress(data)),
        (b"iTXt", lambda data: b"parameters\0\0\0\0\0" + data),
        (b"iTXt", lambda data: b"parameters\0\1\0\0\0" + zlib.compress(data)),
    ],
)
@pytest.mark.parametrize("words", ["a red barn", WORDS, "Привет, мир", "🎈 balloon"])
def test_a_chunk_is_read_as_the_utf_8_that_it_is(kind, body, words):
    found = read(png_with(kind, body(f"{words}\n{LINE}".encode())))

    assert found.params["prompt"] == words


def test_latin_1_in_a_chunk_made_for_it_stays_what_it_is():
    found = read(png_with(b"tEXt", b"parameters\0" + f"ein Häuschen, Größe\n{LINE}".encode("latin-1")))

    assert found.params["prompt"] == "ein Häuschen, Größe"


def test_latin_1_in_a_comment_stays_what_it_is():
    found = read(commented(b"ASCII\0\0\0" + f"ein Häuschen\n{LINE}".encode("latin-1"), "JPEG"))

    assert found.params["prompt"] == "ein Häuschen"
