"""What hangs ends in words, and the process is replaced: limits by phase, size and pace; and after a cancel."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from core.domain.errors import GenerationCancelled, NoProgress
from core.domain.generation import Phase, Status
from core.ports import StepReport
from core.services import watchdog
from core.services.watchdog import Stand, Watch, Watchdog
from core.services.worker import Worker
from tests.conftest import a_request

SOON_S = 0.001


class HungProcess:
    """Its time stands still, except while something hangs in it. left: it was told to end itself."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.left = threading.Event()

    def __call__(self) -> float:
        return self.seconds

    def hang(self) -> None:
        gives_up_at = time.monotonic() + 30
        while not self.left.wait(SOON_S):
            self.seconds += 2
            assert time.monotonic() < gives_up_at, "nobody ended what hangs"


@pytest.fixture
def process() -> HungProcess:
    return HungProcess()


@pytest.fixture
def worker(studio, process, monkeypatch) -> Worker:
    monkeypatch.setattr("core.services.worker.BEAT_EVERY_S", SOON_S)
    dog = Watchdog(process.left.set, lambda model: 0.1, clock=process, look_every_s=SOON_S)
    return replace(studio.worker, watchdog=dog)


def hanging_in(phase: Phase, worker: Worker, inpainter, process: HungProcess) -> Worker:
    """The worker, with a hang in this phase of its first run."""
    if phase is Phase.LOADING:

        def load(*key, **how):
            process.hang()
            return inpainter

        return replace(worker, load_inpainter=load)
    step = {Phase.PREPARING: 0, Phase.DENOISING: 2}.get(phase)
    if step is not None:
        inpainter.after_step(step, process.hang)
        return worker

    class Images:
        def __getattr__(self, name):
            return getattr(worker.images, name)

        def put(self, *args):
            process.hang()
            return worker.images.put(*args)

    return replace(worker, images=Images())


# Limits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stand", "limit_s"),
    [
        (Stand(gb=0.6), 372),
        (Stand(gb=34), 4380),
        (Stand(7, 1.0, Phase.PREPARING), 960),
        (Stand(7, 4.0, Phase.PREPARING), 3480),
        (Stand(7, 1.0, Phase.DENOISING, 1, 20, 0.5), 60),
        (Stand(7, 1.0, Phase.DENOISING, 1, 20, 30), 600),
        (Stand(7, 1.0, Phase.DECODING, 20, 20, 0.5), 960),
        (Stand(7, 1.0, Phase.STORING), 600),
    ],
)
def test_the_limit_follows_from_the_phase_the_size_of_the_model_and_the_pace_of_the_run(stand, limit_s):
    assert stand.limit_s == pytest.approx(limit_s)


@pytest.mark.parametrize(
    ("stand", "grace_s"),
    [
        (Stand(gb=34), 5),
        (Stand(34, 1.0, Phase.PREPARING), 30),
        (Stand(7, 1.0, Phase.DENOISING, 1, 20, 0.5), 10),
        (Stand(7, 1.0, Phase.DENOISING, 1, 20, 30), 90),
        (Stand(7, 1.0, Phase.DECODING, 20, 20, 0.5), 30),
        (Stand(7, 1.0, Phase.STORING), 600),
    ],
)
def test_after_a_cancel_a_step_may_end_by_itself_and_a_load_hardly(stand, grace_s):
    assert stand.grace_s == grace_s


def looked_at_for(watch: Watch, clock: HungProcess, seconds: float):
    """What a look finds first, within so many seconds of one look each."""
    for _ in range(int(seconds)):
        clock.seconds += 1
        if (error := watch.look()) is not None:
            return error
    return None


def test_each_step_begins_the_time_again(process):
    watch = Watch(gb=0, clock=process)
    for step in range(1, 20):
        assert looked_at_for(watch, process, 59) is None
        watch.progress(StepReport(Phase.DENOISING, step, 20))

    assert isinstance(looked_at_for(watch, process, 59 * 21), NoProgress)


def test_what_took_long_may_take_long_again_and_a_slow_machine_takes_longer(process):
    slow = Watch(gb=0, factor=3, clock=process)
    slow.progress(StepReport(Phase.PREPARING))
    assert looked_at_for(slow, process, 355) is None
    slow.progress(StepReport(Phase.DENOISING, 1, 20))

    assert looked_at_for(slow, process, 3 * 20 * 355 - 5) is None
    assert isinstance(looked_at_for(slow, process, 10), NoProgress)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (StepReport(Phase.LOADING), "for 5 minutes while loading the model:"),
        (StepReport(Phase.DENOISING, 2, 20), "for 61 seconds at step 3 of 20:"),
        (StepReport(Phase.DENOISING, 20, 20), "at step 20 of 20:"),
        (StepReport(Phase.DECODING, 20, 20), "while decoding:"),
    ],
)
def test_the_words_say_how_long_and_where(process, report, words):
    watch = Watch(gb=0, clock=process)
    watch.progress(report)

    assert words in str(looked_at_for(watch, process, 1000))


def test_a_machine_that_slept_for_hours_hangs_no_more_than_before(process):
    watch = Watch(gb=0, clock=process)
    watch.progress(StepReport(Phase.DENOISING, 1, 20))
    for _ in range(10):
        process.seconds += 10_000
        assert watch.look() is None

    assert isinstance(looked_at_for(watch, process, 60), NoProgress)


def test_a_cancel_counts_from_when_it_was_asked_for(process):
    watch = Watch(gb=0, clock=process)
    watch.progress(StepReport(Phase.DENOISING, 1, 20))
    looked_at_for(watch, process, 40)
    watch.cancel()
    assert looked_at_for(watch, process, 9) is None
    watch.cancel()

    assert isinstance(looked_at_for(watch, process, 2), GenerationCancelled)


# A worker that hangs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.PREPARING, Phase.DENOISING, Phase.STORING])
@pytest.mark.slow_but_first
def test_what_hangs_fails_in_words_and_its_process_leaves(studio, worker, inpainter, process, phase):
    [id] = studio.generations.submit(a_request())
    told = []

    replace(hanging_in(phase, worker, inpainter, process), on_end=told.append).run(id)

    failed = studio.gallery.get(id)
    assert (failed.status, failed.error_code, failed.output) == (Status.FAILED, "NoProgress", None)
    assert failed.error.startswith("No progress for ")
    assert process.left.is_set()
    assert told == [id]


def test_a_cancel_ends_what_hangs_while_it_is_loaded(studio, worker, inpainter, process):
    [id] = studio.generations.submit(a_request())

    def load(*key, **how):
        studio.generations.cancel(id)
        process.hang()
        return inpainter

    replace(worker, load_inpainter=load).run(id)

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert process.seconds < watchdog.LOADING_S
    assert inpainter.calls == 0


def test_a_cancel_ends_a_step_that_hangs(studio, worker, inpainter, process):
    [id] = studio.generations.submit(a_request())

    def take_long() -> None:
        process.seconds += 50

    inpainter.after_step(0, take_long)
    inpainter.after_step(2, lambda: (studio.generations.cancel(id), process.hang()))

    worker.run(id)

    assert (studio.gallery.get(id).status, studio.gallery.get(id).error_code) == (Status.CANCELLED, None)
    assert process.left.is_set()
    assert process.seconds < watchdog.TIMES_THE_LONGEST * 50


def test_a_cancel_that_the_next_step_sees_replaces_nobody(studio, worker, inpainter, process):
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(2, lambda: studio.generations.cancel(id))

    worker.run(id)

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert not process.left.is_set()


def test_a_verification_that_hangs_fails_in_words_and_its_generation_keeps_its_verdict(
    studio, dispatcher, worker, inpainter, process
):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    inpainter.after_step(2, process.hang)

    worker.run(verification)

    hung = studio.reproductions.get(verification)
    assert (hung.status, hung.error.partition(" for ")[0]) == (Status.FAILED, "No progress")
    assert process.left.is_set()
    assert studio.gallery.get(id).verdict is None


def test_a_cancel_ends_a_verification_that_hangs(studio, dispatcher, worker, inpainter, process):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    inpainter.after_step(0, lambda: (studio.reproductions.cancel(verification), process.hang()))

    worker.run(verification)

    ended = studio.reproductions.get(verification)
    assert (ended.status, ended.error) == (Status.CANCELLED, None)
    assert process.left.is_set()


def test_a_database_that_cannot_be_written_keeps_no_process_that_hangs(studio, worker, inpainter, process, monkeypatch):
    monkeypatch.setattr(watchdog, "LAST_WORDS_S", 0.05)
    [id] = studio.generations.submit(a_request())
    let_go = threading.Event()

    class Repo:
        def __getattr__(self, name):
            return getattr(worker.repo, name)

        def finish(self, *args):
            let_go.wait(20)
            return False

    inpainter.after_step(2, process.hang)
    inpainter.after_step(3, let_go.set)

    replace(worker, repo=Repo()).run(id)

    assert process.left.is_set()
    assert studio.gallery.get(id).status is Status.RUNNING


def test_a_process_that_has_nothing_to_leave_for_paints_without_a_watchdog(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()

    assert studio.worker.watchdog is None
    assert studio.gallery.get(id).status is Status.SUCCEEDED
