"""A worker's process is started where none is running, watched, and started again. Here it only holds the lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.dispatch.lock import LOCK, is_held
from core.dispatch.process import NICENESS, Supervisor, pause_after
from core.domain.worker import REPLACE

pytest.importorskip("fcntl", reason="signals and locks of Unix")

ROOT = Path(__file__).parents[2]
HOLDING = """
import fcntl, os, sys
folder, then = sys.argv[1:]
with open(folder + "/started", "a") as started: started.write(f"{os.getpid()}\\n")
lock = open(folder + "/worker.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
with open(folder + "/working", "a") as working: working.write(f"{os.getpid()}\\n")
"""
UNTIL_END_OF_INPUT, FOR_EVER = "sys.stdin.read()", "import time; time.sleep(600)"


class Folder:
    """A data folder, and the supervisors of as many programs as are asked for."""

    def __init__(self, path: Path) -> None:
        self.path, self.deaths = path, []
        self.supervisors: list[Supervisor] = []

    def command(self, then: str) -> list[str]:
        return [sys.executable, "-S", "-c", HOLDING + "exec(then)", str(self.path), then]

    def supervise(self, then: str = UNTIL_END_OF_INPUT, **options) -> Supervisor:
        options = {"command": self.command(then), "on_death": self.note, **options}
        self.supervisors.append(Supervisor(self.path, **options))
        return self.supervisors[-1]

    def note(self, pid: int, code: int) -> None:
        self.deaths.append((pid, code, len(self.pids("started"))))

    def pids(self, name: str = "working") -> list[int]:
        """Of all that were started, or that have come so far as to hold the lock, in this order."""
        with suppress(FileNotFoundError):
            return [int(line) for line in (self.path / name).read_text().split()]
        return []

    def until_working(self, count: int) -> list[int]:
        until(lambda: len(self.pids()) >= count)
        return self.pids()


def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for is dead too.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc/self/status").exists() else True


@pytest.fixture
def folder(tmp_path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    for supervisor in folder.supervisors:
        supervisor.stop(0.1)
    assert not [pid for pid in folder.pids("started") if lives(pid)]


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr("core.dispatch.process.LOOK_EVERY_S", 0.02)


def test_a_worker_gives_way_to_the_pages_on_processors_that_both_want(folder):
    folder.supervise()
    [worker] = folder.until_working(1)

    assert os.getpriority(os.PRIO_PROCESS, worker) == min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
    autogroup = Path(f"/proc/{worker}/autogroup")
    if autogroup.exists():
        assert autogroup.read_text().split()[-1] == str(NICENESS)


def test_a_worker_is_started_where_none_is_running_and_ends_with_its_supervisor(folder):
    supervisor = folder.supervise()
    [pid] = folder.until_working(1)
    assert supervisor.pid == pid
    assert is_held(folder.path)

    supervisor.stop()

    assert not lives(pid)
    assert supervisor.pid is None
    assert folder.deaths == []


def test_one_that_is_killed_is_told_and_then_replaced_at_once(folder):
    folder.supervise()
    [first] = folder.until_working(1)

    os.kill(first, signal.SIGKILL)
    _, second = folder.until_working(2)

    assert folder.deaths == [(first, -signal.SIGKILL, 1)]
    assert lives(second)


def test_two_programs_share_one_and_the_second_starts_its_own_when_the_first_has_ended(folder, quick):
    first, second = folder.supervise(), None
    [pid] = folder.until_working(1)
    second = folder.supervise()
    time.sleep(0.2)
    assert (folder.pids("started"), second.pid) == ([pid], None)

    first.stop()

    assert folder.until_working(2) == [pid, second.pid]


def test_of_many_programs_that_begin_at_the_same_time_one_has_a_worker(folder, quick):
    for _ in range(5):
        folder.supervise()

    [pid, *_] = folder.until_working(1)
    until(lambda: [supervisor.pid for supervisor in folder.supervisors if supervisor.pid] == [pid])
    assert folder.pids() == [pid]


def test_what_keeps_dying_young_is_started_with_growing_pauses(folder):
    assert [pause_after(deaths) for deaths in range(10)] == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    folder.supervise("sys.exit(3)")

    until(lambda: len(folder.deaths) >= 2)
    time.sleep(0.3)

    assert [code for _, code, _ in folder.deaths] == [3, 3]


@pytest.mark.parametrize("options", [{"then": f"sys.exit({REPLACE})"}, {"then": "sys.exit(3)", "old_s": 0}])
def test_there_is_no_pause_after_one_that_asks_to_be_replaced_or_lived_long(folder, options):
    folder.supervise(**options)

    started = time.monotonic()
    until(lambda: len(folder.deaths) >= 8)

    assert time.monotonic() - started < sum(map(pause_after, range(8))) / 2


def test_one_that_does_not_end_is_killed(folder):
    supervisor = folder.supervise(FOR_EVER)
    [pid] = folder.until_working(1)

    supervisor.stop(0.1)

    assert not lives(pid)


def test_what_goes_wrong_while_a_death_is_told_does_not_end_the_watch(folder):
    folder.supervise(on_death=lambda pid, code: 1 / 0)
    [first] = folder.until_working(1)

    os.kill(first, signal.SIGKILL)

    folder.until_working(2)


def test_where_no_process_can_be_started_it_is_tried_again_until_it_is_stopped(folder, monkeypatch, caplog):
    monkeypatch.setattr("core.dispatch.process.LONGEST_PAUSE_S", 0.01)
    supervisor = folder.supervise(command=[str(folder.path / "missing")])

    until(lambda: len(caplog.messages) > 3)
    supervisor.stop()

    assert set(caplog.messages) == {caplog.messages[0]}
    assert "no worker can be started" in caplog.messages[0]


def test_a_program_that_is_killed_leaves_no_worker_behind(folder):
    code = (
        "import sys, time; from pathlib import Path; from core.dispatch.process import Supervisor\n"
        "Supervisor(Path(sys.argv[1]), print, command=sys.argv[2:]); time.sleep(600)"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path), *folder.command(UNTIL_END_OF_INPUT)], cwd=ROOT
    )
    [pid] = folder.until_working(1)

    program.kill()
    program.wait(60)

    until(lambda: not lives(pid))


def test_a_worker_finds_this_program_from_any_folder_and_runs_in_that_folder(folder, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("PYTHONPATH", "another")
    say = "import core; open('said', 'w').write(core.__file__ + ' ' + os.environ['PYTHONPATH'])"
    folder.supervise(f"{say}; {UNTIL_END_OF_INPUT}")

    until(lambda: (elsewhere / "said").exists() and (elsewhere / "said").read_text())

    assert (elsewhere / "said").read_text() == f"{ROOT / 'core' / '__init__.py'} {ROOT}{os.pathsep}another"


def test_a_lock_that_nobody_holds_is_free_also_in_a_folder_that_is_not_there(tmp_path):
    assert not is_held(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    (tmp_path / LOCK).touch()
    assert not is_held(tmp_path)
