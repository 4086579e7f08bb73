"""The background thread that works off the queue."""

from __future__ import annotations

import threading
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
        session.join()
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


def test_when_the_program_ends_what_is_painted_stops_at_its_next_step_and_waits_again(studio, inpainter):
    painting, ended = threading.Event(), threading.Event()
    dashboard = replace(studio, dispatcher=ThreadDispatcher(studio.worker.run_next))
    first, second = studio.generations.submit(a_request(num_inference_steps=50), count=2)
    inpainter.after_step(1, lambda: (painting.set(), ended.wait(20)))
    dashboard.dispatcher.enqueue(first)
    assert painting.wait(20)
    threading.Timer(0.2, ended.set).start()

    assert dashboard.shut_down()

    assert [studio.gallery.get(id).status for id in (first, second)] == [Status.QUEUED, Status.QUEUED]


def test_what_does_not_come_to_a_step_is_given_up_when_the_program_ends(studio, inpainter, monkeypatch):
    monkeypatch.setattr("core.bootstrap.STEP_S", 0.1)
    painting, ended = threading.Event(), threading.Event()
    dispatcher = ThreadDispatcher(studio.worker.run_next)
    [id] = studio.generations.submit(a_request())
    inpainter.after_step(1, lambda: (painting.set(), ended.wait(20)))
    dispatcher.enqueue(id)
    assert painting.wait(20)

    assert not replace(studio, dispatcher=dispatcher).shut_down()

    assert studio.gallery.get(id).status is Status.QUEUED
    ended.set()
    assert dispatcher.stop(20)
    assert studio.gallery.get(id).status is Status.QUEUED
