"""Parts of a mask that lie far apart, and how many pixels of the model each gets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.domain.geometry import Bounds, Size
from core.domain.params import MASKED, SEPARATE, InpaintParams
from core.domain.pixels.areas import MOST, Parts, advice, shares
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_picture

LARGE = Size(2400, 1650)


def boxes(size: Size, *found: tuple[int, int, int, int]) -> Mask:
    pixels = np.zeros((size.height, size.width), np.uint8)
    for left, top, right, bottom in found:
        pixels[top:bottom, left:right] = 255
    return Mask(pixels)


def two_far_apart() -> Mask:
    return boxes(LARGE, (100, 100, 160, 150), (2200, 1500, 2260, 1540))


def nothing_more(bounds: Bounds) -> Bounds:
    return bounds


@given(arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 90)), elements=st.sampled_from([0, 0, 0, 9, 255])))
def test_every_pixel_of_the_mask_belongs_to_exactly_one_part(pixels):
    mask = Mask(pixels)
    if mask.is_empty:
        return

    parts = Parts.of(mask, nothing_more)
    each = [parts.within(mask, nth) for nth in range(len(parts))]

    assert 1 <= len(parts) <= MOST
    assert np.array_equal(sum(part.pixels.astype(int) for part in each), pixels)
    assert [part.bounds for part in each] == list(parts.bounds)


def test_what_lies_far_apart_is_two_parts_and_what_lies_close_is_one():
    far = Parts.of(two_far_apart(), nothing_more)
    close = Parts.of(boxes(LARGE, (100, 100, 160, 150), (165, 100, 200, 150)), nothing_more)

    assert far.bounds == (Bounds(100, 100, 160, 150), Bounds(2200, 1500, 2260, 1540))
    assert close.bounds == (Bounds(100, 100, 200, 150),)


def test_what_the_crop_of_one_part_shows_anyway_belongs_to_it():
    mask = boxes(Size(640, 480), (100, 100, 160, 160), (200, 100, 220, 120), (600, 400, 620, 420))

    parts = Parts.of(mask, lambda bounds: bounds.grown(80, within=mask.size))

    assert parts.bounds == (Bounds(100, 100, 220, 160), Bounds(600, 400, 620, 420))


def test_of_many_parts_those_that_lie_closest_are_painted_together():
    mask = boxes(LARGE, *((x, y, x + 5, y + 5) for x in range(50, 2350, 150) for y in range(50, 1600, 150)))

    assert 1 <= len(Parts.of(mask, nothing_more)) <= MOST


@given(st.integers(0, 30), st.integers(0, 20), st.booleans())
def test_the_parts_of_a_plan_are_its_mask_and_none_reaches_into_another(grow, feather, soft):
    mask = Mask(np.where(two_far_apart().pixels[::4, ::4], np.uint8(200), np.uint8(0)))
    params = InpaintParams(area=SEPARATE, size=64, mask_grow_px=grow, mask_feather_px=feather, soft_mask=soft)
    picture = a_picture(600, 413)

    plan = Plan.of(InpaintRequest(picture, mask, params))
    each = [plan.part(nth, picture) for nth in range(len(plan.parts))]

    assert len(each) == 2
    assert np.array_equal(sum(part.blend_mask.pixels.astype(int) for part in each), plan.blend_mask.pixels)
    assert tuple(part.crop for part in each) == plan.part_crops
    assert all(plan.crop.bounds.contains(part.crop.bounds) for part in each)


def test_the_pixels_that_each_part_gets_are_told_together_and_alone():
    params = InpaintParams(size=128, crop_padding_px=32)

    small, large = shares(two_far_apart(), LARGE, params), shares(boxes(LARGE, (100, 100, 1200, 1200)), LARGE, params)

    # 60 and 8 more pixels of 2,400, in 128.
    assert [share.now for share in small] == [Size(4, 3), Size(4, 3)]
    assert all(max(share.alone) >= 60 for share in small)
    assert [max(share.now) >= 100 for share in large] == [True]


def test_the_same_is_told_of_the_mask_at_another_size():
    params = InpaintParams(size=128)
    half = two_far_apart().resized(Size(1200, 825))

    for one, other in zip(shares(two_far_apart(), LARGE, params), shares(half, LARGE, params), strict=True):
        assert np.abs(np.subtract(tuple(one.now), tuple(other.now))).max() <= 1
        assert np.abs(np.subtract(tuple(one.alone), tuple(other.alone))).max() <= 2


def told(mask: Mask, **params):
    params = InpaintParams(**{"size": 128, **params})
    return advice(shares(mask, LARGE, params), params)


def test_two_small_parts_far_apart_are_told_with_what_helps():
    said = told(two_far_apart())

    assert "2 parts far apart" in said.words
    assert "4 x 3 pixels" in said.words
    assert said.area == SEPARATE
    assert told(two_far_apart(), area=SEPARATE) is None


def test_a_small_mask_in_the_whole_picture_is_told_with_what_helps():
    one = boxes(LARGE, (100, 100, 160, 150))

    assert told(one, area="whole").area == MASKED
    assert told(one) is None


def test_a_small_mask_with_too_much_context_is_told():
    said = told(boxes(LARGE, (1000, 800, 1060, 850)), crop_padding_px=2048)

    assert said.area is None
    assert "Less context" in said.words


@pytest.mark.parametrize("area", ["masked", "two-pass", "whole", SEPARATE])
def test_an_empty_mask_is_not_talked_about(area):
    assert told(Mask.empty(LARGE), area=area) is None


def test_what_comes_out_softer_than_the_picture_around_it_is_told_with_how_much():
    """A wide band beside a large picture, as the canvas is extended: one pixel of the model for many of the picture."""
    band = boxes(LARGE, (0, 0, 400, LARGE.height))
    small, large = InpaintParams(size=128), InpaintParams(size=1024)

    said = advice(shares(band, LARGE, small), small)

    assert said is not None
    assert said.area is None
    assert "softer than the picture around it" in said.words
    assert advice(shares(band, LARGE, large), large) is None
