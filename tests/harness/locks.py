"""Another process holds the database's write lock, from any moment of an action, around the time that SQLite waits.

No picture is lost and none is painted twice, a painted one ends as succeeded, and whatever cannot be done is told in
words. The time that SQLite waits is shortened, so that a lock of three times as long takes seconds.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path

from core.dispatch.threads import ThreadDispatcher
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Status
from db import connection
from tests.harness import interleaving
from tests.harness.common import Child, Say, Tally, chances, in_child, keep, main, work_folder
from tests.harness.folder import stock
from tests.harness.interleaving import Meanwhile
from tests.harness.laws import checked, each
from tests.harness.points import around_calls
from tests.harness.studio import a_template, open_studio

SPANS = ((0.2, 0.9), (1.1, 2.0), (3.0, 5.0))
"""From, to: in times of what SQLite waits."""

HOLD = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""

PAINTED_WITHIN_S = 40.0
SUCCEEDED = GalleryFilter(statuses=(Status.SUCCEEDED,))
OTHERS = ("submit", "rerun", "import_bundle", "sheet", "draft", "tag", "trash", "delete", "presets", "verify")


def run(tally: Tally, options: argparse.Namespace) -> None:
    connection.BUSY_TIMEOUT_S = options.waits_ms / 1000
    with work_folder("locks") as work:
        template, first, folder = work / "bundle.zip", work / "first", work / "folder"
        in_child(lambda say: template.write_bytes(a_template(work / "template")))
        before = in_child(partial(stock, folder=first, template=template))
        number = 0
        while tally.tried < options.count and number < 3 * options.count:
            chance = chances("locks", options.seed, number)
            action = "painting" if chance.random() < 0.6 else chance.choice(OTHERS)
            calls = _calls_of_painting(first, folder) if action == "painting" else 0
            nth = chance.randint(1, calls or interleaving.calls_of(action, first, folder, template))
            span_s = chance.uniform(*chance.choice(SPANS)) * options.waits_ms / 1000
            name = f"{action} locked for {span_s:.1f} s at its call {nth}"
            shutil.copytree(first, folder)
            locked = partial(_locked, span_s=span_s)
            child = Child(
                partial(_painting, folder=folder, nth=nth, meanwhile=locked)
                if action == "painting"
                else partial(
                    interleaving.held, folder=folder, template=template, action=action, nth=nth, meanwhile=locked
                )
            )
            child.end(PAINTED_WITHIN_S * 2)
            in_child(partial(_until_free, folder=folder))
            tally.tried += bool(each(child.said, "locked"))
            tally.facts[f"locked while {action}"] += bool(each(child.said, "locked"))
            _tell(tally, name, child.said)
            if checked(tally, name, folder, [*before, *child.said]):
                keep(options, folder, f"locks-{options.seed}-{number}")
            shutil.rmtree(folder)
            number += 1


def _painting(say: Say, folder: Path, nth: int, meanwhile: Meanwhile) -> None:
    """A re-run is submitted, and painted by a worker's thread whose nth call finds the database locked."""
    studio = open_studio(folder, say, dispatcher=lambda worker: ThreadDispatcher(worker.run_next))
    time.sleep(0.2)  # the thread's first look, at an empty queue
    calls = 0

    def pass_by() -> None:
        nonlocal calls
        if threading.current_thread() is not threading.main_thread():
            calls += 1
            if calls == nth:
                meanwhile(say, folder)

    around_calls(pass_by)
    [original] = chances("held").sample(studio.gallery.browse(SUCCEEDED).generations, 1)
    id = studio.generations.rerun(original.id)
    say(submitted=[id], seeds=[original.params.seed])
    ends = time.monotonic() + PAINTED_WITHIN_S
    while time.monotonic() < ends and not studio.generations.repo.status(id).is_final:
        time.sleep(0.05)
    row = studio.gallery.get(id)
    say(ended=str(row.status), error=row.error, calls=calls)


@cache
def _calls_of_painting(first: Path, folder: Path) -> int:
    shutil.copytree(first, folder)
    said = in_child(partial(_painting, folder=folder, nth=0, meanwhile=lambda *_: None))
    shutil.rmtree(folder)
    return next(line["calls"] for line in said if "calls" in line)


def _locked(say: Say, folder: Path, span_s: float) -> None:
    """On return another process holds the lock, and keeps it for so long.

    A program of its own, not a fork: a thread of ours may be within SQLite just now, and hold a lock of the library
    that nobody in a forked process would ever release.
    """
    command = [sys.executable, "-S", "-c", HOLD, str(folder / "studio.db"), str(span_s)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    if not holder.stdout.readline():
        raise SystemExit("nothing could hold the lock")
    say(locked=span_s)


def _until_free(say: Say, folder: Path) -> None:
    """What was done may have ended before the lock."""
    with closing(sqlite3.connect(folder / "studio.db", timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")


def _tell(tally: Tally, name: str, said: Sequence[dict]) -> None:
    for told in each(said, "traceback"):
        tally.fail("traceback", f"{name}: {told}", is_traceback=True)
    for told in each(said, "hung"):
        tally.fail("hung", f"{name}: {told} s")
    tally.facts["refused in words"] += len(each(said, "refused"))
    for line in said:
        if "ended" in line and line["ended"] != Status.SUCCEEDED:
            tally.fail("a picture is lost", f"{name}: {line['ended']}: {line['error']}", lost=True)
    if (times := len(each(said, "paints"))) > 1:
        tally.fail("painted twice", f"{name}: {times} times")


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--waits-ms", type=int, default=500, help="how long SQLite waits for a lock (default 500)")


def start(arguments: list[str] | None = None) -> int:
    return main("locks", run, count=20, about=__doc__, more=_more, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
