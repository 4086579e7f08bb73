"""A process is killed while it works; another one opens the folder, and everything acknowledged is there.

Killed at named points (the nth fsync, rename, removal, SQL statement, commit, call of the store or of a repository)
by one thread, so that a seed kills at the same point again; and at random times, with a worker's thread beside.
"""

from __future__ import annotations

import argparse
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from core.bootstrap import Studio
from core.dispatch.threads import ThreadDispatcher
from core.domain.generation import Generation, Status
from tests.harness import studio as made
from tests.harness.common import Child, Say, Tally, chances, keep, main, work_folder
from tests.harness.deeds import ALONE, Artist, drawn
from tests.harness.points import KINDS, Points
from tests.harness.studio import Broken, Clock, drain, everything, grow_old, leftovers, open_studio

DEEDS_EACH = 14
KILLS_A_FOLDER = 5
AT_RANDOM = 0.3
"""The part of the kills that happen at any time rather than at a named point."""


def run(tally: Tally, options: argparse.Namespace) -> None:
    with work_folder("kills") as work:
        template, first = work / "bundle.zip", work / "first"
        _in_child(lambda say: template.write_bytes(made.a_template(work / "template")))
        _in_child(lambda say: _stock(first, template))
        spent = _calibrated(work, first, template, options.seed)
        folder, before, number = None, [], 0
        while tally.tried < options.count and number < 4 * options.count:
            if number % KILLS_A_FOLDER == 0:
                if folder is not None:
                    shutil.rmtree(folder)
                folder, before = work / f"folder-{number}", []
                shutil.copytree(first, folder)
            before += _kill(tally, options.seed, number, folder, template, spent, before)
            if _checked(tally, number, folder, before):
                keep(options, folder, f"kills-{options.seed}-{number}")
            number += 1


def _kill(
    tally: Tally, seed: int, number: int, folder: Path, template: Path, spent: dict, before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What one child said until it was killed. before: what was said in this folder until then."""
    life = (folder, template, f"{seed}-{number}", _clock(before))
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
    say: Say, folder: Path, template: Path, seed: str, clock: Clock, points: Points | None = None, *,
    beside: bool = False,
) -> None:  # fmt: skip
    """The life of one child. beside: a worker's thread paints, and two others do all the rest."""
    if points is not None:
        points.watch()
    data = template.read_bytes()
    dispatcher = {"dispatcher": lambda worker: ThreadDispatcher(worker.run_next)} if beside else {}
    studio = open_studio(folder, say, clock=clock, **dispatcher)

    def work(name: str) -> None:
        chance = chances("deeds", seed, name)
        # Days pass for all threads at once: a deed that has just stored a file would see it three days old.
        artist = Artist(studio, chance, say, folder, data, None if beside else clock)
        for deed in drawn(chance, {**ALONE, "paint": 0} if beside else ALONE, DEEDS_EACH):
            artist.do(deed)

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
    for deed in ("submit", "submit", "paint", "paint", "rerun", "paint", "sheet", "paint", "paint", "trash", "draft"):
        artist.do(deed)


def _calibrated(work: Path, first: Path, template: Path, seed: int) -> dict[str, float]:
    """How often each point is passed, and how long it takes, in a life that nobody ends early."""
    folder = work / "calibration"
    shutil.copytree(first, folder)
    began = time.monotonic()
    child = Child(lambda say: _work(say, folder, template, f"calibration-{seed}", Clock(), Points()))
    child.end()
    [passed] = child.heard("passed") or [{}]
    if not passed:
        raise SystemExit(f"the deeds do not come to their end: {child.said[-1:]}")
    return {kind: passed.get(kind, 0) for kind in KINDS} | {"seconds": time.monotonic() - began}


def _in_child(deed) -> None:
    child = Child(deed)
    if child.end():
        raise SystemExit(f"the harness cannot prepare itself: {child.said[-1:]}")


# What is checked afterwards ------------------------------------------------------------------------------------


def _checked(tally: Tally, number: int, folder: Path, said: list[dict]) -> bool:
    """Whether any law is broken in the eyes of a new process. What that one says is added to what was said."""
    child = Child(lambda say: check(say, folder, said))
    code = child.end(120)
    for kind, told in child.heard("broken"):
        tally.fail(kind, f"kill {number}: {told}")
    for kind, told in child.heard("lost"):
        tally.fail(kind, f"kill {number}: {told}", lost=True)
    for told in (*child.heard("traceback"), *child.heard("logged")):
        tally.fail("traceback afterwards", f"kill {number}: {told}", is_traceback=True)
    for told in (*child.heard("refused"), *(f"hung for {s} s" for s in child.heard("hung"))):
        tally.fail("the folder does not open, or the queue does not go on", f"kill {number}: {told}")
    for name in ("left_new", "left_gone"):
        tally.facts[name] += sum(child.heard(name))
    said += [line for line in child.said if "finished" in line]
    # Told once: what was half there stays so.
    said[:] = [line for line in said if not line.keys() & {"importing", "presets"}]
    return bool(code or child.heard("broken") or child.heard("lost") or child.heard("logged"))


def check(say: Say, folder: Path, said: list[dict[str, Any]]) -> None:
    """Open the folder as a new process does a minute later, say every broken law, and go on with the work."""
    broken, clock = Broken(), _clock(said)
    left = leftovers(folder)
    say(left_new=sum(".new-" in name for name in left), left_gone=sum(".gone-" in name for name in left))
    # The dead process gives no sign of life for that long.
    clock.ahead += timedelta(minutes=1)
    studio = open_studio(folder, say, clock=clock)
    try:
        rows = {row.id: row for row in everything(studio)}
        made.files_broken(studio, list(rows.values()), broken)
        made.database_broken(folder, broken)
        made.sheets_broken(studio, list(rows.values()), broken)
        acknowledged_broken(studio, rows, said, broken)
        imports_broken(studio, rows, said, broken)
        drain(studio)
        _went_on(studio, folder, broken)
        say(finished={row.id: _end(row) for row in everything(studio) if row.status is Status.SUCCEEDED})
    finally:
        broken.tell(say)


def _clock(said: Iterable[dict[str, Any]]) -> Clock:
    """The days that passed in the lives before."""
    return Clock(timedelta(days=sum(_each(said, "days"))))


def _end(row: Generation) -> list[str | None]:
    return [row.finished_at.isoformat(), row.output] if row.finished_at else [None, row.output]


def _gone(said: Sequence[dict[str, Any]]) -> set[str]:
    """What may have been deleted for good."""
    emptied = any(_each(said, "emptying"))
    return set(_all(said, "deleting")) | (set(_all(said, "trashing")) if emptied else set())


def acknowledged_broken(studio: Studio, rows: dict, said: list[dict], broken: Broken) -> None:
    gone = _gone(said)
    broken.lost += [("a submission without its row", id) for id in _all(said, "submitted") if id not in {*rows, *gone}]
    for id, end in (pair for finished in _each(said, "finished") for pair in finished.items()):
        if id not in rows and id not in gone:
            broken.lost.append(("a finished row is gone", id))
        if id in rows and _end(rows[id]) != end:
            broken.found.append(("painted twice", f"{id} ended {end}, and again {_end(rows[id])}"))
    broken.found += [("deleted for good, and there", id) for id in _all(said, "deleted") if id in rows]
    for line in said:
        for id in line.get("tagged", ()):
            if id in rows and line["tag"] not in rows[id].tags:
                broken.lost.append(("a tag is gone", f"{id} {line['tag']}"))
    for id in _each(said, "sheet"):
        studio.sheets.get(id)
    for id in _each(said, "draft"):
        draft = studio.drafts.get(id)
        missing = [key for key in draft.files if not studio.drafts.images.has(key)] if draft else ["the draft"]
        broken.lost += [("a draft without its files", f"{id} {key}") for key in missing]


def imports_broken(studio: Studio, rows: dict, said: list[dict], broken: Broken) -> None:
    """Bundles and presets: all of it or nothing."""
    gone, done = _gone(said), {about["sheet"] for about in _each(said, "imported")}
    for about in _each(said, "importing"):
        wanted = [id for id in about["ids"] if id not in gone]
        here = [id for id in wanted if id in rows]
        if about["sheet"] in done and len(here) < len(wanted):
            broken.lost.append(("an imported bundle without its rows", str(about)))
        elif 0 < len(here) < len(wanted):
            broken.found.append(("half a bundle: rows", f"{len(here)} of {len(wanted)}"))
        if any(about["tag"] not in rows[id].tags for id in here):
            broken.found.append(("half a bundle: no tags", str(about)))
        if here and not studio.sheets.of(here[0]):
            broken.found.append(("half a bundle: no sheet", str(about)))
    kept = studio.presets.all()
    for names in _each(said, "presets"):
        here = [name for name in names if name in kept]
        if 0 < len(here) < len(names):
            broken.found.append(("half a file of presets", f"{len(here)} of {len(names)}"))


def _went_on(studio: Studio, folder: Path, broken: Broken) -> None:
    for row in everything(studio):
        if row.status not in (Status.SUCCEEDED, Status.CANCELLED):
            broken.found.append(("does not come to its end", f"{row.id} {row.status}: {row.error}"))
    if studio.gallery.is_anything_active():
        broken.found.append(("does not come to its end", "something is still active"))
    grow_old(folder)
    studio.gallery.check(repair=True)
    found = studio.gallery.check()
    if found.missing or found.damaged:
        broken.lost.append(("a repair took files that are needed", str(found.missing + found.damaged)))
    if found.orphans:
        broken.found.append(("files that nobody needs stay", str(found.orphans)))
    if left := leftovers(folder):
        broken.found.append(("left behind for ever", str(left)))
        for path in (folder / "images").rglob(".*"):
            path.unlink()  # told once


def _all(said: Iterable[dict], word: str) -> list[Any]:
    return [each for told in _each(said, word) for each in told]


def _each(said: Iterable[dict], word: str) -> list[Any]:
    return [line[word] for line in said if word in line]


def start(arguments: list[str] | None = None) -> int:
    return main("kills", run, count=300, about=__doc__, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
