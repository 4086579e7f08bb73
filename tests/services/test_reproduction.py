"""Running a recorded generation again, and the verdict on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.errors import InvalidMove, ModelNotDownloaded
from core.domain.generation import Status
from core.domain.reproduction import Stage, Verdict
from core.engine.fake import FakeInpainter, fake_environment
from core.services.worker import DEAD_AFTER
from tests.conftest import a_request


@pytest.fixture
def painted(studio, dispatcher) -> str:
    [id] = studio.generations.submit(a_request(seed=3))
    dispatcher.drain()
    return id


def verified(studio, id: str, inpainter=None):
    worker = studio.worker
    if inpainter is not None:
        worker = replace(worker, load_inpainter=lambda *_: inpainter)
    [verification_id] = studio.reproductions.verify([id])
    worker.run(verification_id)
    return studio.reproductions.get(verification_id)


def test_the_same_request_under_the_same_conditions_is_exact(studio, painted):
    verification = verified(studio, painted)

    assert verification.status is Status.SUCCEEDED
    assert verification.reproduction.verdict is Verdict.EXACT
    assert verification.reproduction.changes == ()
    assert verification.output == studio.gallery.get(painted).output


def test_verifying_makes_no_new_row_in_the_gallery(studio, painted):
    verified(studio, painted)

    assert studio.gallery.count() == 1


def test_another_version_that_paints_the_same_is_exact_and_the_change_is_told(studio, painted):
    verification = verified(studio, painted, FakeInpainter(environment=fake_environment(torch="2.14.1")))

    assert verification.reproduction.verdict is Verdict.EXACT
    assert [str(c) for c in verification.reproduction.changes] == ["torch: 0.0.fake then, 2.14.1 now"]


def test_a_step_of_rounding_is_close(studio, painted):
    other = FakeInpainter()
    other.shift = 1

    reproduction = verified(studio, painted, other).reproduction

    assert reproduction.verdict is Verdict.CLOSE
    assert reproduction.difference.outside_equal
    assert reproduction.difference.max_difference == pytest.approx(1 / 255)
    assert reproduction.stage is None or reproduction.stage is Stage.DECODE


def test_another_picture_is_different_and_the_reasons_are_told(studio, painted):
    other = FakeInpainter(revision="another", environment=fake_environment(torch="9"))
    other.shift = 90

    verification = verified(studio, painted, other)

    assert verification.reproduction.verdict is Verdict.DIFFERENT
    assert {c.field for c in verification.reproduction.changes} == {"torch", "model.revision"}
    assert studio.reproductions.latest([painted]) == {painted: Verdict.DIFFERENT}


def test_the_newest_verdict_counts_and_all_are_kept(studio, painted):
    other = FakeInpainter()
    other.shift = 90
    verified(studio, painted, other)
    verified(studio, painted)

    assert studio.reproductions.latest([painted, "unknown"]) == {painted: Verdict.EXACT}
    assert [v.reproduction.verdict for v in studio.reproductions.of(painted)] == [Verdict.EXACT, Verdict.DIFFERENT]


def test_the_inpainter_is_told_what_was_recorded(studio, painted, inpainter):
    verified(studio, painted)

    assert (
        inpainter.requests[-1].recorded["noise_sha256"]
        == studio.gallery.get(painted).record["inpainter"]["noise_sha256"]
    )


def test_a_generation_without_a_result_cannot_be_verified(studio):
    [id] = studio.generations.submit(a_request())

    with pytest.raises(InvalidMove, match="no result"):
        studio.reproductions.verify([id])


def test_a_verification_that_cannot_be_done_says_why(studio, painted):
    studio.worker.load_inpainter.error = ModelNotDownloaded()

    verification = verified(studio, painted)

    assert (verification.status, verification.reproduction) == (Status.FAILED, None)
    assert verification.error == str(ModelNotDownloaded())


def test_new_pictures_go_before_verifications_and_one_that_lost_its_worker_is_done_again(studio, painted, clock):
    [verification_id] = studio.reproductions.verify([painted])
    [generation_id] = studio.generations.submit(a_request())
    studio.worker.run_next()
    assert studio.gallery.get(generation_id).status is Status.SUCCEEDED
    assert studio.worker.verifications.claim(verification_id, "a worker that dies", clock())
    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)

    assert studio.worker.run_next()

    assert studio.reproductions.get(verification_id).reproduction.verdict is Verdict.EXACT


def test_verifications_that_wait_can_be_taken_back(studio, painted):
    studio.reproductions.verify([painted, painted])

    assert studio.reproductions.cancel_waiting() == 2
    assert not studio.worker.run_next()


def test_the_picture_of_a_verification_is_no_orphan_and_goes_when_its_generation_goes(studio, painted):
    other = FakeInpainter()
    other.shift = 90
    rerun = verified(studio, painted, other).output

    assert studio.gallery.check(repair=True).orphans == ()
    assert studio.gallery.images.has(rerun)
    studio.gallery.trash([painted])
    studio.gallery.empty_trash(all=True)

    assert not studio.gallery.images.has(rerun)
    assert studio.reproductions.of(painted) == ()


def test_a_file_that_a_verification_of_another_generation_needs_stays(studio, dispatcher, painted):
    verified(studio, painted)
    again = studio.generations.rerun(painted)
    dispatcher.drain()

    studio.gallery.trash([again])
    studio.gallery.empty_trash(all=True)

    assert studio.gallery.images.has(studio.reproductions.of(painted)[0].output)
