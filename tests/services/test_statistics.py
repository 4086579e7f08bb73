"""The numbers of the gallery, from rows that were really made."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlalchemy import update

from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Relation
from core.domain.params import InpaintParams
from db.tables import GenerationRow
from tests.conftest import a_request


def painted(studio, **params) -> str:
    [id] = studio.generations.submit(a_request(**{"num_inference_steps": 4, **params}))
    studio.dispatcher.drain()
    return id


def rewrite(studio, id: str, **values) -> None:
    with studio.gallery.repo._sessions.begin() as session:
        session.execute(update(GenerationRow).where(GenerationRow.id == id).values(values))


def asked(**params) -> InpaintParams:
    return InpaintParams(**{"size": 64, "num_inference_steps": 4, **params})


def test_the_estimate_is_what_it_took_before(studio):
    rewrite(studio, painted(studio), runtime_s=8.0)

    assert studio.statistics.estimate_s(asked(), "cpu") == pytest.approx(8)
    assert studio.statistics.estimate_s(asked(num_inference_steps=8), "cpu") == pytest.approx(16)


def test_a_real_run_yields_an_estimate(studio):
    id = painted(studio)

    assert studio.statistics.estimate_s(asked(), "cpu") == pytest.approx(studio.gallery.get(id).runtime_s)


def test_nothing_is_expected_of_another_model_or_device(studio):
    painted(studio)

    assert studio.statistics.estimate_s(asked(model="sd15-inpainting"), "cpu") is None
    assert studio.statistics.estimate_s(asked(), "cuda:0") is None


def test_only_what_was_finished_here_counts(studio, inpainter):
    imported, incomplete = painted(studio), painted(studio)
    rewrite(studio, imported, relation=Relation.IMPORT)
    rewrite(studio, incomplete, record_json="{}")
    inpainter.fail_with(RuntimeError("no"))
    painted(studio)

    assert studio.statistics.estimate_s(asked(), "cpu") is None


def test_the_steps_and_the_rest_are_told_apart_where_they_were_recorded(studio):
    id = painted(studio)
    record = dict(studio.gallery.get(id).record.raw) | {"inpainter": {"denoise_s": 6.0}}
    rewrite(studio, id, runtime_s=8.0, record_json=json.dumps(record))

    assert studio.statistics.estimate_s(asked(num_inference_steps=8), "cpu") == pytest.approx(14)


def test_the_working_size_that_was_really_used_counts(studio):
    id = painted(studio)
    record = dict(studio.gallery.get(id).record.raw) | {"working_size": [64, 32]}
    rewrite(studio, id, runtime_s=8.0, record_json=json.dumps(record))

    assert studio.statistics.estimate_s(asked(size=128), "cpu") == pytest.approx(32)


# What was made -------------------------------------------------------------------------------------------------


def test_what_took_how_long_is_told_apart_by_model_device_steps_and_working_size(studio):
    for runtime_s in (1.0, 2.0, 4.0):
        rewrite(studio, painted(studio), runtime_s=runtime_s)
    rewrite(studio, painted(studio, num_inference_steps=8), runtime_s=9.0)
    rewrite(studio, painted(studio, model="sd15-inpainting", size=128), runtime_s=60.0)

    run_times = studio.statistics.run_times(GalleryFilter())

    found = {(p.model, p.device, p.steps): (p.durations.count, p.durations.within_s(0.5)) for p in run_times}
    assert found == {
        ("pocket-inpaint", "cpu", 4): (3, pytest.approx(2, rel=0.01)),
        ("pocket-inpaint", "cpu", 8): (1, pytest.approx(9, rel=0.01)),
        ("sd15-inpainting", "cpu", 4): (1, pytest.approx(60, rel=0.01)),
    }
    sizes = {p.model: p.working_px for p in run_times}
    assert sizes["sd15-inpainting"] == 4 * sizes["pocket-inpaint"] == 128 * 96


def test_paces_and_days_follow_the_filter_and_leave_the_trash_and_what_was_imported_out(studio, clock, inpainter):
    first = painted(studio)
    clock.wait(days=2)
    second, third, imported = painted(studio), painted(studio, model="sd15-inpainting"), painted(studio)
    rewrite(studio, imported, relation=Relation.IMPORT)
    inpainter.fail_with(RuntimeError("no"))
    failed = painted(studio)
    studio.reproductions.verify([first])
    studio.dispatcher.drain()

    def made(**filter) -> list[tuple]:
        return [
            (m.day.day, m.status, m.verdict, m.count) for m in studio.statistics.daily_counts(GalleryFilter(**filter))
        ]

    def runs(**filter) -> int:
        return sum(p.durations.count for p in studio.statistics.run_times(GalleryFilter(**filter)))

    assert made() == [(1, "succeeded", "EXACT", 1), (3, "failed", None, 1), (3, "succeeded", None, 3)]
    assert made(since=date(2026, 1, 2), models=("pocket-inpaint",)) == [
        (3, "failed", None, 1),
        (3, "succeeded", None, 2),
    ]
    assert (runs(), runs(since=date(2026, 1, 2)), runs(models=("sd15-inpainting",)), runs(devices=("cuda:0",))) == (
        3,
        2,
        1,
        0,
    )
    studio.gallery.trash([second, third, failed])
    assert (runs(), made(until=date(2026, 1, 2))) == (1, [(1, "succeeded", "EXACT", 1)])


def test_an_empty_gallery_has_no_numbers(studio):
    assert (studio.statistics.run_times(GalleryFilter()), studio.statistics.daily_counts(GalleryFilter())) == ([], [])
