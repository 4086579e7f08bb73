"""What a worker held that is known to have died: it waits again at once and says why, three times at most."""

from __future__ import annotations

import pytest

from core.domain.generation import MAX_ATTEMPTS, Status
from core.domain.worker import DEAD_AFTER, NO_SIGN_OF_LIFE
from tests.conftest import a_request, takes_for_dead

KILLED = "The system ended the worker."


@pytest.fixture
def worker(studio):
    return studio.worker


@pytest.fixture
def verification(studio, dispatcher) -> str:
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    return verification


def dies(studio, clock, id: str, name: str = "dead") -> int:
    """Claimed by a worker of this name, which is known to have died a moment later."""
    repos = (studio.worker.repo, studio.worker.verifications)
    assert [repo for repo in repos if repo.claim(id, name, clock())]
    return sum(repo.requeue_dead(name, KILLED, clock()) for repo in repos)


def test_a_generation_waits_again_at_once_and_says_why(studio, clock):
    [id] = studio.generations.submit(a_request())

    assert dies(studio, clock, id) == 1

    waiting = studio.gallery.get(id)
    assert (waiting.status, waiting.error_code) == (Status.QUEUED, "WorkerDied")
    assert waiting.error == f"{KILLED} It is tried again."
    assert studio.generations.progress(id).error == waiting.error


def test_the_reason_stays_while_it_is_painted_again_and_goes_with_its_success(studio, clock, worker, inpainter):
    [id] = studio.generations.submit(a_request())
    dies(studio, clock, id)
    while_painted = []
    inpainter.after_step(2, lambda: while_painted.append(studio.generations.progress(id).error))

    worker.run_next()

    made = studio.gallery.get(id)
    assert while_painted == [f"{KILLED} It is tried again."]
    assert (made.status, made.error_code, made.error) == (Status.SUCCEEDED, None, None)


def test_only_what_this_worker_held_waits_again(studio, clock, worker):
    first, second = studio.generations.submit(a_request(), count=2)
    worker.repo.claim(first, "alive", clock())

    dies(studio, clock, second)

    assert studio.gallery.get(first).status is Status.RUNNING
    assert studio.gallery.get(second).status is Status.QUEUED


def test_the_third_death_fails_with_the_words_of_the_last(studio, clock):
    [id] = studio.generations.submit(a_request())
    for _ in range(MAX_ATTEMPTS):
        assert dies(studio, clock, id) == 1

    failed = studio.gallery.get(id)
    assert (failed.status, failed.error_code) == (Status.FAILED, "WorkerDied")
    assert "ended three times" in failed.error
    assert failed.error.endswith(KILLED)
    assert failed.finished_at is not None


@pytest.mark.parametrize("by", ["cancel", "cancel all"])
def test_one_that_is_cancelled_while_it_waits_again_says_nothing_of_its_worker(studio, clock, by):
    [id] = studio.generations.submit(a_request())
    dies(studio, clock, id)

    studio.generations.cancel(id) if by == "cancel" else studio.queue.cancel_all()

    assert (studio.gallery.get(id).status, studio.gallery.get(id).error) == (Status.CANCELLED, None)


def test_one_that_was_to_be_cancelled_when_its_worker_died_is_cancelled(studio, clock, worker):
    [id] = studio.generations.submit(a_request())
    worker.repo.claim(id, "dead", clock())
    studio.generations.cancel(id)

    worker.repo.requeue_dead("dead", KILLED, clock())

    assert (studio.gallery.get(id).status, studio.gallery.get(id).error) == (Status.CANCELLED, None)


def test_one_that_is_given_back_keeps_the_reason_for_which_it_is_tried_again(studio, clock, worker):
    [id] = studio.generations.submit(a_request())
    dies(studio, clock, id)
    worker.repo.claim(id, "another", clock())

    worker.repo.release("another", clock())

    assert studio.gallery.get(id).error == f"{KILLED} It is tried again."


def test_one_that_only_seemed_dead_says_nothing_of_it_when_it_runs_on(studio, clock, worker):
    [id] = studio.generations.submit(a_request())
    worker.repo.claim(id, "alive", clock())
    takes_for_dead(worker.repo, clock)
    assert studio.gallery.get(id).error.startswith(NO_SIGN_OF_LIFE)

    worker.repo.beat(id, "alive", clock())

    running = studio.gallery.get(id)
    assert (running.status, running.error, running.error_code) == (Status.RUNNING, None, None)


# Verifications -------------------------------------------------------------------------------------------------


def test_a_verification_waits_again_says_why_and_is_done(studio, clock, worker, verification):
    assert dies(studio, clock, verification) == 1
    waiting = studio.reproductions.get(verification)
    assert (waiting.status, waiting.error) == (Status.QUEUED, f"{KILLED} It is tried again.")

    worker.run_next()

    done = studio.reproductions.get(verification)
    assert (done.status, done.error, done.reproduction.verdict) == (Status.SUCCEEDED, None, "EXACT")


def test_a_verification_that_kills_its_worker_three_times_fails_in_words(studio, clock, worker, verification):
    for _ in range(MAX_ATTEMPTS):
        assert dies(studio, clock, verification) == 1

    failed = studio.reproductions.get(verification)
    assert failed.status is Status.FAILED
    assert "ended three times" in failed.error
    assert failed.error.endswith(KILLED)
    assert failed.finished_at is not None
    assert not worker.run_next()


def test_a_verification_that_nobody_heard_of_any_more_counts_the_same(studio, clock, worker, verification):
    for nth in range(MAX_ATTEMPTS):
        assert studio.reproductions.get(verification).status is Status.QUEUED
        worker.verifications.claim(verification, f"worker {nth}", clock())
        clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)
        worker.clear_stale()

    assert studio.reproductions.get(verification).error.endswith(NO_SIGN_OF_LIFE)


def test_a_verification_that_is_given_back_has_not_killed_anybody(studio, clock, worker, verification):
    for nth in range(2 * MAX_ATTEMPTS):
        worker.verifications.claim(verification, f"worker {nth}", clock())
        worker.verifications.release(f"worker {nth}")

    dies(studio, clock, verification)

    assert studio.reproductions.get(verification).status is Status.QUEUED


def test_a_verification_whose_worker_only_seemed_dead_goes_on_to_its_verdict(
    studio, clock, worker, inpainter, verification
):
    def seems_dead() -> None:
        takes_for_dead(worker.verifications, clock)
        assert studio.reproductions.get(verification).status is Status.QUEUED

    inpainter.after_step(2, seems_dead)

    worker.run(verification)

    done = studio.reproductions.get(verification)
    assert (done.status, done.error, done.reproduction.verdict) == (Status.SUCCEEDED, None, "EXACT")
    assert inpainter.calls == 2


def test_a_verification_that_another_worker_has_taken_over_ends_once(studio, clock, worker, inpainter, verification):
    def taken_over() -> None:
        takes_for_dead(worker.verifications, clock)
        assert worker.verifications.claim(verification, "another", clock())

    inpainter.after_step(2, taken_over)
    inpainter.after_step(3, lambda: pytest.fail("no further step"))

    worker.run(verification)

    assert studio.reproductions.get(verification).status is Status.RUNNING
