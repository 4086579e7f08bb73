"""EXACT, CLOSE or DIFFERENT, and why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.domain.errors import SizeMismatch
from core.domain.generation import Verdict
from core.domain.geometry import Size
from core.domain.pixels.mask import Mask
from core.domain.reproduction import (
    Change,
    Stage,
    changes_between,
    compare,
    first_stage,
    heat_map,
)
from tests.conftest import a_mask, a_picture


def changed(picture: Image.Image, at: tuple[int, int], by: int) -> Image.Image:
    pixels = np.array(picture)
    value = pixels[at[1], at[0]].astype(int)
    pixels[at[1], at[0]] = np.where(value + by <= np.iinfo(pixels.dtype).max, value + by, value - by)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_equal_pictures_are_exact(mode):
    difference = compare(a_picture(mode=mode), a_picture(mode=mode), a_mask())

    assert difference.verdict is Verdict.EXACT
    assert (difference.max_difference, difference.psnr, difference.changed) == (0, None, 0)


def test_a_step_of_rounding_inside_the_mask_is_close():
    difference = compare(a_picture(), changed(a_picture(), (25, 20), 1), a_mask())

    assert difference.verdict is Verdict.CLOSE
    assert difference.max_difference == pytest.approx(1 / 255)
    assert difference.changed == pytest.approx(1 / 900)
    assert difference.outside_equal


def test_another_object_inside_the_mask_is_different():
    other = a_picture()
    other.paste((0, 0, 0), (20, 10, 50, 40))

    assert compare(a_picture(), other, a_mask()).verdict is Verdict.DIFFERENT


@given(st.integers(0, 95), st.integers(0, 63), st.integers(1, 100))
def test_any_change_outside_the_mask_is_different_however_small(x, y, by):
    mask = a_mask()
    if mask.pixels[y, x]:
        return

    difference = compare(a_picture(), changed(a_picture(), (x, y), by), mask)

    assert not difference.outside_equal
    assert difference.verdict is Verdict.DIFFERENT


def test_pictures_of_different_sizes_or_kinds_are_not_compared():
    for other, mask in (
        (a_picture(64, 96), a_mask()),
        (a_picture(mode="RGBA"), a_mask()),
        (a_picture(), Mask.empty(Size(5, 5))),
    ):
        with pytest.raises(SizeMismatch):
            compare(a_picture(), other, mask)


def test_the_heat_map_is_black_exactly_where_nothing_differs():
    heat = np.asarray(heat_map(a_picture(), changed(a_picture(), (30, 30), 1)))

    assert heat[30, 30].any()
    assert np.count_nonzero(heat.any(axis=2)) == 1


def test_a_single_pixel_is_seen_in_a_heat_map_that_was_made_small():
    heat = heat_map(a_picture(), changed(a_picture(), (30, 30), 1), Size(12, 12))

    assert heat.size == (12, 8)
    assert np.count_nonzero(np.asarray(heat).any(axis=2)) == 1


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 500), st.sampled_from(["I;16", "RGB", "RGBA"]))
def test_pictures_are_compared_alike_in_bands_of_any_height(band, mode):
    one, other, mask = a_picture(mode=mode), changed(a_picture(mode=mode), (25, 20), 9), a_mask()
    whole = compare(one, other, mask), heat_map(one, other).tobytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.domain.reproduction.BAND_PIXELS", band)
        in_bands = compare(one, other, mask), heat_map(one, other).tobytes()

    assert in_bands == whole


def test_what_changed_is_reported_with_a_message():
    changes = changes_between(
        {"torch": "2.13.0", "threads": 2, "scheduler": {"name": "DDIM", "beta": 0.1}, "gone": "x"},
        {"torch": "2.14.1", "threads": 2, "scheduler": {"name": "DDIM", "beta": 0.2}, "new": "y"},
    )

    assert [str(c) for c in changes] == [
        "gone: x then, unknown now",
        "new: not recorded then, y now",
        "scheduler.beta: 0.1 then, 0.2 now",
        "torch: 2.13.0 then, 2.14.1 now",
    ]
    assert changes[-1] == Change("torch", "2.13.0", "2.14.1")


def test_the_first_stage_that_parted_is_named():
    then = {"noise_sha256": "n", "latents_sha256": "l", "decoded_sha256": "d"}

    assert first_stage(then, then, Verdict.EXACT) is None
    assert first_stage(then, {**then, "noise_sha256": "x", "latents_sha256": "x"}, Verdict.DIFFERENT) is Stage.NOISE
    assert first_stage(then, {**then, "latents_sha256": "x", "decoded_sha256": "x"}, Verdict.CLOSE) is Stage.LATENTS
    assert first_stage(then, {**then, "decoded_sha256": "x"}, Verdict.CLOSE) is Stage.DECODE
    assert first_stage(then, then, Verdict.DIFFERENT) is Stage.COMPOSITE
    assert first_stage({}, then, Verdict.DIFFERENT) is None
