"""Soft masks: the degree of change for each latent, and the same law outside."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.geometry import Bounds, Size
from core.domain.params import InpaintParams
from core.domain.pixels.compositing import unchanged_outside
from core.domain.pixels.mask import Mask
from core.domain.pixels.soft_mask import degree_for_model, everything_on, has_grey_parts, has_greys
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_mask, a_picture

sides = st.integers(1, 40)
GREYS = st.sampled_from([0, 0, 0, 1, 90, 200, 255])


@st.composite
def grey_masks(draw):
    height, width = draw(sides), draw(sides)
    pixels = draw(arrays(np.uint8, (height, width), elements=GREYS))
    pixels[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = 90
    return Mask(pixels)


def a_ramp() -> Mask:
    """Over a part of the picture, from hardly at all to wholly."""
    pixels = np.zeros((64, 96), np.uint8)
    pixels[10:50, 20:70] = np.linspace(8, 255, 50).astype(np.uint8)
    return Mask(pixels)


def test_the_smooth_edge_of_a_stroke_is_no_grey_part():
    stroke = Image.new("L", (60, 40))
    stroke.paste(255, (20, 10, 40, 30))
    smooth = Mask.from_image(stroke.rotate(10, Image.Resampling.BILINEAR))

    assert has_greys(smooth)
    assert not has_grey_parts(smooth)
    assert has_grey_parts(a_ramp())
    assert not has_grey_parts(Mask(np.full((2, 2), 90, np.uint8)))


@given(grey_masks(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 8))
def test_each_cell_may_change_as_much_as_the_most_of_its_pixels(mask, columns, rows, cell):
    bounds, working = Bounds(0, 0, *mask.size), Size(columns * cell, rows * cell)

    degree = degree_for_model(mask, bounds, working, cell)

    width, height = mask.size
    for row in range(rows):
        for column in range(columns):
            part = mask.pixels[
                row * height // rows : -(-(row + 1) * height // rows),
                column * width // columns : -(-(column + 1) * width // columns),
            ]
            block = degree.pixels[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
            assert (block == part.max()).all()


@given(grey_masks(), st.integers(1, 6), st.integers(1, 6))
def test_it_is_on_in_the_same_cells_as_the_hard_mask_of_the_model(mask, columns, rows):
    bounds, working = Bounds(0, 0, *mask.size), Size(columns * 8, rows * 8)

    degree = degree_for_model(mask, bounds, working, 8)

    assert np.array_equal(degree.pixels > 0, mask.for_model(bounds, working, 8).pixels > 0)


@given(grey_masks(), st.integers(0, 6))
def test_outside_a_soft_mask_every_pixel_stays_bit_identical(mask, feather):
    picture = a_picture(*mask.size)
    params = InpaintParams(soft_mask=True, mask_feather_px=feather, size=64, mask_grow_px=9)
    plan = Plan.of(InpaintRequest(picture, mask, params))

    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), "orange"))

    assert unchanged_outside(picture, result, mask)


def test_a_soft_mask_is_not_grown_and_its_greys_do_not_weigh_the_new_pixels():
    plan = Plan.of(InpaintRequest(a_picture(), a_ramp(), InpaintParams(soft_mask=True, mask_feather_px=0, size=64)))

    assert plan.blend_mask == everything_on(a_ramp())
    assert has_greys(plan.working_request(8).degree)
    assert not has_greys(plan.working_request(8).mask)


def test_a_mask_of_black_and_white_takes_the_old_road():
    hard, soft = (
        Plan.of(InpaintRequest(a_picture(), a_mask(), InpaintParams(size=64, soft_mask=soft))) for soft in (False, True)
    )

    assert hard.blend_mask == soft.blend_mask
    assert soft.working_request(8).degree is None


def test_greys_weigh_the_new_pixels_as_ever_where_no_soft_mask_is_wanted():
    plan = Plan.of(InpaintRequest(a_picture(), a_ramp(), InpaintParams(size=64, mask_grow_px=0, mask_feather_px=0)))

    assert plan.blend_mask == a_ramp()
    assert plan.working_request(8).degree is None
