"""A signal is not lost, wherever in a command it arrives."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IN_A_DESTRUCTOR = """
import signal, sys, time
from core.cli.exits import exit_codes
from core.interrupts import send_again_what_is_dropped

class Dropped:
    def __del__(self):
        signal.raise_signal(int(sys.argv[1]))
        time.sleep(0.001)

send_again_what_is_dropped()
with exit_codes():
    Dropped()
    Dropped()
    time.sleep(100)
    print("went on")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_arrives_in_a_destructor_ends_the_command_all_the_same(number):
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_DESTRUCTOR, str(int(number))], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    # typer.Exit, which only an application of typer turns into the exit code.
    assert "went on" not in ended.stdout
    assert "Exit" in ended.stderr, ended
    assert "Exception ignored" not in ended.stderr


def test_what_else_a_destructor_raises_is_told_as_ever():
    program = "from core.interrupts import send_again_what_is_dropped as s\ns()\n" + (
        "class D:\n    def __del__(self): raise ValueError('told')\nD()"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert "ValueError: told" in ended.stderr
