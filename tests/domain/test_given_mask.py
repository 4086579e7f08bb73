"""Mask files of every tool: in grey, in colour, in transparency."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from core.domain.errors import EmptyMask, InvalidMask
from core.domain.files.picture import read_picture
from core.domain.pixels.given_mask import COLOURED, DRAWN, TRANSPARENT, given_mask, own_transparency
from core.domain.pixels.mask import FAINT
from tests.conftest import a_picture

BOX = (20, 10, 49, 39)


def drawing(colour, background="black", mode="RGB") -> Image.Image:
    image = Image.new(mode, (96, 64), background)
    ImageDraw.Draw(image).rectangle(BOX, fill=colour)
    return image


def inside() -> np.ndarray:
    on = np.zeros((64, 96), bool)
    on[BOX[1] : BOX[3] + 1, BOX[0] : BOX[2] + 1] = True
    return on


def opened(image: Image.Image, format: str = "PNG", **options) -> Image.Image:
    """As an artist's file comes in."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return read_picture(file.getvalue()).image


@given(arrays(np.uint8, (16, 16), elements=st.integers(0, 255), fill=st.integers(0, FAINT - 1)))
def test_greys_are_kept_and_what_is_nearly_black_is_black(pixels):
    image = Image.fromarray(pixels)
    if (pixels < FAINT).all():
        with pytest.raises(EmptyMask):
            given_mask(image)
        return

    assert np.array_equal(given_mask(image).mask.pixels, np.where(pixels < FAINT, 0, pixels))
    assert given_mask(image).notes == ()


@given(
    arrays(np.uint8, (16, 16), elements=st.integers(0, 3)),
    st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=4, max_size=4),
)
def test_of_a_coloured_mask_everything_is_on_that_is_not_black(labels, palette):
    """As segmenters write it: black, and a colour for each thing."""
    palette[0] = (0, 0, 0)
    colours = np.array(palette, np.uint8)[labels]
    on = (colours >= FAINT).any(axis=2)
    spread = colours.max(axis=2).astype(int) - colours.min(axis=2)
    if not ((spread >= 64) & on).any() or (colours[0].min(axis=1) > 200).any():
        return

    given = given_mask(Image.fromarray(colours))

    assert np.array_equal(given.mask.pixels, np.where(on, 255, 0))
    assert given.notes == (COLOURED,)


@pytest.mark.parametrize("colour", ["red", "blue", "lime", (0, 0, 20), (64, 0, 0), (8, 0, 0)])
def test_a_colour_on_black_is_wholly_repainted(colour):
    given = given_mask(opened(drawing(colour)))

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes == (COLOURED,)


def test_white_beside_a_colour_is_wholly_repainted_too():
    image = drawing("white")
    ImageDraw.Draw(image).rectangle((60, 10, 70, 20), fill="blue")

    assert np.count_nonzero(given_mask(image).mask.pixels == 255) == 900 + 121


def test_a_palette_is_read_by_what_it_shows():
    image = Image.new("P", (96, 64), 0)
    image.putpalette([0, 0, 0, 128, 0, 0, 1, 1, 1])
    ImageDraw.Draw(image).rectangle(BOX, fill=1)
    ImageDraw.Draw(image).rectangle((0, 0, 5, 5), fill=2)

    assert np.array_equal(given_mask(opened(image)).mask.pixels == 255, inside())


@pytest.mark.parametrize(
    "image",
    [drawing(1, 0, "L"), drawing((1, 1, 1)), drawing((0, 0, 7)), drawing(255, 0, "I;16")],
    ids=["classes", "a palette that is nearly black", "a nearly black blue", "8 bits in a file of 16"],
)
def test_a_mask_whose_white_is_nearly_black_is_refused_with_its_brightest_value(image):
    with pytest.raises(EmptyMask, match="brightest value is"):
        given_mask(opened(image))


def test_a_black_mask_is_empty():
    with pytest.raises(EmptyMask, match="nothing would be repainted"):
        given_mask(Image.new("L", (96, 64)))


@pytest.mark.parametrize("image", [drawing(255, 0, "L"), drawing(1, 0, "1"), drawing(65535, 0, "I;16")])
def test_masks_of_1_8_and_16_bits_mean_the_same(image):
    given = given_mask(opened(image))

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes == ()


@pytest.mark.parametrize("quality", [60, 75, 95])
@pytest.mark.parametrize("colour", ["red", "blue", (128, 0, 0)])
def test_what_jpeg_leaves_around_a_colour_is_black(quality, colour):
    given = given_mask(opened(drawing(colour), "JPEG", quality=quality))

    on = given.mask.pixels > 0
    assert set(np.unique(given.mask.pixels)) == {0, 255}
    assert on[inside()].all()
    rows, columns = np.nonzero(on)
    # Its colours are stored at half the size: two pixels around belong to them.
    assert (columns.min(), rows.min()) >= (BOX[0] - 8, BOX[1] - 8)
    assert np.count_nonzero(on) < 1.2 * np.count_nonzero(inside())


def test_a_grey_mask_that_jpeg_has_stored_in_colour_keeps_its_greys():
    ramp = Image.linear_gradient("L").convert("RGB")

    given = given_mask(opened(ramp, "JPEG", quality=80))

    assert given.notes == ()
    assert np.abs(given.mask.pixels.astype(int) - np.asarray(ramp.convert("L")))[16:].max() < 8


def test_a_coloured_drawing_on_white_is_refused():
    with pytest.raises(InvalidMask, match="Draw on black"):
        given_mask(opened(drawing("red", "white")))


def test_an_alpha_channel_that_is_opaque_everywhere_means_nothing():
    image = drawing("white")
    image.putalpha(255)

    given = given_mask(opened(image))

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes == ()


@pytest.mark.parametrize("colour", ["white", "red"])
def test_what_is_drawn_on_transparency_is_repainted(colour):
    given = given_mask(opened(drawing(colour, (0, 0, 0, 0), "RGBA")))

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes[-1] == DRAWN


def test_a_black_mask_with_a_hole_is_in_its_transparency():
    given = given_mask(opened(drawing((0, 0, 0, 0), (0, 0, 0, 255), "RGBA")))

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes == (TRANSPARENT,)


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
@pytest.mark.parametrize("size", [(96, 64), (960, 640)])
def test_the_picture_itself_with_a_hole_is_a_mask_of_the_hole(mode, size):
    picture = Image.linear_gradient("L").resize(size)
    picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
    seen = Image.linear_gradient("L").resize((96, 64))
    erased = seen.convert("RGBA")
    erased.paste((0, 0, 0, 0), (BOX[0], BOX[1], BOX[2] + 1, BOX[3] + 1))

    given = given_mask(opened(erased), picture)

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes == (TRANSPARENT,)


def test_a_layer_without_anything_on_it_is_empty():
    with pytest.raises(EmptyMask):
        given_mask(Image.new("RGBA", (96, 64)))


def test_a_picture_brings_its_transparent_part_along():
    assert own_transparency(a_picture()) is None

    given = own_transparency(drawing((9, 9, 9, 0), (9, 9, 9, 255), "RGBA"))

    assert np.array_equal(given.mask.pixels == 255, inside())
    assert given.notes
