"""Content fill: removing without a model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from core.domain.params import FIRST_PATCH_MATCH, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan, WorkingRequest
from core.engine import loading
from core.engine.content_fill import ContentFill
from core.engine.models.catalogue import ROOT, Catalogue

SIZE = 96


@pytest.fixture
def filler(settings) -> ContentFill:
    return loading.load("content-fill", "cpu", Catalogue(settings), settings)


def stripes(width: int = SIZE, height: int = SIZE) -> Image.Image:
    """Vertical stripes: whoever continues them gets them right, whoever averages gets grey."""
    columns = np.where(np.arange(width) // 6 % 2, 220, 30).astype(np.uint8)
    return Image.fromarray(np.repeat(np.broadcast_to(columns, (height, width))[..., None], 3, axis=2).copy())


def a_hole(width: int = SIZE, height: int = SIZE) -> Mask:
    pixels = np.zeros((height, width), np.uint8)
    pixels[36:60, 36:60] = 255
    return Mask(pixels)


BEFORE = FIRST_PATCH_MATCH - 1
"""The rules by which OpenCV's shift map fills."""


def fill(filler: ContentFill, image: Image.Image, mask: Mask, rules: int = FIRST_PATCH_MATCH, **params) -> np.ndarray:
    request = WorkingRequest(image, mask, InpaintParams(model="content-fill", **params).processed_by(rules))
    return np.asarray(filler.inpaint(request, lambda report: None).image)


@pytest.mark.parametrize("rules", [BEFORE, FIRST_PATCH_MATCH])
def test_a_pattern_is_continued_over_the_hole(filler, rules):
    painted = np.asarray(stripes()).copy()
    painted[36:60, 36:60] = (255, 0, 0)

    filled = fill(filler, Image.fromarray(painted), a_hole(), rules)

    assert np.abs(filled.astype(int) - np.asarray(stripes())).mean() < 6


def test_everything_around_the_hole_comes_back_as_it_was(filler):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))

    filled = fill(filler, noise, a_hole())

    outside = a_hole().pixels == 0
    assert (filled[outside] == np.asarray(noise)[outside]).all()


@pytest.mark.parametrize("rules", [BEFORE, FIRST_PATCH_MATCH])
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.slow_but_first
def test_a_mask_over_everything_or_almost_everything_is_no_trouble(filler, value, rules):
    pixels = np.full((SIZE, SIZE), 255, np.uint8)
    pixels[0, 0] = value

    assert fill(filler, stripes(), Mask(pixels), rules).shape == (SIZE, SIZE, 3)


def test_no_hole_is_left_black_or_blue(filler):
    red = Image.new("RGB", (SIZE, SIZE), (200, 30, 20))

    filled = fill(filler, red, a_hole())

    assert np.abs(filled.astype(int) - (200, 30, 20)).max() <= 3


def test_the_whole_road_changes_nothing_outside_the_mask_at_full_resolution(filler):
    picture = stripes(400, 300)
    request = InpaintRequest(picture, a_hole(400, 300), InpaintParams(model="content-fill", size=64, mask_grow_px=3))
    plan = Plan.of(request)

    result = plan.finish(filler.inpaint(plan.working_request(filler.model.cell), lambda report: None).image)

    outside = plan.blend_mask.pixels == 0
    assert (np.asarray(result)[outside] == np.asarray(picture)[outside]).all()


def test_the_catalogue_lists_it_as_ready_and_has_nothing_to_download(settings):
    catalogue = Catalogue(settings)

    assert catalogue.is_ready("content-fill")
    assert catalogue.vocabulary("content-fill") is None
    catalogue.download("content-fill", lambda done, total: None)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("size", [(40, 40), (64, 64), (88, 88), (256, 40)])
def test_a_small_picture_is_filled_alike_whatever_the_process_did_before(filler, size):
    """OpenCV reads behind its table of offsets where it finds few; each thread has other memory there."""
    picture = Image.open(ROOT / "assets/samples/mountain-meadow.jpg").convert("RGB").resize(size)
    y, x = np.mgrid[: size[1], : size[0]]
    hole = (((x / size[0] - 0.5) ** 2 + (y / size[1] - 0.45) ** 2) < 0.05) * np.uint8(255)

    def filled() -> bytes:
        return fill(filler, picture, Mask(hole), BEFORE).tobytes()

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        results = {filled(), one.submit(filled).result(), other.submit(filled).result()}

    assert len(results) == 1
