"""A test that hangs or crashes costs itself only, and leaves no process behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
CONFTEST = """
from tests import limits

limits.LIMIT_S = 2
pytest_plugins = ["tests.limits"]


def pytest_xdist_make_scheduler(config, log):
    return limits.OnceEach(config, log)
"""
TESTS = """
import os, subprocess, sys, threading, time
from pathlib import Path

import pytest

PROGRAM = "import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
CHILD = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"


@pytest.fixture
def never():
    threading.Event().wait()


def test_waits_for_a_thread():
    thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
    thread.start()
    thread.join()


def test_waits_for_the_child_of_a_process():
    subprocess.run([sys.executable, "-c", PROGRAM.format(child=CHILD)])


def test_waits_for_what_it_needs(never):
    pass


def test_takes_the_process_with_it():
    os._exit(9)


def test_after_all_of_them():
    pass
"""


@pytest.mark.slow
def test_what_hangs_or_crashes_fails_by_name_and_all_others_are_run(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in ("first", "second"):
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -rA -n 2 --dist loadfile")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    run = subprocess.run(
        [sys.executable, "-m", "pytest"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )

    told = run.stdout
    for name in ("first", "second"):
        for test in ("waits_for_a_thread", "waits_for_the_child_of_a_process"):
            assert f"FAILED test_{name}.py::test_{test} - Failed: test_{test} has not ended within 2 s" in told
        assert f"ERROR test_{name}.py::test_waits_for_what_it_needs - Failed: What test_waits" in told
        assert len(re.findall(rf"FAILED test_{name}.py::test_takes_the_process_with_it - worker", told)) == 1, told
        assert f"PASSED test_{name}.py::test_after_all_of_them" in told
    assert re.search(r"6 failed, 2 passed,( \d+ warnings,)? 2 errors", told), told
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
