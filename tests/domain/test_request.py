"""A mask says what it shows: one threshold for bounds, coverage, emptiness, crop and repaint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.errors import EmptyMask, InvalidParams
from core.domain.geometry import Bounds
from core.domain.params import AREAS, FIRST_PROCESSING, InpaintParams
from core.domain.pixels.compositing import unchanged_outside
from core.domain.pixels.mask import FAINT, Mask
from core.domain.request import InpaintRequest, Plan, WorkingRequest
from tests.conftest import a_mask, a_picture

faint = st.integers(0, FAINT - 1)


@st.composite
def masks(draw):
    """Of any greys, mostly nearly black ones, for a picture of 48 x 32."""
    greys = st.one_of(faint, faint, st.integers(0, 255))
    return Mask(draw(arrays(np.uint8, (32, 48), elements=greys, fill=faint)))


choices = st.fixed_dictionaries(
    {
        "mask_grow_px": st.integers(0, 5),
        "mask_feather_px": st.integers(0, 5),
        "crop_padding_px": st.integers(0, 20),
        "soft_mask": st.booleans(),
        "area": st.sampled_from(sorted(AREAS)),
        "size": st.just(64),
    }
)


@given(masks(), choices, st.sampled_from(["RGB", "RGBA", "I;16"]))
def test_what_is_nearly_black_in_the_mask_is_kept_to_the_bit_and_decides_nothing(mask, chosen, mode):
    picture, params = a_picture(48, 32, mode), InpaintParams(**chosen)
    black = Mask(np.where(mask.pixels < FAINT, 0, mask.pixels))
    if not (mask.pixels >= FAINT).any():
        with pytest.raises(EmptyMask):
            InpaintRequest(picture, mask, params)
        return
    request = InpaintRequest(picture, mask, params)

    plan = Plan.of(request)
    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), (1, 2, 3)))

    grow = 0 if request.is_soft else params.mask_grow_px
    kept = black.grown(grow).pixels == 0
    assert np.array_equal(np.asarray(result)[kept], np.asarray(picture)[kept])
    assert plan.crop == Plan.of(InpaintRequest(picture, black, params)).crop
    assert request.painted.coverage == np.count_nonzero(mask.pixels >= FAINT) / mask.pixels.size
    rows, columns = np.nonzero(mask.pixels >= FAINT)
    tight = Bounds(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    assert request.painted.bounds == tight
    assert unchanged_outside(picture, result, request.may_change)


def test_a_mask_whose_black_is_1_has_the_crop_of_what_is_painted():
    pixels = np.maximum(a_mask(600, 400).pixels, 1)

    plan, clean = (
        Plan.of(InpaintRequest(a_picture(600, 400), mask, InpaintParams())) for mask in (Mask(pixels), a_mask(600, 400))
    )

    assert plan.crop == clean.crop
    assert plan.blend_mask == clean.blend_mask


def test_by_the_first_rules_one_grey_level_decides_as_it_did():
    pixels = np.maximum(a_mask().pixels, 1)

    request = InpaintRequest(a_picture(), Mask(pixels), InpaintParams(size=64).processed_by(FIRST_PROCESSING))

    assert request.painted.coverage == 1
    assert Plan.of(request).crop.bounds == Bounds(0, 0, 96, 64)


def test_a_change_where_the_mask_looks_black_would_be_told_whatever_was_made_of_the_mask():
    pixels = np.maximum(a_mask().pixels, 1)
    request = InpaintRequest(a_picture(), Mask(pixels), InpaintParams(size=64).processed_by(FIRST_PROCESSING))
    plan = Plan.of(request)

    # By the first rules it was mixed in there at 1 of 255; of a strong difference one level is left.
    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), (255, 255, 255)))

    assert unchanged_outside(request.image, result, plan.blend_mask)
    assert not unchanged_outside(request.image, result, request.may_change)


def test_what_a_model_is_handed_is_rgb_with_a_mask_of_its_size():
    WorkingRequest(a_picture(), a_mask(), InpaintParams())
    for picture, mask in ((a_picture(mode="RGBA"), a_mask()), (a_picture(), a_mask(64, 96))):
        with pytest.raises(InvalidParams, match="another mask"):
            WorkingRequest(picture, mask, InpaintParams())


def test_a_size_is_in_whole_cells_or_refused_with_what_would_do():
    request = WorkingRequest(a_picture(96, 64), a_mask(96, 64), InpaintParams())

    request.check_cells(32)
    with pytest.raises(InvalidParams, match="multiples of 64 pixels, not 96 x 64"):
        request.check_cells(64)
