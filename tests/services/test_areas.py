"""A mask painted part by part: one generation, several passes, each recorded and painted again to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain.generation import Phase, Status, Verdict
from core.domain.geometry import Size
from core.domain.params import SEPARATE, InpaintParams
from core.domain.pixels.compositing import unchanged_outside
from core.domain.pixels.mask import Mask
from core.domain.pixels.outpaint import CanvasExtension, extend_canvas, mask_of_extension
from core.domain.record import Record
from core.domain.request import InpaintRequest, Plan
from core.services.painting import paint
from tests.conftest import a_picture
from tests.fakes import FakeInpainter


def a_request(**params) -> InpaintRequest:
    pixels = np.zeros((480, 640), np.uint8)
    pixels[40:60, 30:55] = 255
    pixels[400:430, 580:600] = 255
    params = {"prompt": "a cat", "size": 64, "num_inference_steps": 4, "seed": 7, "area": SEPARATE, **params}
    return InpaintRequest(a_picture(640, 480), Mask(pixels), InpaintParams(**params))


def painted(request: InpaintRequest):
    inpainter, reports = FakeInpainter(), []
    return paint(Plan.of(request), inpainter, reports.append), inpainter, reports


CHOICES = [
    {},
    {"colour_match": 1.0, "keep_threshold": 0.02},
    {"soft_mask": True},
    {"mask_grow_px": 40, "mask_feather_px": 20},
]


@pytest.mark.parametrize("params", CHOICES)
@pytest.mark.slow_but_first
def test_both_parts_are_repainted_and_nothing_else(params):
    request = a_request(**params)

    result = painted(request)[0].result

    assert unchanged_outside(request.image, result, request.may_change)
    differs = (np.asarray(result) != np.asarray(request.image)).any(axis=2)
    assert differs[45:55, 35:50].any()
    assert differs[405:425, 585:595].any()


def test_each_part_goes_through_the_model_at_its_full_size_with_a_seed_of_its_own():
    _, inpainter, _ = painted(a_request())

    first, second = inpainter.requests
    assert first.image.size == second.image.size == (64, 64)
    assert (first.params.seed, second.params.seed) == (7, 8)
    assert min(seen.mask.coverage for seen in inpainter.requests) > 0.1


def test_the_second_part_sees_what_became_of_the_first():
    request = a_request(crop_padding_px=2048)
    _, inpainter, _ = painted(request)

    # The crop of one shows the other then, so they are painted at once.
    assert len(inpainter.requests) == 1


def test_a_mask_in_one_piece_is_painted_as_around_the_mask():
    request = a_request()
    one = InpaintRequest(request.image, Mask(np.where(np.arange(640) < 300, request.mask.pixels, 0)), request.params)
    usual = InpaintRequest(one.image, one.mask, one.params.changed(area="masked"))

    assert painted(one)[0].result.tobytes() == painted(usual)[0].result.tobytes()


def test_the_steps_of_all_parts_are_counted_on():
    _, _, reports = painted(a_request())

    denoising = [(report.step, report.total) for report in reports if report.phase is Phase.DENOISING]
    assert denoising == [(step, 8) for step in range(1, 9)]


@pytest.mark.slow_but_first
@pytest.mark.parametrize("params", CHOICES)
def test_what_was_painted_part_by_part_is_recorded_and_verifies_exact(studio, dispatcher, params):
    [id] = studio.generations.submit(a_request(**params))
    dispatcher.drain()
    again = studio.generations.rerun(id)
    [verification] = studio.reproductions.verify([id])
    dispatcher.drain()

    generation = studio.gallery.get(id)
    parts = generation.record.parts
    assert [part["seed"] for part in parts.values()] == [7, 8]
    assert [part["working_size"] for part in parts.values()] == [[64, 64], [64, 64]]
    assert generation.record.effective_steps == 8
    assert generation.record.outside_mask_unchanged is True
    assert generation.record.raw["inpainter"]["part_2"]["decoded_sha256"]
    reproduction = studio.reproductions.get(verification).reproduction
    assert (reproduction.verdict, reproduction.changes) == (Verdict.EXACT, ())
    assert studio.gallery.get(again).pixels_sha256 == generation.pixels_sha256


def test_more_canvas_on_two_sides_is_two_parts(studio, dispatcher):
    extension = CanvasExtension(left=64, right=64)
    picture = extend_canvas(a_picture(640, 240), extension)
    params = InpaintParams(size=64, num_inference_steps=4, area=SEPARATE, mask_grow_px=0, crop_padding_px=16)
    request = InpaintRequest(picture, mask_of_extension(Size(640, 240), extension, 8), params)

    [id] = studio.generations.submit(request)
    dispatcher.drain()

    generation = studio.gallery.get(id)
    assert len(generation.record.parts) == 2
    assert generation.record.outside_mask_unchanged is True
    kept = np.asarray(studio.gallery.image(generation.output))[:, 72:-72]
    assert np.array_equal(kept, np.asarray(a_picture(640, 240))[:, 8:-8])


def test_the_conditions_of_each_part_are_restored():
    request = a_request()
    record = painted(request)[0].record
    again = FakeInpainter()

    paint(Plan.of(request), again, lambda report: None, Record.of({"inpainter": record}).inpainter)

    assert [seen.recorded for seen in again.requests] == [record, record["part_2"]]


def test_cancelling_in_the_second_part_leaves_nothing_half_painted(studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request())
    calls = []

    def cancel_in_the_second():
        calls.append(1)
        if len(calls) == 2:
            studio.generations.cancel(id)

    inpainter.after_step(2, cancel_in_the_second)
    dispatcher.drain()

    generation = studio.gallery.get(id)
    assert generation.status is Status.CANCELLED
    assert generation.output is None


def test_the_time_to_expect_is_told_by_the_time_of_a_part(studio, dispatcher):
    [two] = studio.generations.submit(a_request())
    dispatcher.drain()

    took_s = studio.gallery.get(two).runtime_s
    assert studio.statistics.estimate_s(a_request(area="masked").params, "cpu") == pytest.approx(took_s / 2)
