"""python -m core worker: it paints what waits, alone in its folder, and ends when it is told to."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from typing import IO

import pytest
from filelock import FileLock

from core.domain.errors import GenerationNotFound, OutOfMemory
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Status
from tests.cli.test_signals import SLOWLY, Place, ended
from tests.conftest import a_request

fcntl = pytest.importorskip("fcntl", reason="signals and locks of Unix")

WITHOUT_STREAMLIT = "import sys; sys.modules['streamlit'] = None\n"
"""Whoever imports it fails."""


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def end_when():
    """end_when(so): this process gets a SIGTERM as soon as so() is true, and a command is there to take it."""
    threads, usual = [], signal.getsignal(signal.SIGTERM)

    def end_when(is_so) -> None:
        def watch() -> None:
            until = time.monotonic() + 30
            while not (is_so() and signal.getsignal(signal.SIGTERM) is not usual) and time.monotonic() < until:
                time.sleep(0.02)
            if signal.getsignal(signal.SIGTERM) is not usual:
                os.kill(os.getpid(), signal.SIGTERM)

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield end_when
    for thread in threads:
        thread.join(60)


def statuses(studio) -> list[Status]:
    return [generation.status for generation in studio.gallery.browse().generations]


def locked(settings) -> IO[str]:
    """Held until it is closed. Not a FileLock, which refuses to wait for another one of the same process."""
    held = (settings.data / "worker.lock").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


def is_idle(studio) -> bool:
    return not studio.gallery.is_anything_active()


def test_a_worker_paints_what_waits_and_says_so_in_a_line_each(run, studio, end_when):
    first, second = studio.generations.submit(a_request(), count=2)
    end_when(lambda: is_idle(studio))

    result = run("worker")

    assert statuses(studio) == [Status.SUCCEEDED] * 2
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [[first, "succeeded", "in"], [second, "succeeded", "in"]]
    assert "waiting for work" in result.stderr


def test_with_json_each_generation_that_ended_is_one_object_and_a_failure_is_told(run, studio, inpainter, end_when):
    first, second = studio.generations.submit(a_request(), count=2)
    inpainter.fail_with(OutOfMemory(), at_step=1)
    end_when(lambda: is_idle(studio))

    told = [json.loads(line) for line in run("worker", "--json").stdout.splitlines()]

    assert [(each["id"], each["status"]) for each in told] == [(first, "failed"), (second, "succeeded")]
    assert "memory" in told[0]["error"]


def test_a_verification_is_done_too(run, studio, dispatcher, end_when):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    end_when(lambda: not studio.reproductions.get(verification).status.is_active)

    run("worker")

    assert studio.gallery.get(id).verdict == "EXACT"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow_but_first
def test_a_signal_puts_what_is_painted_back_into_the_queue(run, studio, inpainter, number):
    studio.generations.submit(a_request(num_inference_steps=50), count=2)
    inpainter.after_step(3, lambda: (os.kill(os.getpid(), number), studio.worker._halted.wait(20)))
    inpainter.after_step(4, lambda: pytest.fail("no further step"))

    result = run("worker")

    assert statuses(studio) == [Status.QUEUED] * 2
    assert result.stdout == ""


@pytest.mark.slow
def test_the_trash_forgets_at_each_start_what_lay_there_for_too_long(run, studio, dispatcher, clock, end_when):
    old, fresh = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    studio.gallery.trash([old])
    clock.wait(days=40)
    studio.gallery.trash([fresh])
    end_when(lambda: studio.gallery.count(GalleryFilter(in_trash=True)) == 1)

    run("worker")

    assert studio.gallery.get(fresh).deleted_at is not None
    with pytest.raises(GenerationNotFound):
        studio.gallery.get(old)


def test_a_second_worker_in_the_same_folder_says_that_one_is_running(run, studio, settings):
    with locked(settings):
        result = run("worker", code=2)

    assert "Another worker is already running" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_worker_that_waits_takes_over_when_the_other_has_ended(run, studio, settings, end_when):
    [id] = studio.generations.submit(a_request())
    threading.Timer(0.4, locked(settings).close).start()
    end_when(lambda: is_idle(studio))

    run("worker", "--wait")

    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_a_worker_begins_although_somebody_looks_at_that_moment_whether_one_is_there(run, studio, settings, end_when):
    [id] = studio.generations.submit(a_request())
    threading.Timer(0.1, locked(settings).close).start()
    end_when(lambda: is_idle(studio))

    run("worker")

    assert studio.gallery.get(id).status is Status.SUCCEEDED


def test_a_signal_ends_the_wait_for_another_worker(run, studio, settings, end_when):
    with locked(settings):
        end_when(lambda: True)
        run("worker", "--wait", code=143)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), NotImplementedError()])
def test_a_folder_that_cannot_be_locked_is_told_in_a_sentence(run, studio, monkeypatch, error):
    def fail(self, **_) -> None:
        raise error

    monkeypatch.setattr(FileLock, "acquire", fail)

    assert "cannot be locked" in run("worker", code=1).stderr


# As processes ----------------------------------------------------------------------------------------------------


def submit(place: Place, count: int, steps: int) -> None:
    """Rows that wait for a worker: the command that asked for them ends, and leaves them to it."""
    code = (
        "import sys; from core.cli.common import open_studio\n"
        "from tests.conftest import a_request; from tests.fakes import FakeCatalogue\n"
        "studio = open_studio(catalogue=FakeCatalogue(), resolve_device=lambda wish: 'cpu')\n"
        "studio.generations.submit(a_request(num_inference_steps=int(sys.argv[2])), count=int(sys.argv[1]))"
    )
    place.run(count, steps, program=["-c", code])


@pytest.mark.slow
def test_a_worker_needs_nothing_of_streamlit_and_ends_within_seconds(place):
    place.environment["PAINTING_STEP_S"] = "0.1"
    submit(place, 2, steps=5)
    code = f"{WITHOUT_STREAMLIT}import runpy; runpy.run_path({SLOWLY[0]!r}, run_name='__main__')"
    worker = place.start("worker", "--json", program=["-c", code])
    place.until(lambda: "succeeded" in place.statuses() and "running" in place.statuses(), worker)

    code, err, took_s = ended(worker, signal.SIGTERM)

    assert code == 0, err
    assert sorted(place.statuses()) == ["queued", "succeeded"]
    assert took_s < 15


@pytest.mark.slow
@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM)], ids=["one", "two"])
def test_a_step_that_does_not_end_is_given_up(place, signals):
    place.environment["PAINTING_LOAD_S"] = "600"
    submit(place, 1, steps=5)
    worker = place.start("worker")
    place.until_running(worker)

    code, err, took_s = ended(worker, *signals)

    assert (code, place.statuses()) == (0, ["queued"]), err
    assert took_s < (3 if len(signals) == 2 else 10)


def killed(place: Place, worker) -> str:
    """Kill it, and let the time pass after which a worker counts as dead. Its standard output."""
    worker.kill()
    out, _ = worker.communicate(timeout=60)
    with closing(sqlite3.connect(place.data / "studio.db")) as database, database:
        database.execute("UPDATE generations SET heartbeat_at = '2000-01-01 00:00:00.000000' WHERE status = 'running'")
    return out


def is_alive(place: Place) -> bool:
    """Whether a worker paints that was not killed."""
    return place.ask("SELECT 1 FROM generations WHERE status = 'running' AND heartbeat_at > '2001-01-01'") != []


@pytest.mark.slow
@pytest.mark.parametrize("deaths", [2, 3])
def test_a_picture_whose_worker_is_killed_is_begun_three_times(place, deaths):
    place.environment["PAINTING_STEP_S"] = "0.2"
    submit(place, 1, steps=20)
    for _ in range(deaths):
        worker = place.start("worker")
        place.until(lambda: is_alive(place), worker)
        killed(place, worker)

    worker = place.start("worker", "--json")
    place.until(lambda: place.statuses() in (["succeeded"], ["failed"]), worker)

    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=60)
    if deaths == 2:
        assert json.loads(out)["status"] == "succeeded"
    else:
        assert out == ""
        assert place.ask("SELECT status, error_code, attempts FROM generations") == [("failed", "WorkerDied", 3)]


@pytest.mark.slow
def test_however_many_workers_are_killed_each_picture_is_painted_once(place):
    """At times that have nothing to do with what is being done."""
    place.environment["PAINTING_STEP_S"] = "0.05"
    submit(place, 24, steps=5)
    chance, told = random.Random(0), ""
    for _ in range(6):
        worker = place.start("worker", "--json")
        place.until(lambda: is_alive(place), worker)
        time.sleep(chance.uniform(0, 1))
        told += killed(place, worker)
    last = place.start("worker", "--json")
    place.until(lambda: set(place.statuses()) <= {"succeeded", "failed"}, last)
    last.send_signal(signal.SIGTERM)
    told += last.communicate(timeout=60)[0]

    # One that is killed between the row and the line tells nothing of it.
    ids = [json.loads(line)["id"] for line in told.splitlines()]
    assert len(ids) == len(set(ids))
    # One that was hit three times has failed, and says so.
    rows = place.ask("SELECT output IS NOT NULL, error_code, attempts FROM generations WHERE status <> 'succeeded'")
    assert set(rows) <= {(0, "WorkerDied", 3)}
    [(succeeded,)] = place.ask("SELECT COUNT(DISTINCT output) FROM generations")
    assert succeeded == 24 - len(rows) >= 12


@pytest.mark.slow
def test_one_worker_works_in_a_folder_until_it_is_killed(place):
    first = place.start("worker")
    place.until(lambda: (place.data / "worker.lock").exists(), first)
    second = place.start("worker")
    _, err = second.communicate(timeout=120)
    assert (second.returncode, "already running" in err) == (2, True)

    first.kill()
    first.wait(60)
    submit(place, 1, steps=2)
    third = place.start("worker")
    place.until(lambda: place.statuses() == ["succeeded"], third)

    assert ended(third, signal.SIGINT)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("is_at_work", [False, True])
def test_a_worker_of_a_dashboard_ends_in_good_order_when_its_input_ends(place, is_at_work):
    place.environment |= {"PAINTING_STEP_S": "0.1"}
    worker = place.start("worker", "--embedded", stdin=subprocess.PIPE)
    if is_at_work:
        submit(place, 1, steps=150)
        place.until_painting(worker)
    else:
        place.until(lambda: (place.data / "worker.lock").exists(), worker)

    _, err = worker.communicate(timeout=20)

    assert place.statuses() == ["queued"] * is_at_work
    assert worker.returncode in (0, 143)
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_worker_of_a_dashboard_leaves_the_folder_to_one_that_is_there(place):
    first = place.start("worker")
    place.until(lambda: (place.data / "worker.lock").exists(), first)

    second = place.start("worker", "--embedded", stdin=subprocess.PIPE)
    second.wait(60)

    assert (second.returncode, second.stdout.read(), second.stderr.read()) == (0, "", "")
    assert ended(first, signal.SIGTERM)[0] == 0


@pytest.mark.slow
def test_a_worker_paints_with_the_pocket_model_and_without_streamlit(place):
    submit(place, 1, steps=4)
    code = f"{WITHOUT_STREAMLIT}from core.cli import app; app()"
    worker = place.start("worker", "--json", program=["-c", code])
    place.until(lambda: place.statuses() == ["succeeded"], worker)
    submit(place, 1, steps=150)
    place.until_painting(worker)

    assert ended(worker, signal.SIGTERM)[0] == 0
    assert sorted(place.statuses()) == ["queued", "succeeded"]
