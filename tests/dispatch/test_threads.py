"""The background thread that works off the queue."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from core.dispatch.threads import ThreadDispatcher
from core.domain.errors import DatabaseBusy
from core.domain.generation import Status
from tests.conftest import a_request


def test_what_two_sessions_ask_at_the_same_time_is_painted_one_after_the_other(studio, inpainter):
    done = threading.Semaphore(0)

    def run_next() -> bool:
        worked = studio.worker.run_next()
        if worked:
            done.release()
        return worked

    dispatcher = ThreadDispatcher(run_next)
    generations = replace(studio.generations, dispatcher=dispatcher)
    ids: list[str] = []

    def ask() -> None:
        ids.extend(generations.submit(a_request(), count=3))

    sessions = [threading.Thread(target=ask) for _ in range(2)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join(60)
    for _ in range(6):
        assert done.acquire(timeout=20)
    dispatcher.stop()

    assert [studio.gallery.get(id).status for id in ids] == [Status.SUCCEEDED] * 6
    assert inpainter.concurrent_calls == 0


@pytest.mark.parametrize("error", [OSError("away"), DatabaseBusy(), SystemExit(1), KeyboardInterrupt()])
def test_whatever_goes_wrong_at_a_look_at_the_queue_the_thread_goes_on(error):
    asked = threading.Semaphore(0)
    answers = iter([error, True, False])

    def run_next() -> bool:
        asked.release()
        answer = next(answers, False)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    dispatcher = ThreadDispatcher(run_next)
    assert asked.acquire(timeout=5)
    dispatcher.enqueue("x")

    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5)
    dispatcher.stop()


def test_what_another_process_queues_is_begun_within_a_moment(studio, inpainter, monkeypatch):
    monkeypatch.setattr("core.dispatch.threads.LOOK_EVERY_S", 600)
    painted, looks = threading.Event(), []
    worker = replace(studio.worker, follow_up=lambda: looks.append(1), on_end=lambda id: painted.set())
    dispatcher = ThreadDispatcher(worker.run_next, worker.is_anything_queued)
    while not looks:
        time.sleep(0.01)

    studio.generations.submit(a_request())

    assert painted.wait(20)
    dispatcher.stop(20)
    # At the start, when it was queued, and after it has ended: not at each glance.
    assert len(looks) <= 3


@pytest.mark.parametrize("pause", [False, True])
def test_a_glance_sees_what_is_queued_unless_the_queue_is_paused(studio, dispatcher, pause):
    assert not studio.worker.is_anything_queued()
    [id] = studio.generations.submit(a_request())
    assert studio.worker.is_anything_queued()
    dispatcher.drain()
    assert not studio.worker.is_anything_queued()
    studio.reproductions.verify([id])
    if pause:
        studio.queue.pause()

    assert studio.worker.is_anything_queued() is not pause


def test_a_glance_that_fails_is_told_once_and_not_repeated_until_the_next_look(monkeypatch, caplog):
    monkeypatch.setattr("core.dispatch.threads.GLANCE_EVERY_S", 0.01)
    glances = []

    def fail() -> bool:
        glances.append(1)
        raise DatabaseBusy

    dispatcher = ThreadDispatcher(lambda: False, fail)
    time.sleep(0.2)
    dispatcher.stop(20)

    assert glances == [1]
    assert len(caplog.messages) == 1
