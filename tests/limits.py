"""No test waits for ever: what takes too long fails in a sentence, what it started is ended, and the others go on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil
import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

LIMIT_S = 900.0
"""For one test, and as much for what it needs: the kills of tests/harness take a minute of processor time, and five on
a machine that is shared by many. Where even this cannot interrupt it, pytest's faulthandler_timeout ends
the process, with the way to the line where it stands."""

AGAIN_S = 20.0
"""Code under test may have caught the first failure."""


@contextmanager
def limited(name: str) -> Iterator[None]:
    """Inside, the test fails when the time is over. Only where there is SIGALRM, and in the main thread."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    began = time.time()

    def over(number: int, frame: FrameType | None) -> None:
        _end_processes_since(began)
        pytest.fail(f"{name} has not ended within {LIMIT_S:g} s; the last line of ours below is where it waited.")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, AGAIN_S)
    try:
        yield
    finally:
        _no_longer()
        signal.signal(signal.SIGALRM, before)


def _end_processes_since(began: float) -> None:
    """Those of fixtures that other tests use are older. The system counts their ages from another second."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.create_time() >= began - 1:
                process.kill()


def _no_longer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with limited(f"What {item.name} needs"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with limited(item.name):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    with limited(f"The end of {item.name}"):
        return (yield)


def pytest_enter_pdb() -> None:
    if hasattr(signal, "SIGALRM"):
        _no_longer()


class OnceEach(LoadFileScheduling):
    """Files stay whole. A test in which a process crashed has failed: it is not run again, to crash the next one."""

    def remove_node(self, node: WorkerController) -> str | None:
        for tests in self.assigned_work[node].values():
            for test, is_done in tests.items():
                if not is_done:
                    tests[test] = True
                    super().remove_node(node)
                    return test
        return super().remove_node(node)

    def _reschedule(self, node: WorkerController) -> None:
        """One that takes the place of another is given work once it knows the tests; then schedule() asks again."""
        if node in self.registered_collections:
            super()._reschedule(node)
