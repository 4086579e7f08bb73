"""Nothing outside the mask changes, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.errors import SizeMismatch
from core.domain.geometry import Bounds, Size
from core.domain.params import InpaintParams
from core.domain.pixels.compositing import composite, for_model, unchanged_outside
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_mask, a_picture

MODES = ["RGB", "RGBA", "I;16"]
shapes = st.tuples(st.integers(16, 40), st.integers(16, 40))


@st.composite
def cases(draw):
    """A picture of any mode, and any mask of its size with something in it."""
    height, width = draw(shapes)
    mask = draw(arrays(np.uint8, (height, width), elements=st.sampled_from([0, 0, 0, 1, 128, 255])))
    mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = 255
    return a_picture(width, height, draw(st.sampled_from(MODES))), Mask(mask)


@given(cases(), st.integers(0, 6), st.integers(0, 6), st.integers(0, 20))
def test_pixels_outside_the_grown_and_feathered_mask_come_back_bit_identical(case, grow, feather, padding):
    picture, mask = case
    params = InpaintParams(mask_grow_px=grow, mask_feather_px=feather, crop_padding_px=padding, size=64)
    plan = Plan.of(InpaintRequest(picture, mask, params))
    work = plan.working_request(cell=8)

    result = plan.finish(Image.new("RGB", work.image.size, (1, 2, 3)))

    kept = mask.grown(grow).pixels == 0
    assert result.mode == picture.mode
    assert np.array_equal(np.asarray(result)[kept], np.asarray(picture)[kept])
    assert unchanged_outside(picture, result, plan.blend_mask)


@pytest.mark.parametrize("mode", MODES)
def test_where_the_mask_is_full_the_repainted_pixel_is_taken_exactly(mode):
    picture, mask = a_picture(mode=mode), a_mask()

    result = composite(picture, Image.new("RGB", (96, 64), (200, 200, 200)), Bounds(0, 0, 96, 64), mask)

    expected = {"RGB": [200] * 3, "RGBA": [200, 200, 200, 255], "I;16": 200 * 257}[mode]
    assert (np.asarray(result)[mask.pixels == 255] == expected).all()


def test_a_transparent_part_becomes_opaque_where_it_is_repainted_and_stays_as_it_is_elsewhere():
    picture = Image.new("RGBA", (96, 64), (9, 9, 9, 0))

    result = composite(picture, Image.new("RGB", (96, 64), "red"), Bounds(0, 0, 96, 64), a_mask())

    assert result.getpixel((25, 20)) == (255, 0, 0, 255)
    assert result.getpixel((0, 0)) == (9, 9, 9, 0)


def test_the_colour_profile_stays_with_the_picture():
    picture = a_picture()
    picture.info["icc_profile"] = b"a profile"
    plan = Plan.of(InpaintRequest(picture, a_mask(), InpaintParams(size=64)))

    assert plan.finish(Image.new("RGB", (64, 64))).info["icc_profile"] == b"a profile"


def test_a_mask_that_reaches_outside_the_repainted_part_is_refused():
    with pytest.raises(SizeMismatch):
        composite(a_picture(), Image.new("RGB", (10, 10)), Bounds(0, 0, 30, 30), a_mask())


def test_a_changed_pixel_outside_the_mask_is_noticed():
    picture = a_picture()
    changed = picture.copy()
    changed.putpixel((0, 0), tuple((c + 1) % 256 for c in picture.getpixel((0, 0))))

    assert not unchanged_outside(picture, changed, a_mask())
    assert unchanged_outside(picture, picture.copy(), a_mask())


@pytest.mark.parametrize("mode", MODES)
def test_the_model_always_gets_rgb_at_the_working_size(mode):
    part = for_model(a_picture(mode=mode), Bounds(10, 10, 50, 40), Size(64, 48))

    assert (part.mode, part.size) == ("RGB", (64, 48))


def test_a_16_bit_picture_is_shown_to_the_model_by_its_brightness_not_clipped():
    picture = Image.fromarray(np.full((32, 32), 0x8000, np.uint16))

    part = for_model(picture, Bounds(0, 0, 32, 32), Size(32, 32))

    assert part.getpixel((5, 5)) == (128, 128, 128)
