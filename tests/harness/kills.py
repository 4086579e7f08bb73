"""A process is killed while it works; another one opens the folder, and everything acknowledged is there.

Killed at named points (the nth fsync, rename, removal, SQL statement, commit, call of the store or of a repository)
by one thread, so that a seed kills at the same point again; and at random times, with a worker's thread beside.
"""

from __future__ import annotations

import argparse
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from core.dispatch.threads import ThreadDispatcher
from tests.harness.actions import ALONE, Artist, drawn
from tests.harness.common import Child, Say, Tally, chances, in_child, keep, main, work_folder
from tests.harness.laws import checked, clock_after
from tests.harness.points import KINDS, Points
from tests.harness.studio import Clock, a_template, open_studio

ACTIONS_EACH = 14
KILLS_A_FOLDER = 5
STOCKED = 0.8
"""The part of the folders that hold something already; in the others the first thing is that they are made."""
AT_RANDOM = 0.3
"""The part of the kills that happen at any time rather than at a named point."""


def run(tally: Tally, options: argparse.Namespace) -> None:
    with work_folder("kills") as work:
        template, first = work / "bundle.zip", work / "first"
        in_child(lambda say: template.write_bytes(a_template(work / "template")))
        in_child(lambda say: _stock(first, template))
        spent = _calibrated(work, first, template, options.seed)
        folder, before, number = None, [], 0
        while tally.tried < options.count and number < 4 * options.count:
            if number % KILLS_A_FOLDER == 0:
                if folder is not None:
                    shutil.rmtree(folder)
                folder, before = work / f"folder-{number}", []
                if chances("folder", options.seed, number).random() < STOCKED:
                    shutil.copytree(first, folder)
            before += _kill(tally, options.seed, number, folder, template, spent, before)
            last = number % KILLS_A_FOLDER == KILLS_A_FOLDER - 1
            if checked(tally, f"kill {number}", folder, before, last=last):
                keep(options, folder, f"kills-{options.seed}-{number}")
            number += 1


def _kill(
    tally: Tally, seed: int, number: int, folder: Path, template: Path, spent: dict, before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What one child said until it was killed. before: what was said in this folder until then."""
    life = (folder, template, f"{seed}-{number}", clock_after(before))
    chance = chances("kill", seed, number)
    if chance.random() < AT_RANDOM:
        child = Child(lambda say: _work(say, *life, beside=True))
        child.until(chance.uniform(0.05, 1.0) * spent["seconds"])
        child.kill()
        what = "at a random time"
    else:
        [kind] = chance.choices(list(KINDS), [often * (spent[kind] > 0) for kind, often in KINDS.items()])
        points = Points(kind, chance.randint(1, spent[kind]))
        child = Child(lambda say: _work(say, *life, points))
        what = f"at {kind}"
    code = child.end()
    if code == -9 and not child.heard("hung"):
        tally.tried += 1
        tally.facts[f"killed {what}"] += 1
    for told in (*child.heard("traceback"), *child.heard("logged")):
        tally.fail("traceback while working", told, is_traceback=True)
    for told in child.heard("hung"):
        tally.fail("hung while working", f"{told} s, {what}")
    tally.facts["submitted"] += sum(map(len, child.heard("submitted")))
    tally.facts["refusals"] += len(child.heard("refused"))
    return child.said


def _work(
    say: Say,
    folder: Path,
    template: Path,
    seed: str,
    clock: Clock,
    points: Points | None = None,
    *,
    beside: bool = False,
) -> None:
    """The life of one child. beside: a worker's thread paints, and two others do all the rest."""
    if points is not None:
        points.watch()
    data = template.read_bytes()
    dispatcher = {"dispatcher": lambda worker: ThreadDispatcher(worker.run_next)} if beside else {}
    studio = open_studio(folder, say, clock=clock, **dispatcher)

    def work(name: str) -> None:
        chance = chances("actions", seed, name)
        # Days pass for all threads at once: an action that has just stored a file would see it three days old.
        artist = Artist(studio, chance, say, folder, data, None if beside else clock)
        for action in drawn(chance, {**ALONE, "paint": 0} if beside else ALONE, ACTIONS_EACH):
            artist.do(action)

    threads = [threading.Thread(target=work, args=[f"{n}"]) for n in range(2)] if beside else []
    for thread in threads:
        thread.start()
    if not beside:
        work("alone")
    for thread in threads:
        thread.join()
    if points is not None:
        say(passed=points.passed)


def _stock(folder: Path, template: Path) -> None:
    """What lies in the folder before: a few rows, of which some are in the trash."""
    studio = open_studio(folder)
    chance = chances("stock")
    artist = Artist(studio, chance, lambda **words: None, folder, template.read_bytes(), Clock())
    for action in ("submit", "submit", "paint", "paint", "rerun", "paint", "sheet", "paint", "paint", "trash", "draft"):
        artist.do(action)


def _calibrated(work: Path, first: Path, template: Path, seed: int) -> dict[str, float]:
    """How often each point is passed, and how long it takes, in a life that nobody ends early."""
    folder = work / "calibration"
    shutil.copytree(first, folder)
    began = time.monotonic()
    child = Child(lambda say: _work(say, folder, template, f"calibration-{seed}", Clock(), Points()))
    child.end()
    [passed] = child.heard("passed") or [{}]
    if not passed:
        raise SystemExit(f"the actions do not come to their end: {child.said[-1:]}")
    return {kind: passed.get(kind, 0) for kind in KINDS} | {"seconds": time.monotonic() - began}


def start(arguments: list[str] | None = None) -> int:
    return main("kills", run, count=300, about=__doc__, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
