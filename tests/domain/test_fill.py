"""What the masked part starts from: only from what is around it, or from nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.pixels.fill import blurred, border_colours, neutral_noise, pull_push_fill
from core.domain.pixels.mask import Mask
from tests.conftest import a_mask, a_picture

sides = st.integers(1, 33)


@st.composite
def values_and_weights(draw):
    height, width = draw(sides), draw(sides)
    values = draw(arrays(np.float32, (height, width, 2), elements=st.floats(-100, 300, width=32)))
    known = draw(arrays(np.bool_, (height, width)))
    known[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return values, known


@given(values_and_weights())
def test_what_is_known_stays_and_the_rest_lies_between_what_is_known(case):
    values, known = case

    filled = pull_push_fill(values, known.astype(np.float32))

    assert filled.shape == values.shape
    assert np.array_equal(filled[known], values[known])
    low, high = values[known].min(axis=0), values[known].max(axis=0)
    assert (filled >= low - 0.01).all()
    assert (filled <= high + 0.01).all()


@given(values_and_weights())
def test_what_is_not_known_has_no_part_in_it(case):
    values, known = case
    other = np.where(known[..., None], values, np.float32(7))

    assert np.array_equal(
        pull_push_fill(values, known.astype(np.float32)), pull_push_fill(other, known.astype(np.float32))
    )


def test_border_colours_keep_the_picture_outside_the_mask_and_forget_what_was_inside():
    picture, mask = a_picture(), a_mask()
    painted = Image.composite(Image.new("RGB", picture.size, "red"), picture, mask.to_image())

    filled = np.asarray(border_colours(picture, mask))

    assert np.array_equal(filled[mask.pixels == 0], np.asarray(picture)[mask.pixels == 0])
    assert np.array_equal(filled, np.asarray(border_colours(painted, mask)))


def test_border_colours_of_a_picture_that_is_masked_all_over_are_black():
    assert border_colours(a_picture(), Mask(np.full((64, 96), 255, np.uint8))).getextrema() == ((0, 0),) * 3


def test_the_left_side_takes_from_the_left_and_the_right_side_from_the_right():
    picture = Image.new("RGB", (96, 64), "blue")
    picture.paste("red", (0, 0, 48, 64))

    filled = border_colours(picture, a_mask(box=(16, 16, 80, 48)))

    left, right = filled.getpixel((18, 32)), filled.getpixel((78, 32))
    assert left[0] > 200 > 50 > left[2]
    assert right[2] > 200 > 50 > right[0]


def test_noise_is_neutral_and_the_same_for_the_same_seed():
    noise = neutral_noise(a_picture(), 5)

    assert noise.tobytes() == neutral_noise(a_picture(), 5).tobytes() != neutral_noise(a_picture(), 6).tobytes()
    assert abs(np.asarray(noise).mean() - 128) < 2


def test_the_numbers_of_the_noise_are_the_same_for_ever():
    """They decide the pixels of recorded generations."""
    assert list(neutral_noise(Image.new("RGB", (2, 1)), 2**32 - 1).tobytes()) == [159, 160, 76, 142, 133, 170]


@pytest.mark.parametrize("size", [(1, 1), (8, 300)])
def test_a_blurred_picture_keeps_its_size(size):
    assert blurred(Image.new("RGB", size, "red")).size == size
