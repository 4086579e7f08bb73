"""However a command ends, none of its rows is left waiting or running: with stand-ins for the model, real signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from core.cli import exits, running
from core.cli.common import open_studio
from core.domain.errors import OutOfMemory, StorageFull
from core.domain.generation import Status
from core.domain.worker import DEAD_AFTER, MachineFacts
from core.services.patience import Patience
from core.services.worker import Worker
from core.settings import Settings
from tests.conftest import a_mask, a_picture, a_request
from tests.fakes import CPU, fake_environment
from tests.services.test_lineage import continued

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Waits for a lock for a moment only."""
    data = tmp_path / "data"
    return Settings(data=data, database_url=f"sqlite:///{data / 'studio.db'}?timeout=0.05")


@pytest.fixture
def run(run, monkeypatch):
    monkeypatch.setattr(running, "LOOK_EVERY_S", 0.02)

    def run_and_look(*arguments, **more):
        handlers = [signal.getsignal(number) for number in exits.SIGNALS]
        result = run(*arguments, **more)
        assert [signal.getsignal(number) for number in exits.SIGNALS] == handlers
        return result

    return run_and_look


@pytest.fixture
def files(tmp_path):
    a_picture().save(tmp_path / "photo.png")
    a_mask().to_image().save(tmp_path / "mask.png")
    return tmp_path / "photo.png", tmp_path / "mask.png"


@pytest.fixture
def made(studio, dispatcher):
    """The id of a generation that is there already."""
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    return id


@pytest.fixture
def command(files, made, studio, tmp_path):
    """The words of each command that works on rows."""
    chain = continued(studio, made, 1)
    return {
        "inpaint": ["inpaint", *files, "--count", 3, "--json"],
        "rerun": ["rerun", made],
        "sheet": ["sheet", made, "--columns", "seed=1-3", "--output", tmp_path / "sheet.png"],
        "verify": ["verify", made],
        "verify all": ["verify", "--all"],
        "replay": ["replay", chain],
    }


COMMANDS = ["inpaint", "rerun", "sheet", "verify", "verify all", "replay"]
DEATHS = [SystemExit(7), KeyboardInterrupt(), MemoryError(), RuntimeError("a bug"), OutOfMemory()]


def each_with_first(kinds: list) -> list[tuple]:
    """Every command with the first kind, the first command with every kind."""
    return [(name, kinds[0]) for name in COMMANDS] + [(COMMANDS[0], kind) for kind in kinds[1:]]


def signalled(number: int, times: int = 1) -> None:
    for _ in range(times):
        os.kill(os.getpid(), number)
        # The main thread looks at it before the next step begins, or the next signal comes, which else are one.
        time.sleep(0.1)


def statuses(studio) -> list[str]:
    """Of everything in the gallery, verifications too."""
    with closing(sqlite3.connect(studio.settings.data / "studio.db")) as database:
        both = "SELECT status FROM generations UNION ALL SELECT status FROM verifications"
        return [status for (status,) in database.execute(both)]


def is_anything_left(studio) -> bool:
    return studio.gallery.repo.is_anything_active()


@pytest.mark.slow_but_first
@pytest.mark.parametrize(("name", "number"), each_with_first(SIGNALS))
def test_a_signal_cancels_at_the_next_step_and_leaves_no_row_behind(run, studio, inpainter, command, name, number):
    before = sorted(statuses(studio))
    inpainter.after_step(2, lambda: signalled(number))
    done = []
    inpainter.after_step(3, lambda: done.append(3))

    result = run(*command[name], code=128 + number)

    assert done == []
    assert not is_anything_left(studio)
    assert set(statuses(studio)) == {"succeeded", "cancelled"}
    assert sorted(statuses(studio)).count("succeeded") == before.count("succeeded")
    assert "cancelling" in result.stderr


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", ["inpaint", "verify", "replay"])
def test_a_model_that_does_not_come_to_a_step_is_given_up_after_a_while(
    run, studio, command, name, monkeypatch, inpainter
):
    """Loading takes minutes, and knows no steps. The process is ended then, as its threads cannot be."""
    monkeypatch.setattr(running, "GRACE_S", 0.2)
    ended, goes_on = [], threading.Event()

    def end(code: int) -> None:
        ended.append((code, is_anything_left(studio)))
        goes_on.set()

    monkeypatch.setattr(os, "_exit", end)
    inpainter.after_step(1, lambda: (signalled(signal.SIGTERM), goes_on.wait(20)))

    run(*command[name], code=143)

    assert ended == [(143, False)]
    assert set(statuses(studio)) == {"succeeded", "cancelled"}


def test_a_second_ctrl_c_waits_for_no_step(run, studio, command, monkeypatch, inpainter):
    monkeypatch.setattr(running, "GRACE_S", 60)
    ended, goes_on = [], threading.Event()

    def end(code: int) -> None:
        ended.append((code, is_anything_left(studio)))
        goes_on.set()

    monkeypatch.setattr(os, "_exit", end)
    inpainter.after_step(1, lambda: (signalled(signal.SIGINT, times=2), goes_on.wait(20)))

    run(*command["inpaint"], code=130)

    assert ended == [(130, False)]


def test_what_others_have_queued_stays(run, studio, command, inpainter):
    [theirs] = studio.generations.submit(a_request())
    inpainter.after_step(1, lambda: signalled(signal.SIGINT))

    run(*command["inpaint"], code=130)

    assert studio.gallery.get(theirs).status is Status.QUEUED


def test_a_signal_while_the_request_is_stored_leaves_no_row_behind(run, studio, command, inpainter, monkeypatch):
    add = type(studio.worker.repo).add

    def add_and_signal(*args):
        add(*args)
        signalled(signal.SIGTERM)

    monkeypatch.setattr(type(studio.worker.repo), "add", add_and_signal)
    before = inpainter.calls

    run(*command["inpaint"], code=143)

    assert inpainter.calls == before
    assert not is_anything_left(studio)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(("name", "error"), each_with_first(DEATHS))
def test_whatever_the_painting_dies_of_the_command_ends_with_1(run, studio, inpainter, command, name, error):
    for _ in range(3):
        inpainter.fail_with(error, at_step=1)

    run(*command[name], code=1)

    assert not is_anything_left(studio)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(("name", "error"), each_with_first([StorageFull(), RuntimeError("a bug"), SystemExit(0)]))
def test_a_thread_that_dies_ends_the_command_with_a_sentence(run, studio, command, name, error, monkeypatch):
    """For example as nothing can be written on a full disk, not even that it is full."""

    def die(worker, id) -> None:
        raise error

    monkeypatch.setattr(type(studio.worker), "run", die)

    result = run(*command[name], code=1)

    assert result.stderr.strip()
    assert "a bug" not in result.output
    assert "Traceback" not in result.output
    assert not is_anything_left(studio)


def test_where_a_picture_cannot_be_written_no_row_is_left_behind(run, studio, files, inpainter, tmp_path):
    folder = tmp_path / "folder"
    inpainter.after_step(4, lambda: (folder.rmdir(), folder.write_text("in the way")) if folder.is_dir() else None)

    run("inpaint", *files, "--count", 3, "--output", folder, code=1)

    assert not is_anything_left(studio)


# What another process has -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_s", [DEAD_AFTER.total_seconds() + 1, -7200])
@pytest.mark.slow_but_first
def test_a_row_of_a_process_that_died_is_painted_here(run, studio, command, clock, jump_s, monkeypatch):
    add = type(studio.worker.repo).add

    def add_and_claim(repo, generations) -> None:
        add(repo, generations)
        for generation in generations:
            repo.claim(generation.id, "another, which dies", clock())
        clock.wait(seconds=jump_s)

    monkeypatch.setattr(type(studio.worker.repo), "add", add_and_claim)

    run(*command["rerun"], code=0)

    assert not is_anything_left(studio)


def test_a_verification_of_a_process_that_died_is_done_here(run, studio, command, clock, monkeypatch):
    add = type(studio.worker.verifications).add

    def add_and_claim(repo, verifications) -> None:
        add(repo, verifications)
        for verification in verifications:
            repo.claim(verification.id, "another, which dies", clock())
        clock.wait(hours=1)

    monkeypatch.setattr(type(studio.worker.verifications), "add", add_and_claim)

    assert "EXACT" in run(*command["verify"], code=0).stdout


def test_what_another_process_paints_is_watched_until_it_ends(run, studio, command, clock, monkeypatch):
    """As a dashboard does on the same data."""
    add = type(studio.worker.repo).add
    dashboard = replace(studio.worker, name="dashboard", load_inpainter=slowly(studio.worker.load_inpainter))
    threads = []

    def add_and_paint(repo, generations) -> None:
        add(repo, generations)
        threads.append(threading.Thread(target=dashboard.run, args=[generations[0].id]))
        threads[0].start()
        while studio.gallery.get(generations[0].id).status is Status.QUEUED:
            time.sleep(0.01)

    monkeypatch.setattr(type(studio.worker.repo), "add", add_and_paint)

    run(*command["rerun"], code=0)

    threads[0].join(60)
    assert not is_anything_left(studio)


@pytest.fixture
def worker_there(studio, clock):
    """A worker's row gives signs of life; start() lets it work, in a thread, until nothing waits."""
    repo, name, threads = studio.presence.repo, "the worker", []
    repo.begin(name, "here", 1, clock())
    repo.tell(name, MachineFacts((CPU,), (fake_environment(),), "cpu"))

    def work() -> None:
        worker = replace(studio.worker, name=name)
        while not threads[0][1].wait(0.01):
            worker.run_next()

    def start() -> None:
        stop = threading.Event()
        threads.append((threading.Thread(target=work), stop))
        threads[0][0].start()

    yield start
    for thread, stop in threads:
        stop.set()
        thread.join(60)


@pytest.fixture
def nothing_here(monkeypatch):
    """A command that works on rows by itself fails."""

    def mine(worker, id) -> None:
        assert worker.name == "the worker"
        work(worker, id)

    work = Worker.run
    monkeypatch.setattr(Worker, "run", mine)


@pytest.mark.parametrize("name", ["inpaint", "rerun", "verify", "sheet", "replay"])
@pytest.mark.slow_but_first
def test_where_a_worker_is_there_it_paints_what_a_command_asks_for(
    run, studio, command, worker_there, nothing_here, name
):
    worker_there()

    run(*command[name], code=0)

    assert not is_anything_left(studio)


def test_a_command_says_that_the_queue_is_paused_while_it_waits_for_the_worker(
    run, studio, command, worker_there, monkeypatch
):
    studio.queue.pause()
    ask = type(studio.queue).is_paused

    def ask_once(queue) -> bool:
        is_paused = ask(queue)
        studio.queue.resume()
        worker_there()
        monkeypatch.setattr(type(studio.queue), "is_paused", ask)
        return is_paused

    monkeypatch.setattr(type(studio.queue), "is_paused", ask_once)

    assert "queue is paused" in run(*command["rerun"], code=0).stderr


def test_a_command_works_by_itself_as_soon_as_the_worker_gives_no_sign_of_life(
    run, studio, command, worker_there, clock, monkeypatch
):
    progress = type(studio.worker).clear_stale

    def die(worker) -> None:
        clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)
        progress(worker)

    monkeypatch.setattr(type(studio.worker), "clear_stale", die)

    run(*command["rerun"], code=0)

    assert not is_anything_left(studio)


def slowly(load):
    def load_slowly(*key, **how):
        time.sleep(0.3)
        return load(*key, **how)

    return load_slowly


def test_ctrl_c_also_cancels_what_another_process_paints(run, studio, command, clock, monkeypatch):
    add = type(studio.worker.repo).add

    def add_and_claim(repo, generations) -> None:
        add(repo, generations)
        repo.claim(generations[0].id, "another", clock())
        threading.Timer(0.3, signalled, [signal.SIGINT]).start()

    monkeypatch.setattr(type(studio.worker.repo), "add", add_and_claim)

    run(*command["rerun"], code=130)

    [running] = [g for g in studio.gallery.browse().generations if g.status is Status.RUNNING]
    assert running.cancel_requested_at is not None


def test_rows_of_processes_that_died_wait_again_when_a_command_begins(studio, settings, clock):
    [id] = studio.generations.submit(a_request())
    studio.worker.repo.claim(id, "one that dies", clock())

    # On the clock of this machine, that of the test is long ago.
    open_studio(settings)

    assert studio.gallery.get(id).status is Status.QUEUED


# Locked --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lock(settings):
    connection = sqlite3.connect(settings.data / "studio.db", isolation_level=None, check_same_thread=False)
    yield lambda: connection.execute("BEGIN IMMEDIATE")
    connection.close()


def test_under_a_lock_a_command_says_that_the_database_is_busy(run, files, lock):
    lock()

    result = run("inpaint", *files, code=1)

    assert "busy" in result.stderr
    assert "INSERT" not in result.output


@pytest.mark.slow_but_first
@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_under_a_lock_ends_the_command_and_tells_what_may_be_left(
    run, studio, command, inpainter, lock, monkeypatch, signals
):
    monkeypatch.setattr(running, "TAKE_BACK_S", 0.5)
    monkeypatch.setattr(running, "IN_HASTE_S", 0.2)
    # On a busy machine the worker is still at it by then, and the command ends without it.
    monkeypatch.setattr(os, "_exit", lambda code: None)
    patient = replace(studio, worker=replace(studio.worker, patience=Patience(60)))
    inpainter.after_step(1, lambda: (lock(), signalled(signal.SIGINT, signals)))

    result = run(*command["inpaint"], code=130, studio=patient)

    assert "queue list" in result.stderr


# Other ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
def test_a_command_that_works_on_no_rows_ends_at_once_by_a_signal(run, studio, monkeypatch, number):
    monkeypatch.setattr(type(studio.gallery), "browse", lambda *args: (signalled(number), time.sleep(20)))

    run("gallery", "list", code=128 + number)
