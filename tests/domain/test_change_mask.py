"""Keeping what hardly changed: objects stay whole, and what lies beside them stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from core.domain.geometry import Bounds, Size
from core.domain.params import InpaintParams
from core.domain.pixels.change_mask import change_mask, scaled_by
from core.domain.pixels.compositing import unchanged_outside
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_mask, a_picture

SIDE = 128
PLACE = (20, 20, 108, 108)
THRESHOLDS = st.floats(0.01, 0.5)


def a_place() -> Mask:
    return a_mask(SIDE, SIDE, PLACE)


def grass() -> Image.Image:
    grain = np.random.RandomState(1).normal(0, 20, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip([70, 110, 60] + grain, 0, 255).astype(np.uint8))


def repaint(**objects: tuple[int, int, int, int]) -> Image.Image:
    """Grass without its grain and a little too blue, with discs of these colours."""
    painted = Image.new("RGB", (SIDE, SIDE), (70, 108, 70))
    for colour, box in objects.items():
        ImageDraw.Draw(painted).ellipse(box, colour)
    return painted


@st.composite
def repaints(draw) -> Image.Image:
    """Coarse blocks of any colour."""
    blocks = draw(st.binary(min_size=8 * 8 * 3, max_size=8 * 8 * 3))
    coarse = Image.fromarray(np.frombuffer(blocks, np.uint8).reshape(8, 8, 3))
    return coarse.resize((SIDE, SIDE), draw(st.sampled_from([Image.Resampling.NEAREST, Image.Resampling.BICUBIC])))


def result(picture: Image.Image, painted: Image.Image, mask: Mask | None = None, **params) -> tuple[Image.Image, Plan]:
    plan = Plan.of(InpaintRequest(picture, mask or a_place(), InpaintParams(size=SIDE, **params)))
    return plan.finish(painted.resize(tuple(plan.crop.working))), plan


def test_an_object_is_taken_whole_and_the_grain_beside_it_stays():
    weights = change_mask(repaint(red=(44, 44, 84, 84)), grass(), a_place(), 0.1).pixels

    assert weights[52:77, 52:77].min() == 255
    assert weights[20:38, 20:108].max() == weights[92:108, 20:108].max() == 0


def test_an_eye_of_the_colour_of_what_was_there_belongs_to_the_object():
    painted = repaint(red=(44, 44, 84, 84))
    ImageDraw.Draw(painted).ellipse((54, 54, 66, 66), (70, 110, 60))

    assert change_mask(painted, grass(), a_place(), 0.1).pixels[54:67, 54:67].min() == 255


def test_a_speck_and_a_faint_tint_are_not_taken():
    painted = repaint(red=(60, 60, 62, 62))
    painted.paste((80, 116, 78), (70, 30, 100, 60))

    assert change_mask(painted, grass(), a_place(), 0.1).is_empty


def test_a_shadow_runs_out_softly():
    painted = repaint(red=(44, 34, 84, 74))
    shade = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(shade).ellipse((40, 70, 88, 92), 150)
    painted = Image.composite(Image.new("RGB", (SIDE, SIDE)), painted, shade.filter(ImageFilter.GaussianBlur(5)))

    weights = change_mask(painted, grass(), a_place(), 0.1).pixels.astype(int)

    below = weights[80:104, 64]
    assert below[0] == 255
    assert below[-1] == 0
    assert np.abs(np.diff(below)).max() < 80


@given(repaints(), THRESHOLDS)
def test_what_was_not_repainted_at_all_is_kept(painted, threshold):
    assert change_mask(painted, painted, a_place(), threshold).is_empty


@given(repaints(), THRESHOLDS, THRESHOLDS)
def test_a_higher_threshold_never_takes_more_of_any_pixel(painted, one, other):
    low, high = sorted((one, other))

    assert (
        change_mask(painted, grass(), a_place(), high).pixels <= change_mask(painted, grass(), a_place(), low).pixels
    ).all()


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=64, max_size=64))
def test_weights_only_ever_weaken_a_mask(values, by):
    mask = Mask(np.pad(np.frombuffer(values, np.uint8).reshape(8, 8), 4))
    weights = Mask(np.frombuffer(by, np.uint8).reshape(8, 8))

    left = scaled_by(mask, Bounds(2, 2, 14, 14), weights)

    assert (left.pixels <= mask.pixels).all()
    assert scaled_by(mask, Bounds(2, 2, 14, 14), Mask(np.full((3, 5), 255, np.uint8))) == mask


@given(repaints(), THRESHOLDS)
def test_a_picture_painted_over_with_itself_stays_bit_identical(picture, threshold):
    again, _ = result(picture, picture, area="whole", keep_threshold=threshold)

    assert again.tobytes() == picture.tobytes()


@given(repaints(), THRESHOLDS, st.sampled_from([0.0, 0.5]))
def test_outside_the_mask_nothing_changes_and_inside_no_value_passes_what_was_painted(painted, threshold, match):
    plain, _ = result(grass(), painted, colour_match=match)
    kept, plan = result(grass(), painted, colour_match=match, keep_threshold=threshold)

    before, full, less = (np.asarray(image, int) for image in (grass(), plain, kept))
    assert unchanged_outside(grass(), kept, plan.blend_mask)
    assert (np.minimum(before, full) <= less).all()
    assert (less <= np.maximum(before, full)).all()


def test_without_a_threshold_all_is_taken_as_it_was_painted():
    painted = repaint(red=(44, 44, 84, 84))

    assert result(grass(), painted)[0].tobytes() == result(grass(), painted, keep_threshold=0.0)[0].tobytes()
    assert result(grass(), painted)[0].tobytes() != result(grass(), painted, keep_threshold=0.1)[0].tobytes()


@pytest.mark.parametrize("mode", ["I;16", "RGB", "RGBA"])
def test_a_picture_of_any_kind_keeps_all_outside_the_mask(mode):
    picture = a_picture(mode=mode)
    plan = Plan.of(InpaintRequest(picture, a_mask(), InpaintParams(size=64, keep_threshold=0.1)))

    kept = plan.finish(Image.new("RGB", tuple(plan.crop.working), "orange"))

    assert unchanged_outside(picture, kept, plan.blend_mask)
    assert kept.tobytes() != picture.tobytes()


def test_white_on_a_transparent_ground_is_taken_though_that_is_shown_as_white():
    clear = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))

    kept, plan = result(clear, Image.new("RGB", (SIDE, SIDE), "white"), keep_threshold=0.1)

    assert kept.getpixel((64, 64)) == (255, 255, 255, 255)
    assert unchanged_outside(clear, kept, plan.blend_mask)


def test_an_empty_mask_has_nothing_to_be_weighed():
    nothing = Mask.empty(Size(SIDE, SIDE))

    assert change_mask(grass(), repaint(), nothing, 0.1) == nothing
