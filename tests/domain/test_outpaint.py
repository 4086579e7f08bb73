"""Outpainting: the picture's own pixels stay; the new part is masked, and a little of the picture with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from core.domain.errors import InvalidInput
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.compositing import unchanged_outside
from core.domain.pixels.outpaint import MAX_PX, CanvasExtension, ExtensionHistory, extend_canvas, mask_of_extension
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_picture

pixels = st.integers(0, 40)


@st.composite
def extensions(draw):
    sides = draw(st.tuples(pixels, pixels, pixels, pixels))
    assume(any(sides))
    return CanvasExtension(*sides)


sizes = st.builds(Size, st.integers(1, 50), st.integers(1, 50))


@given(sizes, extensions(), st.sampled_from(["I;16", "RGB", "RGBA"]))
def test_the_pixels_of_the_picture_stay_bit_identical(size, extension, mode):
    picture = a_picture(*size, mode)

    result = extend_canvas(picture, extension)

    assert (result.mode, Size(*result.size)) == (mode, extension.of(size))
    assert result.crop(extension.place(size).box).tobytes() == picture.tobytes()


@given(sizes, extensions(), st.integers(0, 60))
def test_all_of_the_new_part_is_masked_and_of_the_picture_the_overlap_alone(size, extension, overlap):
    mask = mask_of_extension(size, extension, overlap)

    place = extension.place(size)
    on = mask.pixels > 0
    new = np.ones_like(on)
    new[place.slices] = False
    assert on[new].all()
    kept = np.zeros_like(on)
    kept[place.slices] = True
    if extension.left:
        kept[:, : place.left + overlap] = False
    if extension.right:
        kept[:, max(0, place.right - overlap) :] = False
    if extension.top:
        kept[: place.top + overlap] = False
    if extension.bottom:
        kept[max(0, place.bottom - overlap) :] = False
    assert not on[kept].any()
    assert not on.all()


@given(st.builds(Size, st.integers(50, 3000), st.integers(50, 3000)), st.integers(1, 21), st.integers(1, 21))
def test_a_shape_is_reached_by_adding_on_two_sides_alone(size, width, height):
    try:
        extension = CanvasExtension.to_ratio(size, width, height)
    except InvalidInput:
        assume(False)

    result = extension.of(size)
    assert abs(result.width * height - result.height * width) <= max(width, height)
    assert size.width == result.width or size.height == result.height
    assert abs(extension.left - extension.right) <= 1
    assert abs(extension.top - extension.bottom) <= 1


@pytest.mark.parametrize("sides", [{}, {"left": -1, "right": 5}, {"top": MAX_PX + 1}])
def test_what_cannot_be_added_is_refused_with_a_message(sides):
    with pytest.raises(InvalidInput):
        CanvasExtension(**sides)


@pytest.mark.parametrize("shape", [(3, 2), (0, 1), (-1, 1), (float("nan"), 1), (1, 1000)])
def test_a_shape_that_is_there_already_or_is_none_is_refused_with_a_message(shape):
    with pytest.raises(InvalidInput):
        CanvasExtension.to_ratio(Size(300, 200), *shape)


def test_the_new_part_takes_its_colours_from_the_border_beside_it():
    picture = Image.new("RGB", (60, 40), "blue")
    picture.paste("red", (0, 0, 30, 40))

    result = extend_canvas(picture, CanvasExtension(left=20, right=20))

    assert result.getpixel((18, 20))[0] > 200
    assert result.getpixel((82, 20))[2] > 200


def test_the_new_part_of_a_transparent_picture_is_opaque_and_takes_no_colour_from_what_cannot_be_seen():
    picture = Image.new("RGBA", (60, 40), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (20, 10, 40, 30))

    result = extend_canvas(picture, CanvasExtension(top=10))

    assert result.getpixel((30, 2)) == (0, 0, 255, 255)


def test_the_colour_profile_stays_with_the_picture():
    picture = a_picture()
    picture.info = {"icc_profile": b"a profile", "comment": b"no"}

    assert extend_canvas(picture, CanvasExtension(left=8)).info == {"icc_profile": b"a profile"}


def test_an_outpainted_picture_keeps_every_pixel_beyond_the_overlap():
    picture, extension = a_picture(), CanvasExtension(right=40, bottom=16)
    params = InpaintParams(size=64, mask_grow_px=0, mask_feather_px=4, colour_match=1.0)
    source = extend_canvas(picture, extension)
    plan = Plan.of(InpaintRequest(source, mask_of_extension(Size(*picture.size), extension, 8), params))

    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), "orange"))

    assert unchanged_outside(source, result, plan.blend_mask)
    kept = (0, 0, 96 - 8, 64 - 8)
    assert result.crop(kept).tobytes() == picture.crop(kept).tobytes()


@given(st.lists(extensions(), min_size=1, max_size=4))
def test_how_a_picture_was_extended_is_read_back_as_it_was_written(by):
    again_and_again = ExtensionHistory("sha256:a", tuple(by))

    assert ExtensionHistory.from_dict(again_and_again.to_dict()) == again_and_again
    assert again_and_again.of(Size(3, 5)).width == 3 + sum(one.left + one.right for one in by)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"source": 1, "by": [{"left": 1}]}',
        '{"source": "a", "by": []}',
        '{"source": "a", "by": [{"left": 0}]}',
        '{"source": "a", "by": [{"left": 1.5}]}',
        '{"source": "a", "by": [{"left": "1"}]}',
        '{"source": "a", "by": [{"behind": 1}]}',
        '{"source": "a", "by": [' + ",".join(['{"left": 1}'] * 33) + "]}",
    ],
)
def test_what_was_not_written_by_us_is_refused(text):
    with pytest.raises((InvalidInput, ValueError, TypeError, KeyError)):
        ExtensionHistory.from_dict(json.loads(text))
