"""The harnesses with small counts, each as the command that it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
"""A folder whose fsync costs nothing: a killed process does not lose what the kernel has."""

TEN_MINUTES = pytest.mark.skipif(not os.environ.get("INPAINT_STUDIO_SOAK"), reason="ten minutes: INPAINT_STUDIO_SOAK=1")


def found(harness: str, count: int, *arguments: str) -> dict:
    env = {**os.environ, "TMPDIR": str(MEMORY)} if os.access(MEMORY, os.W_OK) else None
    command = [sys.executable, "-m", f"tests.harness.{harness}", "--json", "--count", str(count), *arguments]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"told": done.stderr}


@pytest.mark.slow
@pytest.mark.parametrize("count", [60])
def test_a_killed_process_loses_nothing_that_was_acknowledged(count):
    line = found("kills", count, "--seed", "1")

    assert line["tried"] == count
    assert line["failed"] == 0, line


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_several_processes_on_one_folder_lose_nothing_and_paint_nothing_twice(count):
    line = found("folder", count, "--seed", "3")

    assert line["rows"] >= count
    assert line["interleaved"] > 0
    assert line["failed"] == 0, line


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_a_locked_database_costs_no_picture(count):
    line = found("locks", count, "--seed", "1", "--waits-ms", "200")

    assert line["tried"] == count
    assert line["failed"] == 0, line


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_on_a_full_or_read_only_disk_the_gallery_opens_and_nothing_is_half_written(count):
    line = found("disk", count)

    assert line["tried"] == count
    assert line["failed"] == 0, line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "kinds"),
    [
        (60, ["pictures", "metadata", "masks", "bundles", "presets", "messages", "models", "commands", "settings"]),
        pytest.param(600, ["pictures", "metadata", "bundles", "commands", "models", "loading"], marks=pytest.mark.slow),
    ],
)
def test_what_strangers_send_is_a_value_or_a_sentence(count, kinds):
    line = found("hostile", count, "--kinds", *kinds)

    assert line["tried"] >= count - len(kinds)
    assert line["failed"] == 0, line


@pytest.mark.slow
def test_every_page_comes_and_every_generation_is_painted_while_sessions_browse():
    line = found("load", 20, "--sessions", "2", "--seconds", "5", "--pause", "1")

    assert line["tried"] >= 2
    assert line["failed"] == 0, line
    assert line["painted"] == line["submitted"] > 0
    assert 0 < line["page_p50_s"] <= line["page_p95_s"]
    assert line["dashboard_mb"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [45, pytest.param(600, marks=TEN_MINUTES)])
def test_memory_does_not_grow_while_pictures_are_painted_and_sessions_browse(seconds):
    line = found("load", 2_000, "--sessions", "4", "--seconds", str(seconds), "--alone", "5", "--pause", "1")

    assert line["failed"] == 0, line
    assert line["painted"] == line["submitted"] > 0
    assert line["dashboard_growth_mb"] < 20, line
    assert line["worker_growth_mb"] < 20, line


@pytest.mark.slow
def test_dashboard_and_worker_paint_within_690_mb_and_the_dashboard_needs_250_after_any_use():
    line = found("small", 3, "--sessions", "3")

    assert (line["painted"], line["failed"], line["workers"]) == (3, 0, 1), line
    assert line["own_mb"] < 690, line
    assert not line["killed"], line
    assert line["dashboard_mb"] <= 250, line
    assert line["dashboard_after_mb"] <= 250, line
