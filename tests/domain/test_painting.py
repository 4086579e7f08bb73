"""Masks from the painter: read with care, and laid over what they were painted on."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.errors import InvalidMask
from core.domain.files import painted_mask as painting
from core.domain.files.painted_mask import painted_size, read_painted, repainted
from core.domain.geometry import Size
from core.domain.pixels.mask import FAINT, Mask


def png(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def test_a_picture_is_painted_on_at_its_own_size_up_to_2048_pixels():
    assert painted_size(Size(1200, 900)) == Size(1200, 900)
    assert painted_size(Size(6000, 4000)) == Size(2048, 1365)


@given(arrays(np.uint8, (5, 7)))
def test_a_grey_mask_arrives_as_it_was_painted(pixels):
    assert read_painted(png(Image.fromarray(pixels)), Size(7, 5)) == Mask(np.where(pixels < FAINT, 0, pixels))


@given(arrays(np.bool_, (5, 7)))
def test_a_mask_of_one_bit_a_pixel_arrives_black_and_white(pixels):
    assert np.array_equal(read_painted(png(Image.fromarray(pixels)), Size(7, 5)).pixels, pixels * np.uint8(255))


HOSTILE = {
    "a colour picture": png(Image.new("RGB", (7, 5))),
    "another size": png(Image.new("L", (700, 500))),
    "cut off": png(Image.effect_noise((7, 5), 90))[:-30],
    "no picture": b"<svg onload=alert(1)>",
    "nothing": b"",
    "not a png": b"GIF89a" + bytes(40),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_anything_else_is_refused(name):
    with pytest.raises(InvalidMask):
        read_painted(HOSTILE[name], Size(7, 5))


def test_a_file_that_is_too_large_is_not_even_opened(monkeypatch):
    monkeypatch.setattr(painting, "MAX_PNG_BYTES", 50)

    with pytest.raises(InvalidMask, match="too large"):
        read_painted(png(Image.new("L", (7, 5))), Size(7, 5))


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(data):
    good = png(Image.new("L", (7, 5)))

    for hostile in (data, good[:60] + data, good[:-20] + data):
        try:
            read_painted(hostile, Size(7, 5))
        except InvalidMask:
            continue


def test_fine_detail_stays_where_nothing_was_painted():
    fine = np.zeros((400, 400), np.uint8)
    fine[100:140:2, 100:140] = 255
    base = Mask(fine)
    painted = base.resized(Size(100, 100)).pixels.copy()
    painted[60:80, 60:80] = 255

    result = repainted(base, Mask(painted)).pixels

    assert np.array_equal(result[:230], fine[:230])
    assert (result[244:316, 244:316] == 255).all()


def test_erasing_over_fine_detail_takes_all_of_it_away():
    fine = np.zeros((400, 400), np.uint8)
    fine[101:301, 101:301] = 255
    base = Mask(fine)

    result = repainted(base, Mask.empty(Size(100, 100)))

    assert result.is_empty


@given(arrays(np.bool_, (12, 16)))
def test_what_was_not_touched_comes_back_as_it_was(on):
    base = Mask(on * np.uint8(255))

    assert repainted(base, base.resized(Size(8, 6))) == base


@given(arrays(np.bool_, (6, 8)))
def test_a_coarser_base_gives_way_to_what_was_painted(on):
    painted = Mask(on * np.uint8(255))

    assert repainted(Mask.empty(Size(4, 3)), painted) == painted
