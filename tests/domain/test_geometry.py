"""The crop around the mask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.domain.geometry import MULTIPLE, Bounds, Size, crop_around, wide_crop_around


@st.composite
def masks_in_pictures(draw):
    width, height = draw(st.integers(16, 9000)), draw(st.integers(16, 9000))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return Bounds(left, top, right, bottom), Size(width, height)


natives = st.integers(8, 128).map(lambda n: n * MULTIPLE)


@given(masks_in_pictures(), st.integers(0, 500), natives)
def test_the_crop_holds_the_mask_with_its_context_and_stays_in_the_picture(case, padding, native):
    mask, picture = case

    crop = crop_around(mask, picture, padding_px=padding, native_px=native)

    whole = Bounds(0, 0, *picture)
    assert whole.contains(crop.bounds)
    assert crop.bounds.contains(mask.grown(padding, within=picture))


@given(masks_in_pictures(), st.integers(0, 500), natives)
def test_the_work_does_not_depend_on_the_size_of_the_picture(case, padding, native):
    mask, picture = case

    working = crop_around(mask, picture, padding_px=padding, native_px=native).working

    assert max(working) == native
    assert working.width % MULTIPLE == working.height % MULTIPLE == 0


@given(masks_in_pictures(), natives)
def test_the_crop_is_square_wherever_the_picture_has_room(case, native):
    mask, picture = case

    size = crop_around(mask, picture, padding_px=32, native_px=native).bounds.size

    assert size.width == size.height or min(size) == (picture.width if size.width < size.height else picture.height)


def test_a_mask_at_the_corner_gets_its_context_from_the_other_sides():
    crop = crop_around(Bounds(0, 0, 100, 50), Size(1000, 1000), padding_px=50, native_px=512)

    assert crop.bounds == Bounds(0, 0, 150, 150)


def test_a_large_mask_still_gets_an_eighth_of_its_size_as_context():
    crop = crop_around(Bounds(2000, 1000, 3600, 2600), Size(6000, 4000), padding_px=32, native_px=512)

    assert crop.bounds == Bounds(1800, 800, 3800, 2800)


def test_a_size_is_fitted_without_enlarging_it():
    assert Size(6000, 4000).fitted(Size(900, 700)) == Size(900, 600)
    assert Size(60, 40).fitted(Size(900, 700)) == Size(60, 40)


@given(masks_in_pictures(), st.integers(0, 500), natives)
def test_the_wide_crop_of_a_first_pass_holds_the_one_of_the_second_at_the_same_working_size(case, padding, native):
    mask, picture = case

    wide = wide_crop_around(mask, picture, padding_px=padding, native_px=native)
    close = crop_around(mask, picture, padding_px=padding, native_px=native)

    assert wide.bounds.contains(close.bounds)
    assert max(wide.working) == max(close.working) == native


def test_a_mask_fills_a_quarter_of_the_wide_crop():
    crop = wide_crop_around(Bounds(1000, 1000, 1200, 1200), Size(6000, 4000), padding_px=32, native_px=512)

    assert crop.bounds == Bounds(700, 700, 1500, 1500)
