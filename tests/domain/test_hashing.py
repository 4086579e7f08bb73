"""The names of pictures: the same for the same pixels, for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.domain.hashing import BAND, canonical_json, picture_and_pixels_sha256, picture_sha256, pixels_sha256
from tests.conftest import a_picture


@given(st.sampled_from(["1", "L", "RGB", "RGBA", "I;16"]), st.integers(1, 9), st.integers(1, 2 * BAND + 2))
def test_a_picture_is_named_by_all_its_bytes_however_they_are_read(mode, width, height):
    random = np.random.default_rng(width * height)
    if mode == "I;16":
        image = Image.fromarray(random.integers(0, 2**16, (height, width), dtype=np.uint16))
    else:
        image = Image.fromarray(random.integers(0, 256, (height, width, 4), dtype=np.uint8), "RGBA").convert(mode)

    head = f"{mode}|{width}|{height}|".encode()
    assert pixels_sha256(image) == "sha256:" + hashlib.sha256(head + image.tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGB", "sha256:81755f04972008cde2dfc2a9ae0cce9356c5582bd52efa177b5d8eefacae46f3"),
        ("I;16", "sha256:6e30e5e4cb36231de88a812fc9b3df6ba2cec4e90c9822af4a0b1a7122acfc93"),
    ],
)
def test_names_that_are_out_in_the_world_stay(mode, name):
    assert pixels_sha256(a_picture(mode=mode)) == name


@pytest.mark.parametrize("profile", [None, b"profile"])
def test_one_look_at_a_picture_names_it_with_and_without_its_profile(profile):
    picture = a_picture()
    if profile:
        picture.info["icc_profile"] = profile

    both = picture_and_pixels_sha256(picture)

    assert both == (picture_sha256(picture), pixels_sha256(a_picture()))
    assert (both[0] == both[1]) is (profile is None)


def test_a_json_value_has_one_spelling_and_what_is_no_number_has_none():
    assert canonical_json({"b": (1.0, "é"), "a": None}) == '{"a":null,"b":[1.0,"é"]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
