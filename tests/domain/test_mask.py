"""The laws of masks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage  # noqa: F401 - loaded here, not within the deadline of the first example
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.errors import InvalidMask, SizeMismatch
from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask

sides = st.integers(1, 24)
greys = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint8, shape)).map(Mask)
hard = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.bool_, shape)).map(lambda on: Mask(on * np.uint8(255)))
widths = st.integers(0, 9)


@given(greys)
def test_inverting_twice_gives_the_mask_back(mask):
    assert mask.inverted.inverted == mask


@given(greys)
def test_bounds_hold_every_pixel_that_is_not_0_and_touch_them_on_each_side(mask):
    bounds = mask.bounds

    if bounds is None:
        assert mask.is_empty
        return
    outside = mask.pixels.copy()
    outside[bounds.slices] = 0
    assert not outside.any()
    inside = mask.pixels[bounds.slices]
    assert inside[0].any()
    assert inside[-1].any()
    assert inside[:, 0].any()
    assert inside[:, -1].any()


@given(hard, widths)
def test_growing_turns_on_exactly_the_pixels_within_that_distance(mask, px):
    grown = mask.grown(px)

    on = np.argwhere(mask.pixels)
    for y, x in np.ndindex(*mask.pixels.shape):
        near = on.size and ((on - (y, x)) ** 2).sum(axis=1).min() <= px * px
        assert grown.pixels[y, x] == (255 if near else 0)


@given(greys, widths)
def test_growing_never_takes_anything_away(mask, px):
    assert (mask.grown(px).pixels >= mask.pixels).all()


@given(greys, widths)
def test_the_bounds_of_a_grown_mask_are_known_without_growing_it(mask, px):
    assert mask.grown_bounds(px) == mask.grown(px).bounds


@given(greys, widths)
def test_feathering_changes_nothing_outside_the_mask_and_keeps_every_pixel_in_it(mask, px):
    feathered = mask.feathered(px)

    assert np.array_equal(feathered.pixels == 0, mask.pixels == 0)
    assert (feathered.pixels <= mask.pixels).all()


@given(hard, st.integers(1, 9))
def test_a_feathered_edge_rises_with_the_distance_from_the_outside(mask, px):
    feathered = mask.feathered(px)

    off = np.argwhere(mask.pixels == 0)
    for y, x in np.argwhere(mask.pixels):
        distance = np.sqrt(((off - (y, x)) ** 2).sum(axis=1).min()) if off.size else np.inf
        assert feathered.pixels[y, x] == max(1, np.rint(255 * min(1, distance / (px + 1))))


@given(hard, st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_hard_mask_stays_hard_at_any_size(mask, size):
    resized = mask.resized(Size(*size))

    assert resized.size == Size(*size)
    assert set(np.unique(resized.pixels)) <= {0, 255}


@settings(max_examples=60)
@given(greys, st.integers(1, 8), st.integers(1, 8), st.sampled_from([4, 8]))
def test_the_model_repaints_every_pixel_that_the_result_takes_from_it(mask, columns, rows, cell):
    bounds = Bounds(0, 0, *mask.size)
    working = Size(columns * 8, rows * 8)

    for_model = mask.for_model(bounds, working, cell)

    assert for_model.size == working
    for y, x in np.argwhere(mask.pixels):
        rows_of_it = slice(y * working.height // mask.size.height, -(-(y + 1) * working.height // mask.size.height))
        columns_of_it = slice(x * working.width // mask.size.width, -(-(x + 1) * working.width // mask.size.width))
        assert (for_model.pixels[rows_of_it, columns_of_it] == 255).all()


def test_a_single_pixel_of_a_large_picture_is_not_lost_on_its_way_to_the_model():
    pixels = np.zeros((2000, 2000), np.uint8)
    pixels[777, 1234] = 1

    for_model = Mask(pixels).for_model(Bounds(0, 0, 2000, 2000), Size(64, 64), 8)

    assert np.count_nonzero(for_model.pixels) == 64


def test_the_mask_for_the_model_comes_in_whole_latent_cells():
    pixels = np.zeros((64, 64), np.uint8)
    pixels[3:5, 0:64] = 255

    for_model = Mask(pixels).for_model(Bounds(0, 0, 64, 64), Size(64, 64), 8)

    cells = for_model.pixels.reshape(8, 8, 8, 8)
    assert (cells.min(axis=(1, 3)) == cells.max(axis=(1, 3))).all()


@given(greys)
def test_erasing_a_mask_from_itself_leaves_what_was_half_on_at_most(mask):
    assert mask.without(mask).pixels.max(initial=0) <= 127


def test_white_on_transparent_means_what_it_looks_like():
    image = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    image.putpixel((1, 2), (255, 255, 255, 255))

    mask = Mask.from_image(image)

    assert mask.bounds == Bounds(1, 2, 2, 3)


def test_a_16_bit_mask_is_read_by_its_upper_byte():
    image = Image.fromarray(np.array([[0, 65535]], np.uint16))

    assert Mask.from_image(image).pixels.tolist() == [[0, 255]]


def test_a_mask_cannot_be_changed_from_outside():
    pixels = np.zeros((4, 4), np.uint8)
    mask = Mask(pixels)

    pixels[0, 0] = 255

    assert mask.is_empty
    with pytest.raises(ValueError, match="read-only"):
        mask.pixels[0, 0] = 1


def test_masks_of_different_sizes_do_not_mix():
    with pytest.raises(SizeMismatch):
        Mask.empty(Size(3, 3)).union(Mask.empty(Size(3, 4)))


@pytest.mark.parametrize("pixels", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), np.zeros((0, 2), np.uint8)])
def test_only_one_channel_of_8_bits_is_a_mask(pixels):
    with pytest.raises(InvalidMask):
        Mask(pixels)


# Tools ---------------------------------------------------------------------------------------------------------


@given(hard, widths)
def test_shrinking_turns_off_exactly_the_pixels_within_that_distance_of_the_outside(mask, px):
    shrunk = mask.shrunk(px)

    off = np.argwhere(mask.pixels == 0)
    for y, x in np.ndindex(*mask.pixels.shape):
        near = off.size and ((off - (y, x)) ** 2).sum(axis=1).min() <= px * px
        assert shrunk.pixels[y, x] == (0 if near else mask.pixels[y, x])


@given(greys, widths)
def test_shrinking_never_adds_anything_and_keeps_the_value_of_what_stays(mask, px):
    shrunk = mask.shrunk(px).pixels

    assert ((shrunk == mask.pixels) | (shrunk == 0)).all()


@given(hard, widths)
def test_growing_what_was_shrunk_brings_back_nothing_new(mask, px):
    assert (mask.shrunk(px).grown(px).pixels <= mask.pixels).all()


@given(hard)
def test_what_is_still_kept_after_filling_holes_reaches_the_border_of_the_picture(mask):
    filled = mask.holes_filled

    assert (filled.pixels >= mask.pixels).all()
    reached = np.pad(filled.pixels == 0, 1, constant_values=True)
    seen, todo = np.zeros_like(reached), [(0, 0)]
    while todo:
        y, x = todo.pop()
        if 0 <= y < reached.shape[0] and 0 <= x < reached.shape[1] and reached[y, x] and not seen[y, x]:
            seen[y, x] = True
            todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    assert (seen == reached).all()
    assert filled.holes_filled == filled


def test_a_ring_is_filled_and_a_bay_is_not():
    pixels = np.zeros((9, 20), np.uint8)
    pixels[1:8, 1:8] = pixels[1:8, 11:18] = 255
    pixels[3:6, 3:6] = pixels[3:6, 13:18] = 0

    filled = Mask(pixels).holes_filled.pixels

    assert (filled[1:8, 1:8] == 255).all()
    assert (filled[:, 9:] == pixels[:, 9:]).all()


@given(hard, st.integers(0, 30))
def test_removing_specks_takes_whole_areas_and_never_a_large_one(mask, pixels):
    cleaned = mask.without_specks(pixels)

    taken = mask.without(cleaned)
    assert (cleaned.pixels <= mask.pixels).all()
    assert np.count_nonzero(taken.pixels) == 0 or pixels > 1
    assert cleaned.without_specks(pixels) == cleaned
    assert not (cleaned.grown(1).pixels & taken.pixels).any()


def test_a_slip_of_the_hand_is_removed_and_the_stroke_stays():
    pixels = np.zeros((40, 40), np.uint8)
    pixels[5:20, 5:20] = pixels[30, 30:32] = 255

    assert Mask(pixels).without_specks(10).bounds == Bounds(5, 5, 20, 20)


@given(greys)
def test_a_hard_mask_is_black_and_white_and_hardening_changes_no_hard_mask(mask):
    assert mask.hard.is_hard
    assert mask.hard.hard == mask.hard
    assert mask.is_hard == (mask.hard == mask)


def test_what_is_transparent_is_repainted():
    image = Image.new("RGBA", (5, 4), "green")
    image.paste((0, 0, 0, 20), (1, 1, 3, 3))

    assert Mask.from_transparency(image).bounds == Bounds(1, 1, 3, 3)
    assert Mask.from_transparency(image.convert("RGB")).is_empty
