"""Running a recorded generation again, and the verdict on it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from core.domain.errors import GenerationNotFound, InvalidMove, ModelNotDownloaded, OutOfMemory
from core.domain.generation import Status, Verdict
from core.domain.reproduction import Batch, Reason, Stage, Verification, VerifyScope
from core.domain.worker import DEAD_AFTER
from tests.conftest import a_picture, a_request
from tests.fakes import CPU, CUDA, FakeInpainter, fake_environment


@pytest.fixture
def painted(studio, dispatcher) -> str:
    [id] = studio.generations.submit(a_request(seed=3))
    dispatcher.drain()
    return id


def verified(studio, id: str, inpainter=None):
    worker = studio.worker
    if inpainter is not None:
        worker = replace(worker, load_inpainter=lambda *_, **more: inpainter)
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
    assert studio.gallery.get(painted).verdict is Verdict.DIFFERENT


def test_the_newest_verdict_counts_and_all_are_kept(studio, painted):
    other = FakeInpainter()
    other.shift = 90
    verified(studio, painted, other)
    verified(studio, painted)

    assert studio.gallery.get(painted).verdict is Verdict.EXACT
    assert [v.reproduction.verdict for v in studio.reproductions.of(painted)] == [Verdict.EXACT, Verdict.DIFFERENT]


def test_the_inpainter_is_told_what_was_recorded(studio, painted, inpainter):
    verified(studio, painted)

    assert inpainter.requests[-1].recorded["noise_sha256"] == studio.gallery.get(painted).record.inpainter.noise_sha256


def test_a_generation_without_a_result_cannot_be_verified(studio):
    [id] = studio.generations.submit(a_request())

    with pytest.raises(InvalidMove, match="no result"):
        studio.reproductions.verify([id])


def test_what_was_deleted_for_good_while_it_was_asked_for_is_not_found(studio, painted, clock):
    waiting = Verification("abc", "deleted", Status.QUEUED, clock())

    with pytest.raises(GenerationNotFound):
        studio.reproductions.repo.add([waiting])


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


def test_the_picture_of_a_verification_is_no_orphan_and_goes_when_its_generation_goes(studio, painted, clock):
    other = FakeInpainter()
    other.shift = 90
    rerun = verified(studio, painted, other).output

    assert studio.gallery.check(repair=True).orphans == ()
    assert studio.gallery.images.has(rerun)
    studio.gallery.trash([painted])
    clock.wait(minutes=2)
    studio.gallery.empty_trash(all=True, at_once=True)

    assert not studio.gallery.images.has(rerun)
    assert studio.reproductions.of(painted) == ()


def test_a_file_that_a_verification_of_another_generation_needs_stays(studio, dispatcher, painted):
    verified(studio, painted)
    again = studio.generations.rerun(painted)
    dispatcher.drain()

    studio.gallery.trash([again])
    studio.gallery.empty_trash(all=True)

    assert studio.gallery.images.has(studio.reproductions.of(painted)[0].output)


# Many at once --------------------------------------------------------------------------------------------------


HERE = [dict(fake_environment().facts)]
UPGRADED = [dict(fake_environment(torch="2.14.1").facts)]


def work_off(studio) -> None:
    while studio.worker.run_next():
        pass
    studio.dispatcher.waiting.clear()


def imported_picture(studio) -> str:
    file = io.BytesIO()
    a_picture().save(file, "PNG")
    [id] = studio.imports.import_(file, "a.png", without_metadata=True).ids
    return id


def test_all_that_can_be_verified_is_queued_once_and_imported_pictures_and_failures_are_left_out(
    studio, dispatcher, inpainter
):
    ids = studio.generations.submit(a_request(), count=3)
    dispatcher.drain()
    inpainter.fail_with(OutOfMemory())
    studio.generations.submit(a_request())
    dispatcher.drain()
    imported_picture(studio)

    queued = studio.reproductions.verify_all(VerifyScope.ALL)
    again = studio.reproductions.verify_all(VerifyScope.ALL)

    assert {studio.reproductions.get(id).generation_id for id in queued} == set(ids)
    assert again == []


def test_only_those_without_a_verdict_are_verified_when_asked_for(studio, dispatcher, painted):
    verified(studio, painted)
    [other] = studio.generations.submit(a_request(seed=4))
    dispatcher.drain()

    queued = studio.reproductions.verify_all(VerifyScope.UNVERIFIED)

    assert [studio.reproductions.get(id).generation_id for id in queued] == [other]


def test_what_was_made_under_another_environment_is_found_with_what_changed(studio, dispatcher, painted):
    assert studio.reproductions.overview(HERE).other_environments == ()

    overview = studio.reproductions.overview(UPGRADED)

    [other] = overview.other_environments
    assert [str(change) for change in other.changes] == ["torch: 0.0.fake then, 2.14.1 now"]
    assert (
        overview.count(VerifyScope.OTHER_ENVIRONMENT) == overview.count(VerifyScope.UNVERIFIED) == overview.total == 1
    )
    assert len(studio.reproductions.verify_all(VerifyScope.OTHER_ENVIRONMENT, HERE)) == 0
    assert len(studio.reproductions.verify_all(VerifyScope.OTHER_ENVIRONMENT, UPGRADED)) == 1


def test_a_precision_that_was_chosen_makes_no_other_environment(studio):
    in_half = fake_environment(dtype="bfloat16", cpu_bfloat16="avx512_bf16")
    made_with(studio, FakeInpainter(device=replace(CPU, dtype="bfloat16"), environment=in_half))
    here = [fake_environment(dtype="float32").facts]

    assert studio.reproductions.overview(here).other_environments == ()
    assert len(studio.reproductions.overview([{**here[0], "cpu": "another"}]).other_environments) == 1


def test_threads_and_our_own_commit_make_no_other_environment(studio, painted):
    here = [dict(fake_environment(threads="64", app_commit="fffffff").facts)]

    assert studio.reproductions.overview(here).other_environments == ()


def test_a_batch_tells_how_far_it_is_and_can_be_taken_back(studio, dispatcher):
    studio.generations.submit(a_request(), count=4)
    dispatcher.drain()
    studio.reproductions.verify_all(VerifyScope.ALL)
    studio.worker.run_next()

    assert studio.reproductions.batch() == Batch(total=4, done=1)
    assert studio.reproductions.cancel_waiting() == 3
    assert studio.reproductions.batch() == Batch()


def test_verdicts_reasons_and_history_are_counted(studio, dispatcher, clock):
    studio.generations.submit(a_request(), count=3)
    dispatcher.drain()
    studio.reproductions.verify_all(VerifyScope.ALL)
    work_off(studio)
    other = FakeInpainter(environment=fake_environment(torch="2.14.1"))
    other.shift = 1
    [id, *_] = [g.id for g in studio.gallery.browse().generations]
    clock.wait(days=1)
    verified(studio, id, other)

    overview = studio.reproductions.overview()

    assert {verdict: overview.verdict(verdict) for verdict in Verdict} == {
        Verdict.EXACT: 2,
        Verdict.CLOSE: 1,
        Verdict.DIFFERENT: 0,
    }
    assert studio.reproductions.reasons() == (Reason("torch: 0.0.fake then, 2.14.1 now", {Verdict.CLOSE: 1}),)
    days = studio.reproductions.history()
    assert [(verdict, n) for _, verdict, n in days] == [(Verdict.CLOSE, 1), (Verdict.EXACT, 3)]
    assert days[0][0] > days[1][0]


def test_why_verifications_could_not_be_done_is_counted(studio, dispatcher):
    studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    studio.worker.load_inpainter.error = ModelNotDownloaded()
    studio.reproductions.verify_all(VerifyScope.ALL)
    work_off(studio)

    assert studio.reproductions.failures() == [(str(ModelNotDownloaded()), 2)]


def test_what_could_not_be_restored_of_the_record_is_told_apart_from_the_machine(studio, painted):
    other = FakeInpainter(device=CUDA, revision="another", environment=fake_environment(torch="9"))

    verification = verified(studio, painted, other)

    assert {change.field for change in verification.not_restored} == {"device", "dtype", "model.revision"}
    assert "torch" in {change.field for change in verification.reproduction.changes}


def of_revision(revision: str, shift: int = 0) -> FakeInpainter:
    """A model of the hub, as it was at some time; it paints otherwise at another."""
    inpainter = FakeInpainter(revision=revision)
    inpainter.model = replace(inpainter.model, repository="owner/name")
    inpainter.shift = shift
    return inpainter


def hub_with(*revisions: FakeInpainter):
    """A loader that gives the newest one by its name, and each by its revision."""
    by_revision = {i.model.revision: i for i in revisions}

    def load(model: str, device: str, **how) -> FakeInpainter:
        _, at, revision = model.partition("@")
        if at and revision not in by_revision:
            raise ModelNotDownloaded
        return by_revision[revision] if at else revisions[-1]

    return load


def choosing_half(*, has_room: bool):
    """A loader that by itself takes less memory than float32 does."""

    def load(model: str, device: str, *, dtype: str = "auto", smaller: bool = False) -> FakeInpainter:
        if dtype == "float32" and not has_room:
            raise OutOfMemory
        chosen = FakeInpainter(device=replace(CPU, dtype="bfloat16" if dtype == "auto" else dtype))
        chosen.shift = 90 if dtype == "auto" else 0
        return chosen

    return load


def test_what_the_machine_chose_then_is_loaded_again_though_it_would_choose_otherwise_now(studio, painted):
    verification = verified_by(studio, painted, choosing_half(has_room=True))

    assert verification.reproduction.verdict is Verdict.EXACT
    assert verification.reproduction.changes == ()
    assert "dtype" in verification.restored


def test_a_precision_that_does_not_fit_any_more_is_told_as_the_reason(studio, painted):
    verification = verified_by(studio, painted, choosing_half(has_room=False))

    assert verification.reproduction.verdict is Verdict.DIFFERENT
    assert [str(change) for change in verification.not_restored] == ["dtype: float32 then, bfloat16 now"]


def made_with(studio, inpainter: FakeInpainter) -> str:
    [id] = studio.generations.submit(a_request(seed=3))
    replace(studio.worker, load_inpainter=lambda *_, **more: inpainter).run(id)
    return id


def verified_by(studio, id: str, load):
    [verification_id] = studio.reproductions.verify([id])
    replace(studio.worker, load_inpainter=load).run(verification_id)
    return studio.reproductions.get(verification_id)


def test_a_model_that_was_updated_is_loaded_as_it_was(studio):
    old, new = of_revision("old"), of_revision("new", shift=90)
    id = made_with(studio, old)

    verification = verified_by(studio, id, hub_with(old, new))

    assert verification.reproduction.verdict is Verdict.EXACT
    assert verification.reproduction.changes == ()


def test_a_revision_that_is_not_here_any_more_is_told_and_the_present_one_compared(studio):
    old, new = of_revision("old"), of_revision("new", shift=90)
    id = made_with(studio, old)

    verification = verified_by(studio, id, hub_with(new))

    assert verification.reproduction.verdict is Verdict.DIFFERENT
    assert "model.revision: old then, new now" in [str(c) for c in verification.reproduction.changes]
