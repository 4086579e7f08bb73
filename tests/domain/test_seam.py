"""The seam: colours are matched on the ring around the mask, and what is left of it is measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.compositing import unchanged_outside
from core.domain.pixels.mask import Mask
from core.domain.pixels.seam import matched, seam
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_mask, a_picture


def shifted(picture: Image.Image, *by: int) -> Image.Image:
    return Image.fromarray(np.clip(np.asarray(picture, int) + by, 0, 255).astype(np.uint8))


def a_slope(width: int = 96, height: int = 64) -> Image.Image:
    """Smooth colours, none of them near black or white."""
    across = np.linspace(60, 180, width)[None, :, None] + np.linspace(0, 20, height)[:, None, None]
    return Image.fromarray(np.repeat(across, 3, axis=2).astype(np.uint8))


@given(st.tuples(*[st.integers(-40, 40)] * 3))
def test_a_shift_of_all_colours_is_taken_back(by):
    picture = a_slope()

    result = matched(shifted(picture, *by), picture, a_mask(), 1.0)

    assert np.abs(np.asarray(result, int) - np.asarray(picture, int)).max() <= 1


def test_half_of_the_strength_takes_half_of_the_shift_back():
    picture = a_slope()

    result = matched(shifted(picture, 20, 20, 20), picture, a_mask(), 0.5)

    inside = a_mask().pixels > 0
    assert np.abs(np.asarray(result, int) - np.asarray(picture, int))[inside].mean() == pytest.approx(10, abs=0.6)


def test_a_shift_on_one_side_is_taken_back_on_that_side():
    picture = a_slope()
    painted = picture.copy()
    painted.paste(shifted(picture, 30, 30, 30).crop((0, 0, 35, 64)), (0, 0))

    result = np.asarray(matched(painted, picture, a_mask(), 1.0), int) - np.asarray(painted, int)

    assert result[25, 21].mean() < -20
    assert abs(result[25, 48].mean()) < 8


def test_what_looks_the_same_around_the_mask_stays_as_it_was_painted():
    picture = a_picture()
    painted = picture.copy()
    painted.paste("red", (24, 14, 46, 36))

    assert matched(painted, picture, a_mask(), 1.0).tobytes() == painted.tobytes()


def test_without_anything_around_the_mask_nothing_is_matched():
    whole = Mask(np.full((64, 96), 255, np.uint8))

    assert matched(a_picture(), a_slope(), whole, 1.0).tobytes() == a_picture().tobytes()


@pytest.mark.parametrize("mode", ["I;16", "RGB", "RGBA"])
def test_matching_colours_leaves_every_pixel_outside_the_mask_as_it_was(mode):
    picture = a_picture(mode=mode)
    plan = Plan.of(InpaintRequest(picture, a_mask(), InpaintParams(size=64, colour_match=1.0)))

    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), "orange"))

    assert unchanged_outside(picture, result, plan.blend_mask)
    assert result.tobytes() != picture.tobytes()


def test_a_request_that_asks_for_no_match_gets_none():
    def result(**params) -> bytes:
        plan = Plan.of(InpaintRequest(a_slope(), a_mask(), InpaintParams(size=64, **params)))
        return plan.finish(Image.new("RGB", tuple(plan.crop.working), "orange")).tobytes()

    assert result() == result(colour_match=0.0) != result(colour_match=1.0)


def test_a_step_in_brightness_at_the_border_is_measured_as_high_as_it_is():
    picture = Image.new("RGB", (96, 64), (100, 100, 100))
    picture.paste((130, 130, 130), (20, 10, 50, 40))

    found = seam(picture, a_mask())

    assert found.jump == pytest.approx(30)
    assert found.step == pytest.approx(30)


def test_a_picture_that_runs_on_smoothly_has_hardly_a_seam():
    found = seam(a_slope(), a_mask())

    assert abs(found.jump) < 0.5


def test_a_mask_without_a_border_in_the_picture_has_no_seam():
    assert seam(a_picture(), Mask(np.full((64, 96), 255, np.uint8))) is None
    assert seam(a_picture(), Mask.empty(Size(96, 64))) is None
