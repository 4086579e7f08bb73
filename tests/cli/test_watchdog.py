"""A worker that hangs, as a process: it ends itself, and the one that takes its place goes on with the queue."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from core.dispatch.process import Supervisor
from core.domain.worker import REPLACE
from tests.cli.painting_slowly import HANGS, LOCKS
from tests.cli.test_signals import SLOWLY, STARTS_WITHIN_S, Place, ended

pytest.importorskip("resource", reason="signals of Unix")

pytestmark = pytest.mark.slow

ENDS_WITHIN_S = 60


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def submit(place: Place, *prompts: str) -> None:
    """Rows that wait for a worker, in this order."""
    code = (
        "import sys; from core.cli.common import open_studio\n"
        "from tests.conftest import a_request; from tests.fakes import FakeCatalogue\n"
        "studio = open_studio(catalogue=FakeCatalogue(), resolve_device=lambda wish: 'cpu')\n"
        "for prompt in sys.argv[1:]: studio.generations.submit(a_request(prompt=prompt))"
    )
    place.run(*prompts, program=["-c", code])


def rows(place: Place) -> list[tuple]:
    return place.ask("SELECT status, error_code FROM generations ORDER BY number")


def left(worker: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code with which it ended itself, and its standard error."""
    try:
        _, err = worker.communicate(timeout=ENDS_WITHIN_S)
    finally:
        worker.kill()
    return worker.returncode, err


def test_what_hangs_fails_in_words_and_the_next_process_paints_the_next_in_the_queue(place, monkeypatch):
    submit(place, HANGS, "a cat")
    for name, value in {**place.environment, "PAINTING_TIMEOUT_FACTOR": "0.05"}.items():
        monkeypatch.setenv(name, value)
    deaths = []
    command = (sys.executable, *SLOWLY, "worker", "--embedded")
    supervisor = Supervisor(place.data, lambda pid, code: deaths.append(code), command=command)
    try:
        until = time.monotonic() + STARTS_WITHIN_S
        while place.statuses() != ["failed", "succeeded"] and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        supervisor.stop()

    assert rows(place) == [("failed", "NoProgress"), ("succeeded", None)]
    assert deaths == [REPLACE]
    [(words,)] = place.ask("SELECT error FROM generations WHERE status = 'failed'")
    assert "at step 2 of 4: the worker was replaced" in words


def test_a_cancel_ends_what_hangs_within_seconds(place):
    submit(place, HANGS)
    worker = place.start("worker")
    place.until_painting(worker)
    started = time.monotonic()
    [(id,)] = place.ask("SELECT id FROM generations")
    place.run("queue", "cancel", id)

    code, err = left(worker)

    assert (code, rows(place)) == (REPLACE, [("cancelled", None)]), err
    assert time.monotonic() - started < 30


def test_a_hang_that_lets_no_other_thread_run_ends_the_process_and_its_row_is_not_lost(place):
    place.environment["PAINTING_TIMEOUT_FACTOR"] = "0.02"
    submit(place, LOCKS, "a cat")

    code, err = left(place.start("worker"))

    assert code == 1
    assert "most recent call first" in err
    assert "slow_step" in err
    assert rows(place) == [("running", None), ("queued", None)]


def test_what_is_only_slow_is_painted_to_its_end(place):
    place.environment |= {"PAINTING_TIMEOUT_FACTOR": "0.05", "PAINTING_STEP_S": "0.8", "PAINTING_LOAD_S": "2"}
    submit(place, "a cat")
    worker = place.start("worker")
    place.until(lambda: place.statuses() == ["succeeded"], worker)

    assert ended(worker, signal.SIGTERM)[0] == 0
