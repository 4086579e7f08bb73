"""Signals, locks, full disks and deaths of other processes, each as a process meets them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import a_mask, a_picture

resource = pytest.importorskip("resource", reason="signals and limits of Unix")

ROOT = Path(__file__).parents[2]
CORE = ["-m", "core"]
SLOWLY = [str(Path(__file__).with_name("painting_slowly.py"))]
STARTS_WITHIN_S = 300
ENDS_WITHIN_S = 30


class Place:
    """A data folder with a picture and a mask, and the processes that work on it."""

    def __init__(self, folder: Path) -> None:
        self.photo, self.mask, self.data = folder / "photo.png", folder / "mask.png", folder / "data"
        self.environment = {n: v for n, v in os.environ.items() if not n.startswith(("INPAINT_STUDIO_", "PAINTING_"))}
        self.environment["INPAINT_STUDIO_DATA"] = str(self.data)
        a_picture().save(self.photo)
        a_mask().to_image().save(self.mask)

    def start(self, *words: object, program: list[str] = SLOWLY, **more: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *program, *map(str, words)],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def run(self, *words: object, program: list[str] = SLOWLY) -> str:
        process = self.start(*words, program=program)
        try:
            out, err = process.communicate(timeout=STARTS_WITHIN_S)
        finally:
            process.kill()
        assert process.returncode == 0, err
        return out

    def ask(self, sql: str) -> list[tuple]:
        file = self.data / "studio.db"
        if not file.exists():
            return []
        with closing(sqlite3.connect(file)) as database:
            try:
                return database.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []

    def statuses(self) -> list[str]:
        both = "SELECT status FROM generations UNION ALL SELECT status FROM verifications"
        return [status for (status,) in self.ask(both)]

    def until(self, is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        until = time.monotonic() + STARTS_WITHIN_S
        while not is_so():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)

    def until_running(self, process: subprocess.Popen[str]) -> None:
        self.until(lambda: "running" in self.statuses(), process)

    def until_painting(self, process: subprocess.Popen[str]) -> None:
        self.until(lambda: self.ask("SELECT 1 FROM progress WHERE step > 0") != [], process)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def ended(process: subprocess.Popen[str], *numbers: int, pause_s: float = 0.3) -> tuple[int, str, float]:
    """Send it these signals. Its exit code, its standard error, and the seconds that it took."""
    started = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(pause_s)
    try:
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    finally:
        process.kill()
    assert "Traceback" not in err
    assert "terminate called" not in err
    return process.returncode, err, time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "step_s", "load_s"),
    [
        pytest.param(signal.SIGINT, 0.2, 0, id="Ctrl+C between steps"),
        pytest.param(signal.SIGTERM, 0.2, 0, id="SIGTERM between steps"),
        pytest.param(signal.SIGINT, 0, 600, id="Ctrl+C while loading"),
    ],
)
def test_a_signal_ends_a_process_within_seconds_and_its_rows_too(place, number, step_s, load_s):
    place.environment |= {"PAINTING_STEP_S": str(step_s), "PAINTING_LOAD_S": str(load_s)}
    process = place.start("inpaint", place.photo, place.mask, "--count", 3, "--steps", 150)
    place.until_running(process)

    code, _, took_s = ended(process, number)

    assert code == 128 + number
    assert place.statuses() == ["cancelled"] * 3
    assert took_s < ENDS_WITHIN_S / 2


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_wait(place):
    place.environment["PAINTING_LOAD_S"] = "600"
    process = place.start("inpaint", place.photo, place.mask)
    place.until_running(process)

    code, _, took_s = ended(process, signal.SIGINT, signal.SIGINT)

    assert (code, place.statuses()) == (130, ["cancelled"])
    assert took_s < 4


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.3, 1, 2, 4, 8])
def test_ctrl_c_at_any_moment_from_the_start_leaves_no_row_behind(place, after_s):
    """While Python's libraries are imported, torch among them, and while the model is loaded."""
    process = place.start("inpaint", place.photo, place.mask, "--count", 3, "--steps", 150, program=CORE)
    time.sleep(after_s)

    code, _, _ = ended(process, signal.SIGINT)

    # Before Python has begun to read the program, a signal ends it as it ends any process.
    assert code in (130, -signal.SIGINT)
    assert set(place.statuses()) <= {"cancelled"}


@pytest.mark.slow
def test_a_command_in_the_background_that_is_to_ignore_ctrl_c_goes_on(place):
    place.environment["PAINTING_LOAD_S"] = "1"
    process = place.start(
        "inpaint", place.photo, place.mask, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    place.until_running(process)

    assert ended(process, signal.SIGINT)[0] == 0
    assert place.statuses() == ["succeeded"]


@pytest.mark.slow
def test_a_pipe_that_is_closed_leaves_no_row_behind(place):
    process = place.start("inpaint", place.photo, place.mask, "--count", 5, "--json")
    process.stdout.readline()
    process.stdout.close()

    process.wait(ENDS_WITHIN_S)

    assert set(place.statuses()) <= {"succeeded", "cancelled"}


# Locks, full disks, other processes ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_lock_that_is_longer_than_anybody_waits_costs_no_picture(place):
    place.environment |= {"PAINTING_STEP_S": "0.3"}
    place.environment["INPAINT_STUDIO_DATABASE_URL"] = f"sqlite:///{place.data / 'studio.db'}?timeout=1"
    process = place.start("inpaint", place.photo, place.mask, "--steps", 4)
    place.until_painting(process)
    with closing(sqlite3.connect(place.data / "studio.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(8)

    code, err, _ = ended(process)

    assert (code, place.statuses()) == (0, ["succeeded"]), err
    assert place.ask("SELECT environment_id IS NOT NULL FROM generations") == [(1,)]


@pytest.mark.slow
def test_on_a_full_disk_a_command_ends_with_a_sentence(place):
    """As much as a file may be large is as much as there is room."""
    place.run("inpaint", place.photo, place.mask)
    size = (place.data / "studio.db").stat().st_size
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(noise).save(place.photo)
    a_mask(700, 700).to_image().save(place.mask)

    process = place.start(
        "inpaint",
        place.photo,
        place.mask,
        "--count",
        3,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    out, err = process.communicate(timeout=180)

    assert process.returncode == 1, (out, err)
    assert "Traceback" not in err
    assert err.strip()
    place.run("gallery", "list")
    assert "queued" not in place.statuses()


@pytest.mark.slow
def test_the_row_of_a_process_that_was_killed_waits_again_with_a_later_command(place):
    place.environment["PAINTING_STEP_S"] = "0.2"
    first = place.start("inpaint", place.photo, place.mask, "--steps", 150)
    place.until_painting(first)
    first.kill()
    first.wait(60)

    # At once the row still looks alive; a command that begins later finds that it is not.
    until = time.monotonic() + 60
    while place.statuses() == ["running"] and time.monotonic() < until:
        time.sleep(2)
        place.run("gallery", "list")

    assert place.statuses() == ["queued"]


# The real model ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def painted(tmp_path_factory) -> tuple[Place, str]:
    """A place with a picture that the pocket model has made, and its id."""
    place = Place(tmp_path_factory.mktemp("painted"))
    out = place.run("inpaint", place.photo, place.mask, "--steps", 40, "--size", 256, program=CORE)
    return place, out.split()[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("inpaint", signal.SIGINT),
        ("inpaint", signal.SIGTERM),
        ("sheet", signal.SIGINT),
        ("verify", signal.SIGTERM),
        ("replay", signal.SIGINT),
    ],
)
def test_no_thread_of_torch_aborts_a_process_that_is_ended(painted, tmp_path, command, number):
    place, id = painted
    words = {
        "inpaint": ["inpaint", place.photo, place.mask, "--steps", 150, "--size", 512],
        "sheet": ["sheet", id, "--columns", "seed=1-3", "--output", tmp_path / "sheet.png"],
        "verify": ["verify", id],
        "replay": ["replay", id],
    }[command]
    before = len(place.statuses())
    process = place.start(*words, program=CORE)
    place.until_running(process)
    if command != "verify":
        place.until_painting(process)

    code, _, took_s = ended(process, number)

    assert code == 128 + number
    assert len(place.statuses()) > before
    assert set(place.statuses()) == {"succeeded", "cancelled"}
    assert took_s < ENDS_WITHIN_S / 2
