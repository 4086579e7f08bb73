"""What was painted by earlier rules is painted again to the bit, and what begins anew goes by the newest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.bootstrap import build_studio, make_loader
from core.domain.generation import Origin, Verdict
from core.domain.params import FIRST_PROCESSING, PROCESSING, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.services.prompts import for_resubmission
from tests.conftest import a_mask, a_picture, a_request
from tests.fakes import WaitingDispatcher
from tests.services.negative import Negative

BEFORE = Path(__file__).parents[1] / "data" / "painted-by-processing-1.zip"
"""Painted before there were rules 2, under masks with values of 1 to 7, all but the first in pictures with a Display P3
profile: four by Negative (one with colour match and keep_threshold, one RGBA in two passes under a soft mask, one of
the whole picture), one by the pocket model."""


@pytest.fixture
def real(settings):
    load = make_loader(settings)
    return build_studio(
        settings,
        lambda model, device, **how: Negative() if model == "negative" else load(model, device, **how),
        dispatcher=lambda worker: WaitingDispatcher(worker.run),
    )


def verified(studio, ids):
    verifications = studio.reproductions.verify(ids)
    studio.dispatcher.drain()
    return [studio.reproductions.get(id) for id in verifications]


def painted_before(studio, model: str):
    with BEFORE.open("rb") as file:
        rows = [studio.gallery.get(id) for id in studio.bundles.import_(file).ids]
    return [row for row in rows if row.params.model == model]


def test_what_the_first_rules_painted_verifies_exact_and_so_does_its_re_run(real):
    rows = painted_before(real, "negative")
    again = [real.generations.rerun(row.id) for row in rows]
    real.dispatcher.drain()

    found = verified(real, [*(row.id for row in rows), *again])

    assert len(rows) == 4
    assert {row.params.processing for row in rows} == {FIRST_PROCESSING}
    assert [one.reproduction and one.reproduction.verdict for one in found] == [Verdict.EXACT] * 8
    assert not any(one.reproduction.changes for one in found[:4])
    for row, id in zip(rows, again, strict=True):
        other = real.gallery.get(id)
        assert other.pixels_sha256 == row.pixels_sha256
        assert other.record.processing_version == FIRST_PROCESSING


@pytest.mark.slow
def test_what_the_pocket_model_painted_by_the_first_rules_comes_out_again(real):
    [row] = painted_before(real, "pocket-inpaint")

    [found] = verified(real, [row.id])

    # Another processor rounds otherwise; the rules are the same.
    assert found.reproduction.verdict in (Verdict.EXACT, Verdict.CLOSE), found


def test_what_begins_anew_from_an_old_generation_goes_by_the_newest_rules(studio, dispatcher):
    old = a_request()
    request = replace(old, params=old.params.processed_by(FIRST_PROCESSING))
    [id] = studio.generations.submit(request)
    dispatcher.drain()
    generation = studio.gallery.get(id)

    assert generation.params.processing == generation.record.processing_version == FIRST_PROCESSING
    assert studio.gallery.get(studio.generations.rerun(id)).params.processing == FIRST_PROCESSING
    assert for_resubmission(generation.params).processing == PROCESSING
    assert InpaintParams(**studio.drafts.from_generation(generation).params).processing == PROCESSING
    studio.presets.save("Mine", generation.params)
    assert "processing" not in studio.presets.all()["Mine"]


def test_the_record_tells_of_a_mask_what_it_shows(studio, dispatcher):
    pixels = np.maximum(a_mask().pixels, 1)
    request = InpaintRequest(a_picture(), Mask(pixels), InpaintParams(size=64, num_inference_steps=4))
    [id] = studio.generations.submit(request, origin=Origin())
    dispatcher.drain()

    generation = studio.gallery.get(id)
    assert generation.record.mask_coverage == pytest.approx(900 / (96 * 64))
    assert generation.record.outside_mask_unchanged is True
    assert generation.record.processing_version == PROCESSING
    # Kept as it was given: its hash is that of the artist's file.
    assert np.array_equal(np.asarray(studio.gallery.image(generation.mask)), pixels)
    before, after = (np.asarray(studio.gallery.image(key)) for key in (generation.source, generation.output))
    kept = a_mask().grown(request.params.mask_grow_px).pixels == 0
    assert np.array_equal(after[kept], before[kept])


BY_SHIFT_MAP = BEFORE.parent / "content-fill-by-shift-map.zip"
"""Painted by the rules 2: a thing removed, a picture extended, and two parts each by itself."""


@pytest.mark.slow
def test_what_the_shift_map_filled_verifies_exact_for_ever(real):
    with BY_SHIFT_MAP.open("rb") as file:
        ids = real.bundles.import_(file).ids

    found = verified(real, ids)

    assert [one.reproduction and one.reproduction.verdict for one in found] == [Verdict.EXACT] * 3
    assert not any(one.not_restored for one in found)
    assert {real.gallery.get(id).params.processing for id in ids} == {2}


@pytest.mark.slow
def test_what_patches_fill_verifies_exact_and_another_seed_fills_it_otherwise(real):
    picture = a_picture()
    params = InpaintParams(model="content-fill", size=256, mask_feather_px=0)
    requests = [InpaintRequest(picture, a_mask(), params.changed(seed=seed)) for seed in (1, 1, 2)]
    ids = [id for request in requests for id in real.generations.submit(request)]
    real.dispatcher.drain()

    found = verified(real, ids)

    assert [one.reproduction and one.reproduction.verdict for one in found] == [Verdict.EXACT] * 3
    first, again, other = (real.gallery.get(id) for id in ids)
    assert first.pixels_sha256 == again.pixels_sha256 != other.pixels_sha256
    assert first.record.inpainter.raw["method"] == "patchmatch"
    assert first.record.outside_mask_unchanged
