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
