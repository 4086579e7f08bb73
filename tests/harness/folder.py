"""Several processes work on one folder at once: nothing is lost, nothing is painted twice, nothing raises.

First by chance: all open the same folder at the same moment, in turn an empty one and one that holds old things. Each
submits, paints, trashes, deletes for good, empties the trash, sweeps drafts, checks and repairs, imports, and makes and
drops the same tag, with random pauses around each call of the store and of the database, until so many rows have been
submitted as --count says. Then by plan: one process is held before or after its nth such call, and another one does
its whole action there; as many times again.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.harness import interleaving
from tests.harness.actions import TOGETHER, Artist, drawn
from tests.harness.common import Child, Say, Tally, chances, in_child, keep, main, work_folder
from tests.harness.laws import all_in, checked, each
from tests.harness.points import around_calls
from tests.harness.studio import Clock, a_template, drain, grow_old, open_studio

MOST_ACTIONS = 40
ROUND_S = 120.0
PAUSES, LONGEST_PAUSE_S = 0.1, 0.03

MEANWHILE = (
    "trash_and_delete",
    "be_rid_of",
    "delete",
    "empty_trash",
    "free",
    "collect",
    "check",
    "draft",
    "submit",
    "import_bundle",
    "tag",
    "untag",
)
NO_ANSWER = ("DatabaseConflict", "DatabaseUnusable", "StorageFull", "StoredImageMissing", "StoredImageDamaged")
"""Refusals that say nothing of what the artist did."""


def run(tally: Tally, options: argparse.Namespace) -> None:
    with work_folder("folder") as work:
        template = work / "bundle.zip"
        in_child(lambda say: template.write_bytes(a_template(work / "template")))
        first = work / "first"
        before = in_child(partial(stock, folder=first, template=template))
        number = 0
        while tally.facts["rows"] < options.count:
            folder = work / f"round-{number}"
            name = f"round {number}"
            if number % 2:
                shutil.copytree(first, folder)
            children = [
                Child(
                    partial(
                        _work,
                        folder=folder,
                        template=template,
                        actions=min(MOST_ACTIONS, options.count),
                        who=(options.seed, number, n),
                    )
                )
                for n in range(options.processes)
            ]
            for child in children:
                child.end(ROUND_S)
            said = [*(before if number % 2 else ()), *(line for child in children for line in child.said)]
            _tell(tally, name, said)
            if checked(tally, name, folder, said):
                keep(options, folder, f"folder-{options.seed}-{number}")
            number += 1
        tally.facts["rounds"] = number
        tally.facts["processes"] = options.processes
        _by_plan(tally, options, template, first, before)


def _by_plan(
    tally: Tally, options: argparse.Namespace, template: Path, first: Path, before: list[dict[str, Any]]
) -> None:
    """first: a folder to begin with. before: what was said when it was made."""
    folder = first.with_name("plan")
    for number in range(options.count):
        chance = chances("plan", options.seed, number)
        action, other = chance.choice(interleaving.ACTIONS), chance.choice(MEANWHILE)
        nth = chance.randint(1, interleaving.calls_of(action, first, folder, template))
        name = f"{action} held at its call {nth}, meanwhile {other}"
        shutil.copytree(first, folder)
        meanwhile = interleaving.in_another_process(other, template)
        child = Child(
            partial(interleaving.held, folder=folder, template=template, action=action, nth=nth, meanwhile=meanwhile)
        )
        child.end(ROUND_S)
        tally.facts["interleaved"] += len(each(child.said, "held"))
        said = [*before, *child.said]
        _tell(tally, name, said)
        if checked(tally, name, folder, said):
            keep(options, folder, f"plan-{action}-{nth}-{other}")
        shutil.rmtree(folder)


def stock(say: Say, folder: Path, template: Path) -> None:
    """Of last week: results, some in the trash, and drafts that let files go."""
    clock = Clock(timedelta(days=-7))
    studio = open_studio(folder, say, clock=clock)
    artist = Artist(studio, chances("stock"), say, folder, template.read_bytes(), clock)
    for action in ("submit", "sheet", "import_bundle", "draft"):
        artist.do(action)
    drain(studio)
    artist.do("trash")
    grow_old(folder)


def _work(say: Say, folder: Path, template: Path, actions: int, who: tuple[int, ...]) -> None:
    chance, pauses = chances("folder", *who), chances("pauses", *who)
    around_calls(lambda: time.sleep(pauses.uniform(0, LONGEST_PAUSE_S)) if pauses.random() < PAUSES else None)
    artist = Artist(open_studio(folder, say), chance, say, folder, template.read_bytes())
    for action in ["submit", "paint", "import_bundle", *drawn(chance, TOGETHER, actions)]:
        artist.do(action)
        say(did=action)


def _tell(tally: Tally, name: str, said: list[dict]) -> None:
    tally.tried += len(each(said, "did"))
    tally.facts["rows"] += len(all_in(said, "submitted"))
    for told in (*each(said, "traceback"), *each(said, "logged")):
        tally.fail(f"traceback in {told.partition(':')[0]}", f"{name}: {told}", is_traceback=True)
    for told in each(said, "hung"):
        tally.fail("hung", f"{name}: {told} s")
    for told in each(said, "refused"):
        action, code = told.split(": ")[:2]
        tally.facts[f"refused: {action} {code}"] += 1
        if code in NO_ANSWER:
            tally.fail(f"{action} refused by {code}", f"{name}: {told}")
    rows = Counter(all_in(said, "seeds"))
    for seed, times in Counter(each(said, "paints")).items():
        if times > rows[seed]:
            tally.fail("painted twice", f"{name}: seed {seed} {times} times for {rows[seed]} rows")


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--processes", type=int, default=4, help="how many at once (default 4)")


def start(arguments: list[str] | None = None) -> int:
    return main("folder", run, count=200, about=__doc__, more=_more, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
