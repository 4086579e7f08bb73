"""From submit to the gallery row, with a stand-in for the model and a real database."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace

import numpy as np
import pytest

from core.domain.errors import (
    EmptyMask,
    GenerationNotFound,
    InvalidMove,
    InvalidParams,
    ModelNotDownloaded,
    OutOfMemory,
    SizeMismatch,
)
from core.domain.generation import Origin, Phase, Relation, Status
from core.domain.geometry import Size
from core.domain.hashing import pixels_sha256
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.domain.worker import DEAD_AFTER
from core.services.worker import Worker
from tests.conftest import a_mask, a_picture, a_request, make_studio, takes_for_dead


def test_a_submitted_generation_is_painted_and_kept_with_its_whole_record(studio, dispatcher, inpainter):
    request = a_request(seed=7)

    [id] = studio.generations.submit(request, origin=Origin(session="s", source_name="photo.png"))
    dispatcher.drain()

    generation = studio.gallery.get(id)
    assert generation.status is Status.SUCCEEDED
    assert generation.params == request.params
    assert studio.gallery.image(generation.source).tobytes() == request.image.tobytes()
    assert studio.gallery.mask(generation) == request.mask
    assert pixels_sha256(studio.gallery.image(generation.output)) == generation.pixels_sha256
    assert generation.environment == dict(inpainter.environment.facts)
    assert (generation.device, generation.dtype, generation.model_revision) == ("cpu", "float32", "fake-1")
    assert generation.runtime_s > 0
    assert generation.record.raw["crop"] == [0, 0, 86, 64]
    assert generation.record.outside_mask_unchanged is True
    assert (generation.session, generation.source_name) == ("s", "photo.png")


def test_picture_mask_params_and_place_in_the_queue_are_on_disk_before_anything_starts(studio, settings, inpainter):
    [id] = studio.generations.submit(a_request())

    restarted = make_studio(settings, inpainter, studio.gallery.now)
    waiting = restarted.gallery.get(id)
    assert waiting.status is Status.QUEUED
    assert restarted.gallery.mask(waiting) == a_mask()
    assert restarted.gallery.image(waiting.source).tobytes() == a_picture().tobytes()
    assert inpainter.calls == 0


def test_what_waited_when_the_program_died_is_painted_after_the_restart(studio, settings, inpainter):
    [id] = studio.generations.submit(a_request())

    restarted = make_studio(settings, inpainter, studio.gallery.now)
    assert restarted.worker.run_next()

    assert restarted.gallery.get(id).status is Status.SUCCEEDED


def test_each_picture_of_a_batch_has_its_own_seed_and_can_be_made_again_alone(studio, dispatcher):
    ids = studio.generations.submit(a_request(seed=2**32 - 2), count=3)
    dispatcher.drain()
    third = studio.gallery.get(ids[2])

    again = studio.generations.rerun(third.id)
    dispatcher.drain()

    assert [studio.gallery.get(id).params.seed for id in ids] == [2**32 - 2, 2**32 - 1, 0]
    assert studio.gallery.get(again).pixels_sha256 == third.pixels_sha256
    assert len({studio.gallery.get(id).pixels_sha256 for id in ids}) == 3


def test_a_rerun_is_a_row_of_its_own_that_names_its_parent(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()

    again = studio.gallery.get(studio.generations.rerun(id))

    assert (again.parent_id, again.relation) == (id, Relation.RERUN)
    assert (again.params, again.source, again.mask) == (
        studio.gallery.get(id).params,
        studio.gallery.get(id).source,
        studio.gallery.get(id).mask,
    )


def test_cancelling_a_running_generation_stops_it_at_the_next_step(studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request(num_inference_steps=10))
    inpainter.after_step(3, lambda: studio.generations.cancel(id))
    steps = []
    inpainter.after_step(4, lambda: steps.append(4))

    dispatcher.drain()

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert steps == []


def test_a_waiting_generation_is_cancelled_at_once_and_never_painted(studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request())

    studio.generations.cancel(id)
    dispatcher.drain()

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert inpainter.calls == 0


def test_cancelling_what_has_ended_changes_nothing(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()

    studio.generations.cancel(id)

    assert studio.gallery.get(id).status is Status.SUCCEEDED


@pytest.mark.parametrize("error", [OutOfMemory(), ModelNotDownloaded(), RuntimeError("a bug")])
def test_a_failure_is_kept_in_its_row_and_the_next_one_is_painted(studio, dispatcher, inpainter, error):
    first, second = studio.generations.submit(a_request(), count=2)
    inpainter.fail_with(error, at_step=2)

    dispatcher.drain()

    failed = studio.gallery.get(first)
    assert (failed.status, failed.error_code) == (Status.FAILED, type(error).__name__)
    assert failed.error
    assert "a bug" not in failed.error
    assert failed.environment
    assert failed.record.raw["crop"]
    assert studio.gallery.get(second).status is Status.SUCCEEDED


def test_a_model_that_cannot_be_loaded_fails_in_its_own_words(studio, dispatcher):
    studio.worker.load_inpainter.error = ModelNotDownloaded()
    [id] = studio.generations.submit(a_request())

    dispatcher.drain()

    assert studio.gallery.get(id).error == str(ModelNotDownloaded())


def test_progress_tells_phase_step_total_and_shows_a_preview(studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request(num_inference_steps=4))
    seen = []
    inpainter.after_step(1, lambda: seen.append(studio.generations.progress(id)))

    dispatcher.drain()

    assert (seen[0].status, seen[0].phase, seen[0].step, seen[0].total) == (Status.RUNNING, Phase.DENOISING, 1, 4)
    assert seen[0].preview.startswith(b"\xff\xd8")
    assert studio.generations.progress(id).status is Status.SUCCEEDED


def test_a_waiting_generation_knows_how_many_are_before_it(studio):
    ids = studio.generations.submit(a_request(), count=3)

    assert [studio.generations.progress(id).ahead for id in ids] == [0, 1, 2]


def test_one_that_lost_its_worker_is_painted_by_another(studio, clock, inpainter):
    [id] = studio.generations.submit(a_request())
    assert studio.worker.repo.claim(id, "a worker that dies", clock())
    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)

    studio.worker.run_next()

    assert studio.gallery.get(id).status is Status.SUCCEEDED
    assert inpainter.calls == 1


def test_a_worker_thought_dead_still_delivers_its_picture(studio, clock, inpainter):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(2, lambda: takes_for_dead(studio.worker.repo, clock))

    studio.worker.run(id)

    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_a_late_result_does_not_overwrite_the_one_of_the_worker_that_took_over(studio, clock, inpainter):
    [id] = studio.generations.submit(a_request())
    other = replace(studio.worker, name="other", load_inpainter=lambda *_, **more: type(inpainter)(revision="2"))

    def take_over() -> None:
        takes_for_dead(studio.worker.repo, clock)
        other.run(id)

    inpainter.after_step(2, take_over)
    studio.worker.run(id)

    assert studio.gallery.get(id).model_revision == "2"
    assert studio.gallery.get(id).status is Status.SUCCEEDED


@pytest.mark.slow
def test_two_workers_never_paint_the_same_generation(studio, clock, inpainter):
    ids = studio.generations.submit(a_request(), count=20)
    painters = [type(inpainter)() for _ in range(4)]
    workers = [
        replace(studio.worker, name=f"w{n}", load_inpainter=lambda *_, p=p, **more: p) for n, p in enumerate(painters)
    ]

    def work(worker: Worker) -> None:
        for id in ids:
            worker.run(id)

    threads = [threading.Thread(target=work, args=[w]) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(p.calls for p in painters) == 20
    assert all(studio.gallery.get(id).status is Status.SUCCEEDED for id in ids)


def test_only_an_interrupted_generation_can_be_queued_again(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()

    with pytest.raises(InvalidMove):
        studio.generations.resume(id)


@pytest.mark.parametrize("count", [0, 65])
def test_the_number_of_pictures_has_limits(studio, count):
    with pytest.raises(InvalidParams, match="Images"):
        studio.generations.submit(a_request(), count=count)


def test_an_empty_mask_and_a_mask_of_another_size_are_refused_before_any_work():
    with pytest.raises(EmptyMask):
        InpaintRequest(a_picture(), Mask.empty(Size(96, 64)), InpaintParams())
    with pytest.raises(SizeMismatch, match="96 x 64"):
        InpaintRequest(a_picture(), Mask.empty(Size(64, 96)), InpaintParams())


def test_an_unknown_generation_is_reported_with_a_message(studio):
    for ask in (studio.gallery.get, studio.generations.progress, studio.generations.rerun):
        with pytest.raises(GenerationNotFound):
            ask("ffffffffffff")


def test_a_damaged_source_fails_its_generation_and_not_the_worker(studio, dispatcher, settings):
    [id] = studio.generations.submit(a_request())
    studio.gallery.images.path(studio.gallery.get(id).source).write_bytes(b"not a png")

    dispatcher.drain()

    assert studio.gallery.get(id).error_code == "StoredImageDamaged"


def test_the_stored_mask_is_the_one_that_was_painted_not_the_grown_one(studio, dispatcher):
    [id] = studio.generations.submit(a_request(mask_grow_px=9))
    dispatcher.drain()

    assert np.array_equal(studio.gallery.mask(studio.gallery.get(id)).pixels, a_mask().pixels)


def test_the_gallery_survives_a_kill_in_the_middle_of_a_write(studio, settings):
    [id] = studio.generations.submit(a_request())

    with sqlite3.connect(settings.data / "studio.db") as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert other.execute("SELECT status FROM generations WHERE id = ?", [id]).fetchone() == ("queued",)
