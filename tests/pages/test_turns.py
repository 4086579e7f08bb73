"""Runs of pages take turns, in the order in which they were asked for, and nothing that happens in one ends that."""

from __future__ import annotations

import threading
import time

import pytest
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

from pages.ui.shell.turns import Turns, runs_take_turns

PATIENT_S = 30.0


def waiting(turns: Turns, count: int) -> None:
    """Until so many wait."""
    ends = time.monotonic() + PATIENT_S
    while len(turns._waiting) < count and time.monotonic() < ends:
        time.sleep(0.001)
    assert len(turns._waiting) == count


@pytest.mark.parametrize("at_once", [1, 2])
def test_so_many_have_their_turn_at_a_time_in_the_order_in_which_they_asked(at_once):
    turns, came, most, all_ask = Turns(at_once, PATIENT_S), list[int](), list[int](), threading.Event()
    running = set[int]()

    def run(number: int) -> None:
        with turns.turn():
            came.append(number)
            running.add(number)
            most.append(len(running))
            all_ask.wait(PATIENT_S)
            running.discard(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        waiting(turns, max(0, number + 1 - at_once))
    all_ask.set()
    for thread in threads:
        thread.join()

    assert max(most) <= at_once
    assert sorted(came) == list(range(8))
    if at_once == 1:
        # Of two that are called one after the other the second may wake up first.
        assert came == list(range(8))


def test_who_asks_while_another_one_is_called_does_not_push_in():
    turns, came = Turns(1, PATIENT_S), []

    def run() -> None:
        with turns.turn():
            came.append("waited")

    thread = threading.Thread(target=run)
    with turns.turn():
        thread.start()
        waiting(turns, 1)
    with turns.turn():
        came.append("asked later")
    thread.join()

    assert came == ["waited", "asked later"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_run_that_is_stopped_gives_its_turn_back(error):
    turns = Turns(1, PATIENT_S)

    with pytest.raises(error), turns.turn():
        raise error

    began = time.monotonic()
    with turns.turn():
        pass
    assert time.monotonic() - began < PATIENT_S / 2


def test_who_has_waited_long_enough_goes_on_and_takes_nobodys_turn():
    turns = Turns(1, 0.01)

    with turns.turn(), turns.turn():
        pass

    assert (turns._free, list(turns._waiting)) == (1, [])


def test_streamlits_runs_take_turns_while_the_server_runs():
    by_itself = ScriptRunner._run_script

    with runs_take_turns():
        assert ScriptRunner._run_script is not by_itself

    assert ScriptRunner._run_script is by_itself
