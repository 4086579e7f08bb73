"""One pass or two: what the inpainter gets, what is reported, and what is recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.domain.generation import Phase, Verdict
from core.domain.pixels.compositing import unchanged_outside
from core.domain.record import Record
from core.domain.request import Plan
from core.services.painting import paint
from tests.conftest import a_mask, a_picture, a_request
from tests.fakes import FakeInpainter, colour_of

AREAS = ["masked", "two-pass", "whole"]


def a_large_request(**params):
    request = a_request(num_inference_steps=10, **params)
    return replace(request, image=a_picture(640, 480), mask=a_mask(640, 480, (300, 200, 360, 250)))


def painted(request, inpainter=None):
    inpainter = inpainter or FakeInpainter()
    reports = []
    return paint(Plan.of(request), inpainter, reports.append), inpainter, reports


@pytest.mark.parametrize("area", AREAS)
def test_whatever_the_model_sees_nothing_changes_outside_the_grown_mask(area):
    request = a_large_request(area=area, colour_match=0.5)

    result = painted(request)[0].result

    assert unchanged_outside(request.image, result, request.mask.grown(request.params.mask_grow_px))
    assert result.tobytes() != request.image.tobytes()


def test_the_whole_picture_goes_through_the_model_at_the_working_size():
    _, inpainter, _ = painted(a_large_request(area="whole"))

    [seen] = inpainter.requests
    assert seen.image.size == (64, 48)


def test_two_passes_look_at_the_scene_first_and_then_closer_with_a_lower_strength():
    request = a_large_request(area="two-pass", strength=0.9, refine_strength=0.3, fill="border")
    plan = Plan.of(request)

    _, inpainter, _ = painted(request)

    first, second = inpainter.requests
    assert plan.context.crop.bounds.contains(plan.crop.bounds)
    assert plan.context.crop.bounds.size.pixels > 4 * plan.crop.bounds.size.pixels
    assert (first.params.strength, first.params.fill) == (0.9, "border")
    assert (second.params.strength, second.params.fill) == (0.3, "original")


def test_the_second_pass_starts_from_what_the_first_one_made():
    _, inpainter, _ = painted(a_large_request(area="two-pass"))

    first, second = inpainter.requests
    at = second.image.width // 2, second.image.height // 2
    assert np.abs(np.subtract(second.image.getpixel(at), colour_of(first.params))).max() <= 2


def test_the_steps_of_both_passes_are_counted_on():
    request = a_large_request(area="two-pass", strength=0.5, refine_strength=0.3)

    _, _, reports = painted(request)

    denoising = [(report.step, report.total) for report in reports if report.phase is Phase.DENOISING]
    assert denoising == [(step, 8) for step in range(1, 9)]
    assert request.params.effective_steps == 8


def test_with_a_model_that_takes_no_strength_no_step_is_counted_beyond_all_of_them():
    class AllSteps(FakeInpainter):
        def inpaint(self, request, on_step):
            return super().inpaint(replace(request, params=request.params.changed(strength=1.0)), on_step)

    _, _, reports = painted(a_large_request(area="two-pass", refine_strength=0.3), AllSteps())

    steps = [report.step for report in reports if report.phase is Phase.DENOISING]
    assert steps == list(range(1, 21))
    assert all(report.step <= report.total for report in reports)


def test_both_passes_are_recorded_and_the_conditions_of_each_are_restored():
    request = a_large_request(area="two-pass")
    record = painted(request)[0].record
    again = FakeInpainter()

    paint(Plan.of(request), again, lambda report: None, Record.of({"inpainter": record}).inpainter)

    first, second = again.requests
    assert first.recorded == record["first_pass"]
    assert second.recorded == record
    assert record["first_pass"]["decoded_sha256"] != record["decoded_sha256"]


@pytest.mark.slow_but_first
@pytest.mark.parametrize("area", AREAS)
def test_what_was_painted_in_one_or_two_passes_verifies_exactly(studio, dispatcher, area):
    [id] = studio.generations.submit(a_large_request(area=area, colour_match=1.0, keep_threshold=0.1, fill="noise"))
    dispatcher.drain()
    studio.reproductions.verify([id])
    dispatcher.drain()

    [verification] = studio.reproductions.of(id)

    assert verification.reproduction.verdict is Verdict.EXACT
    assert verification.reproduction.changes == ()
    record = studio.gallery.get(id).record.raw
    assert ("first_pass" in record) == (area == "two-pass")
    assert record["effective_steps"] == (14 if area == "two-pass" else 10)


def test_a_plain_record_says_nothing_of_what_was_not_asked_for(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()

    record = studio.gallery.get(id).record.raw

    assert "first_pass" not in record
    assert "first_pass" not in record["inpainter"]
