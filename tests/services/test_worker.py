"""The worker while the database is locked, full or away, while clocks jump, and while the program ends."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from core.domain import hashing
from core.domain.errors import DatabaseBusy, OutOfMemory, StorageFull
from core.domain.generation import MAX_ATTEMPTS, Status
from core.domain.worker import DEAD_AFTER
from core.services.patience import Patience
from core.services.worker import Worker
from core.settings import Settings
from tests.conftest import a_request, interrupt, takes_for_dead

HASTY = Patience(busy_s=20, otherwise_s=20, pause_s=0.05)
"""As patient with what must be written as the tests are with a slow machine."""


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Waits for a lock for a moment only."""
    data = tmp_path / "data"
    return Settings(data=data, database_url=f"sqlite:///{data / 'studio.db'}?timeout=0.05")


@pytest.fixture
def worker(studio) -> Worker:
    return replace(studio.worker, patience=HASTY)


@pytest.fixture
def lock(settings):
    """lock(): another program holds the database, until unlock is called: at once, or after so many seconds."""
    held: list[sqlite3.Connection] = []
    timers: list[threading.Timer] = []

    class Lock:
        def __call__(self, for_s: float | None = None) -> None:
            if not held:
                held.append(sqlite3.connect(settings.data / "studio.db", isolation_level=None, check_same_thread=False))
                held[0].execute("BEGIN IMMEDIATE")
            if for_s is not None:
                timers.append(threading.Timer(for_s, self.unlock))
                timers[-1].start()

        def unlock(self) -> None:
            if held:
                held.pop().close()

    lock = Lock()
    yield lock
    for timer in timers:
        timer.join(60)
    lock.unlock()


def loading(worker: Worker, during: Callable[[], object]) -> Worker:
    """The worker, with something that happens while it loads a model."""

    def load(model: str, device: str, **how):
        during()
        return worker.load_inpainter(model, device, **how)

    return replace(worker, load_inpainter=load)


# Locked --------------------------------------------------------------------------------------------------------


@pytest.mark.slow_but_first
@pytest.mark.parametrize("when", ["while it is loaded", "before the first step", "in the middle", "after the last"])
def test_a_locked_database_costs_no_picture_and_nothing_of_its_record(studio, worker, inpainter, lock, when):
    free, [id] = studio.generations.submit(a_request()), studio.generations.submit(a_request())
    worker.run(free[0])
    step = {"before the first step": 0, "in the middle": 2, "after the last": 4}.get(when)
    if step is None:
        worker = loading(worker, lambda: lock(0.5))
    else:
        inpainter.after_step(step, lambda: lock(0.5))

    worker.run(id)

    usual, made = studio.gallery.get(free[0]), studio.gallery.get(id)
    assert made.status is Status.SUCCEEDED
    assert made.pixels_sha256 == usual.pixels_sha256
    assert made.environment == usual.environment != {}
    assert (made.dtype, made.model_revision) == (usual.dtype, usual.model_revision)
    assert set(made.record.raw) == set(usual.record.raw)


@pytest.mark.slow
def test_a_failure_under_a_lock_is_on_record_as_what_it_was(studio, worker, inpainter, lock):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(0, lambda: lock(0.3))
    inpainter.fail_with(OutOfMemory(), at_step=2)

    worker.run(id)

    assert (studio.gallery.get(id).status, studio.gallery.get(id).error_code) == (Status.FAILED, "OutOfMemory")


@pytest.mark.slow
def test_a_lock_before_the_claim_is_waited_for(studio, worker, lock):
    [id] = studio.generations.submit(a_request())
    lock(0.3)

    worker.run(id)

    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_a_verification_under_a_lock_finds_its_verdict(studio, dispatcher, worker, inpainter, lock):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    inpainter.after_step(1, lambda: lock(0.3))

    worker.run(verification)

    assert studio.reproductions.get(verification).reproduction.verdict == "EXACT"


def test_a_lock_without_end_is_told_after_a_while_and_the_worker_goes_on(studio, worker, inpainter, lock):
    first, second = studio.generations.submit(a_request(), count=2)
    inpainter.after_step(4, lock)

    with pytest.raises(DatabaseBusy):
        replace(worker, patience=Patience(busy_s=0.2, pause_s=0.05)).run(first)

    lock.unlock()
    inpainter._hooks.clear()
    worker.run(second)
    assert studio.gallery.get(second).status is Status.SUCCEEDED


def test_a_step_under_a_lock_does_not_wait_for_it_each_time(studio, worker, inpainter, lock, monkeypatch):
    """Each look waits as long as a connection waits for a lock: ten seconds in real use."""
    tried = []
    report = type(worker.repo).report
    monkeypatch.setattr(type(worker.repo), "report", lambda *args: (tried.append(args), report(*args)))
    monkeypatch.setattr("core.services.reporting.REPORT_EVERY_S", 0)
    [id] = studio.generations.submit(a_request(num_inference_steps=50))
    inpainter.after_step(1, lock)
    inpainter.after_step(49, lock.unlock)

    replace(worker, patience=replace(HASTY, pause_s=60)).run(id)

    assert studio.gallery.get(id).status is Status.SUCCEEDED
    assert len(tried) < 8


# Full ----------------------------------------------------------------------------------------------------------


@contextmanager
def full(worker: Worker):
    """The database can take not a page more. Yields a function that makes room."""
    engine = worker.repo._engine
    pages = [0]

    def limit(connection, *_) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0] or 2**30}")

    event.listen(engine.pool, "checkout", limit)
    with closing(sqlite3.connect(engine.url.database)) as other:
        pages[0] = other.execute("PRAGMA page_count").fetchone()[0]
    yield lambda: pages.__setitem__(0, 0)
    event.remove(engine.pool, "checkout", limit)


@pytest.fixture
def long_record(inpainter):
    """So long that it needs pages of its own."""
    details = {**inpainter.model.details, "note": "x" * 200_000}
    inpainter.model = replace(inpainter.model, details=details)


@pytest.mark.slow
def test_on_a_full_disk_the_result_is_written_when_there_is_room(studio, worker, inpainter, long_record):
    [id] = studio.generations.submit(a_request())
    with full(worker) as make_room:
        timer = threading.Timer(0.5, make_room)
        inpainter.after_step(4, timer.start)
        worker.run(id)

    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_on_a_disk_that_stays_full_the_worker_says_so_and_its_row_ends_when_there_is_room(
    studio, worker, clock, long_record
):
    [id] = studio.generations.submit(a_request())
    with full(worker), pytest.raises(StorageFull):
        replace(worker, patience=Patience(otherwise_s=0.2)).run(id)

    assert studio.gallery.get(id).status is Status.RUNNING
    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)
    worker.clear_stale()
    assert studio.gallery.get(id).status is Status.QUEUED


# Dead workers and clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [timedelta(seconds=21), timedelta(hours=2), timedelta(hours=-2), timedelta(days=-400)])
def test_a_row_whose_worker_died_waits_again_wherever_the_clock_has_gone_since(studio, worker, clock, jump):
    [id] = studio.generations.submit(a_request())
    worker.repo.claim(id, "a worker that dies", clock())
    clock.at += jump

    worker.clear_stale()

    assert studio.gallery.get(id).status is Status.QUEUED


@pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(hours=-2)])
@pytest.mark.slow_but_first
def test_a_verification_whose_worker_died_is_done_wherever_the_clock_has_gone(studio, dispatcher, worker, clock, jump):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    worker.verifications.claim(verification, "a worker that dies", clock())
    clock.at += jump

    while worker.run_next():
        pass

    assert studio.reproductions.get(verification).status is Status.SUCCEEDED


@pytest.mark.parametrize("jump", [timedelta(seconds=3), timedelta(seconds=-3)])
def test_a_clock_that_is_put_right_by_seconds_interrupts_nobody(studio, worker, clock, jump):
    [id] = studio.generations.submit(a_request())
    worker.repo.claim(id, "another", clock())
    clock.at += jump

    worker.clear_stale()

    assert studio.gallery.get(id).status is Status.RUNNING


def test_one_that_only_seemed_dead_runs_again_with_its_next_sign_of_life(studio, worker, clock):
    [id] = studio.generations.submit(a_request())
    worker.repo.claim(id, "alive", clock())
    clock.wait(hours=2)
    worker.clear_stale()

    worker.repo.beat(id, "alive", clock())
    worker.clear_stale()

    assert (studio.gallery.get(id).status, studio.gallery.get(id).finished_at) == (Status.RUNNING, None)


JUMPS = [timedelta(hours=3), timedelta(hours=-3)]


@pytest.fixture
def beating(monkeypatch):
    """So often that what waits for another sign of life sees one."""
    monkeypatch.setattr("core.services.worker.BEAT_EVERY_S", 0.01)
    monkeypatch.setattr("core.services.worker.LOOK_AGAIN_S", 0.5)


@pytest.mark.slow_but_first
@pytest.mark.usefixtures("beating")
@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_jumps_while_one_is_painted_loses_nothing_and_paints_nothing_twice(
    studio, worker, inpainter, clock, jump
):
    """Also at its last attempt, when a death would be its end; another worker looks meanwhile."""
    first, second = studio.generations.submit(a_request(), count=2)
    for _ in range(MAX_ATTEMPTS - 1):
        assert worker.repo.claim(first, "dead", clock())
        worker.repo.requeue_dead("dead", "It died.", clock())
    seen = []

    def jump_and_look() -> None:
        clock.at += jump
        replace(worker, name="another").clear_stale()
        seen.append(studio.gallery.get(first).status)

    inpainter.after_step(2, jump_and_look)

    while worker.run_next():
        pass

    assert seen[0] is Status.RUNNING
    assert [studio.gallery.get(id).status for id in (first, second)] == [Status.SUCCEEDED] * 2
    assert inpainter.calls == 2


@pytest.mark.slow_but_first
@pytest.mark.usefixtures("beating")
@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_jumps_during_a_verification_costs_no_verdict(studio, dispatcher, worker, inpainter, clock, jump):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    inpainter.after_step(2, lambda: setattr(clock, "at", clock.at + jump))
    inpainter.after_step(2, replace(worker, name="another").clear_stale)

    assert worker.run_next()

    assert studio.reproductions.get(verification).reproduction.verdict == "EXACT"
    assert inpainter.calls == 2


@pytest.mark.parametrize("by", ["cancel", "resume"])
def test_a_late_sign_of_life_takes_nothing_back_that_was_decided_meanwhile(studio, worker, clock, by):
    [id] = studio.generations.submit(a_request())
    worker.repo.claim(id, "late", clock())
    interrupt(studio, id)
    getattr(studio.generations, by)(id)

    worker.repo.beat(id, "late", clock())

    assert studio.gallery.get(id).status is {"cancel": Status.CANCELLED, "resume": Status.QUEUED}[by]


def dies(studio, clock, id: str) -> None:
    """A worker claims it and is never heard of again."""
    assert studio.worker.repo.claim(id, "a worker that dies", clock())
    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)
    studio.worker.clear_stale()


def test_what_kills_its_worker_is_begun_three_times_and_then_fails_in_words(studio, worker, clock):
    [id] = studio.generations.submit(a_request())
    for _ in range(MAX_ATTEMPTS - 1):
        dies(studio, clock, id)
        assert studio.gallery.get(id).status is Status.QUEUED

    dies(studio, clock, id)

    failed = studio.gallery.get(id)
    assert (failed.status, failed.error_code) == (Status.FAILED, "WorkerDied")
    assert "ended three times" in failed.error
    assert failed.finished_at == clock.at
    assert not worker.run_next()


def test_one_whose_worker_died_twice_is_painted_by_the_next(studio, worker, clock, inpainter):
    [id] = studio.generations.submit(a_request())
    for _ in range(2):
        dies(studio, clock, id)

    assert worker.run_next()

    made = studio.gallery.get(id)
    assert (made.status, made.error, inpainter.calls) == (Status.SUCCEEDED, None, 1)


def test_to_be_given_back_does_not_count_as_a_death(studio, worker, clock):
    [id] = studio.generations.submit(a_request())
    for n in range(2 * MAX_ATTEMPTS):
        assert worker.repo.claim(id, f"worker {n}", clock())
        worker.repo.release(f"worker {n}", clock())

    dies(studio, clock, id)

    assert studio.gallery.get(id).status is Status.QUEUED


def test_what_was_to_be_cancelled_when_its_worker_died_is_cancelled(studio, clock):
    [id] = studio.generations.submit(a_request())
    studio.worker.repo.claim(id, "a worker that dies", clock())
    studio.generations.cancel(id)
    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)

    studio.worker.clear_stale()

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert studio.gallery.get(id).error is None


def test_an_interrupted_one_of_earlier_is_left_alone_until_it_is_continued(studio, worker, clock):
    [id] = studio.generations.submit(a_request())
    interrupt(studio, id)
    clock.wait(hours=1)

    assert not worker.run_next()
    assert studio.gallery.get(id).status is Status.INTERRUPTED

    studio.generations.resume(id)
    worker.run_next()
    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_a_worker_whose_row_another_one_has_stops_at_its_next_step(studio, worker, inpainter, clock):
    [id] = studio.generations.submit(a_request())

    def taken_over() -> None:
        takes_for_dead(worker.repo, clock)
        assert worker.repo.claim(id, "another", clock())

    inpainter.after_step(2, taken_over)
    inpainter.after_step(3, lambda: pytest.fail("no further step"))

    worker.run(id)

    assert studio.gallery.get(id).status is Status.RUNNING


def test_one_that_only_seemed_dead_can_still_be_cancelled(studio, worker, inpainter, clock):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(2, lambda: takes_for_dead(worker.repo, clock))
    inpainter.after_step(2, lambda: studio.generations.cancel(id))
    inpainter.after_step(3, lambda: pytest.fail("no further step"))

    worker.run(id)

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert studio.generations.progress(id).preview is None


# Ending --------------------------------------------------------------------------------------------------------


def test_one_that_is_halted_stops_at_its_next_step_waits_again_and_goes_on(studio, worker, inpainter):
    first, second = studio.generations.submit(a_request(), count=2)
    inpainter.after_step(2, worker.halt)
    inpainter.after_step(3, lambda: pytest.fail("no further step"))

    worker.run(first)
    worker.run(second)

    assert not worker.run_next()
    assert [studio.gallery.get(id).status for id in (first, second)] == [Status.QUEUED, Status.QUEUED]
    inpainter._hooks.clear()
    replace(worker, _halted=threading.Event()).run(first)
    assert studio.gallery.get(first).status is Status.SUCCEEDED


def test_a_picture_that_is_finished_is_kept_when_its_worker_is_halted(studio, worker, monkeypatch):
    [id] = studio.generations.submit(a_request())
    put = type(worker.images).put

    def halt_and_put(*args):
        worker.halt()
        return put(*args)

    monkeypatch.setattr(type(worker.images), "put", halt_and_put)
    worker.run(id)

    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_what_is_let_go_waits_again_at_once_and_its_late_result_counts_for_nothing(studio, worker, inpainter):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(4, worker.release)
    inpainter.after_step(4, lambda: worker.repo.beat(id, worker.name, worker.now()))

    worker.run(id)

    assert (studio.gallery.get(id).status, studio.gallery.get(id).started_at) == (Status.QUEUED, None)


def test_one_that_is_let_go_although_it_was_to_be_cancelled_is_cancelled(studio, worker, inpainter):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(2, lambda: (studio.generations.cancel(id), worker.release()))

    worker.run(id)

    assert studio.gallery.get(id).status is Status.CANCELLED


def test_one_that_was_given_up_leaves_nothing_when_it_is_cancelled(studio, worker, inpainter):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(2, worker.release)
    worker.run(id)
    assert studio.generations.progress(id).status is Status.QUEUED

    studio.generations.cancel(id)

    progress = studio.generations.progress(id)
    assert (progress.status, progress.step, progress.preview) == (Status.CANCELLED, 0, None)


def test_a_verification_that_is_halted_waits_again(studio, dispatcher, worker, inpainter):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    inpainter.after_step(1, worker.halt)

    worker.run(verification)

    assert studio.reproductions.get(verification).status is Status.QUEUED


@pytest.mark.parametrize("at_step", [None, 1])
def test_a_verification_is_cancelled_before_it_begins_or_at_its_next_step(
    studio, dispatcher, worker, inpainter, at_step
):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    if at_step is None:
        studio.reproductions.cancel(verification)
    else:
        inpainter.after_step(at_step, lambda: studio.reproductions.cancel(verification))
        inpainter.after_step(at_step + 1, lambda: pytest.fail("no further step"))

    worker.run(verification)

    found = studio.reproductions.get(verification)
    assert (found.status, found.reproduction, studio.gallery.get(id).verdict) == (Status.CANCELLED, None, None)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()])
def test_whatever_ends_a_run_its_row_says_failed(studio, dispatcher, worker, inpainter, error):
    [id] = studio.generations.submit(a_request())
    inpainter.fail_with(error, at_step=1)

    worker.run(id)

    assert (studio.gallery.get(id).status, studio.gallery.get(id).error_code) == (Status.FAILED, type(error).__name__)
    again = studio.generations.rerun(id)
    worker.run(again)
    [verification] = studio.reproductions.verify([again])
    inpainter.fail_with(error, at_step=1)
    worker.run(verification)
    assert studio.reproductions.get(verification).status is Status.FAILED


def test_each_picture_is_hashed_once(studio, dispatcher, monkeypatch):
    """Of 24 megapixels, that is 0.1 s each time."""
    [id] = studio.generations.submit(a_request())
    hashed, digest = [], hashing._digest
    monkeypatch.setattr(hashing, "_digest", lambda image: hashed.append((image.mode, image.size)) or digest(image))

    dispatcher.drain()

    generation = studio.gallery.get(id)
    assert generation.status is Status.SUCCEEDED
    source = result = ("RGB", (96, 64))
    crop = ("RGB", tuple(generation.record.working_size))
    assert sorted(hashed) == sorted([source, ("L", (96, 64)), crop, result])
