"""What must hold in a folder, however the processes that worked in it have ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from core.bootstrap import Studio
from core.domain.errors import StorageFull, StudioError
from core.domain.generation import Generation, Status
from core.domain.hashing import sha256_of
from tests.harness.common import Child, Say, Tally
from tests.harness.studio import SHEET, Clock, drain, everything, grow_old, leftovers, open_studio


@dataclass
class Broken:
    """Laws that do not hold. lost: what had been acknowledged and is no more."""

    found: list[tuple[str, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, say: Say) -> None:
        for kind, told in self.found:
            say(broken=[kind, told])
        for kind, told in self.lost:
            say(lost=[kind, told])


def checked(tally: Tally, name: str, folder: Path, said: list[dict], *, last: bool = True) -> bool:
    """Whether any law is broken in the eyes of a new process. What that one says is added to what was said."""
    child = Child(lambda say: check(say, folder, said, last))
    code = child.end(120)
    for kind, told in child.heard("broken"):
        tally.fail(kind, f"{name}: {told}")
    for kind, told in child.heard("lost"):
        tally.fail(kind, f"{name}: {told}", lost=True)
    for told in (*child.heard("traceback"), *child.heard("logged")):
        tally.fail("traceback afterwards", f"{name}: {told}", is_traceback=True)
    for told in (*child.heard("refused"), *(f"hung for {s} s" for s in child.heard("hung"))):
        tally.fail("the folder does not open, or the queue does not go on", f"{name}: {told}")
    for name in ("left_new", "left_gone"):
        tally.facts[name] += sum(child.heard(name))
    said += [line for line in child.said if "finished" in line]
    # Told once: what was half there stays so.
    said[:] = [line for line in said if not line.keys() & {"importing", "presets"}]
    return bool(code or child.heard("broken") or child.heard("lost") or child.heard("logged"))


def check(say: Say, folder: Path, said: list[dict[str, Any]], last: bool) -> None:
    """Open the folder as a new process does a minute later, say every broken law, and go on with the work.

    last: nobody comes after this one; months may pass.
    """
    broken, clock = Broken(), clock_after(said)
    left = leftovers(folder)
    say(left_new=sum(".new-" in name for name in left), left_gone=sum(".gone-" in name for name in left))
    # The dead process gives no sign of life for that long.
    clock.ahead += timedelta(minutes=1)
    studio = open_studio(folder, say, clock=clock)
    try:
        rows = {row.id: row for row in everything(studio)}
        _files(studio, list(rows.values()), broken)
        _database(folder, broken)
        _sheets(studio, list(rows.values()), broken)
        _acknowledged(studio, rows, said, broken)
        _imports(studio, rows, said, broken)
        drain(studio)
        _went_on(studio, folder, broken)
        if last:
            clock.ahead += timedelta(days=70)
            _months_later(studio, broken)
        say(finished={row.id: _end(row) for row in everything(studio) if row.status is Status.SUCCEEDED})
    finally:
        broken.tell(say)


def _months_later(studio: Studio, broken: Broken) -> None:
    """The trash of the folder is emptied, and all that is needed is still there."""
    studio.collector.collect()
    _files(studio, everything(studio), broken)


def clock_after(said: Iterable[dict[str, Any]]) -> Clock:
    """The days that passed in the lives before."""
    return Clock(timedelta(days=sum(each(said, "days"))))


def _end(row: Generation) -> list[str | None]:
    return [row.finished_at.isoformat(), row.output] if row.finished_at else [None, row.output]


def _gone(said: Sequence[dict[str, Any]]) -> set[str]:
    """What may have been deleted for good."""
    emptied = any(each(said, "emptying"))
    return set(all_in(said, "deleting")) | (set(all_in(said, "trashing")) if emptied else set())


def _acknowledged(studio: Studio, rows: dict, said: list[dict], broken: Broken) -> None:
    gone = _gone(said)
    broken.lost += [
        ("a submission without its row", id) for id in all_in(said, "submitted") if id not in {*rows, *gone}
    ]
    for id, end in (pair for finished in each(said, "finished") for pair in finished.items()):
        if id not in rows and id not in gone:
            broken.lost.append(("a finished row is gone", id))
        if id in rows and _end(rows[id]) != end:
            broken.found.append(("painted twice", f"{id} ended {end}, and again {_end(rows[id])}"))
    restored = set(all_in(said, "restoring"))
    there = [id for id in all_in(said, "deleted") if id in rows and id not in restored]
    broken.found += [("deleted for good, and there", id) for id in there]
    for line in said:
        for id in line.get("tagged", ()):
            if id in rows and line["tag"] not in rows[id].tags:
                broken.lost.append(("a tag is gone", f"{id} {line['tag']}"))
    for id in each(said, "sheet"):
        studio.sheets.get(id)
    for id in each(said, "draft"):
        draft = studio.drafts.get(id)
        missing = [key for key in draft.files if not studio.drafts.images.has(key)] if draft else ["the draft"]
        broken.lost += [("a draft without its files", f"{id} {key}") for key in missing]


def _imports(studio: Studio, rows: dict, said: list[dict], broken: Broken) -> None:
    """Bundles and presets: all of it or nothing."""
    gone, done = _gone(said), {about["sheet"] for about in each(said, "imported")}
    for about in each(said, "importing"):
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
    for names in each(said, "presets"):
        here = [name for name in names if name in kept]
        if 0 < len(here) < len(names):
            broken.found.append(("half a file of presets", f"{len(here)} of {len(names)}"))


def _went_on(studio: Studio, folder: Path, broken: Broken) -> None:
    for row in everything(studio):
        # On a full disk a result cannot be kept; the row says so, and can be run again.
        is_told = row.status is Status.FAILED and row.error_code == StorageFull.__name__
        if row.status not in (Status.SUCCEEDED, Status.CANCELLED) and not is_told:
            broken.found.append(("does not come to its end", f"{row.id} {row.status}: {row.error}"))
    if studio.gallery.is_anything_active():
        broken.found.append(("does not come to its end", "something is still active"))
    grow_old(folder)
    # The files of one who was killed before the first row are most of them.
    studio.gallery.check(repair=True, most_files=True)
    found = studio.gallery.check()
    if found.missing or found.damaged:
        broken.lost.append(("a repair took files that are needed", str(found.missing + found.damaged)))
    if found.orphans:
        broken.found.append(("files that nobody needs stay", str(found.orphans)))
    if left := leftovers(folder):
        broken.found.append(("left behind for ever", str(left)))
        for path in (folder / "images").rglob(".*"):
            path.unlink()  # told once


def all_in(said: Iterable[dict], word: str) -> list[Any]:
    return [each for told in each(said, word) for each in told]


def each(said: Iterable[dict], word: str) -> list[Any]:
    return [line[word] for line in said if word in line]


def _files(studio: Studio, rows: Sequence[Generation], broken: Broken) -> None:
    """Every file that a row names is there and is what it was."""
    read: dict[str, str | None] = {}

    def wrong(key: str) -> str | None:
        if key not in read:
            try:
                if "." not in key:
                    studio.gallery.image(key)
                elif sha256_of(studio.gallery.file(key)) != key.partition(".")[0]:
                    raise StudioError("damaged")
                read[key] = None
            except StudioError as error:
                read[key] = error.code
        return read[key]

    for row in rows:
        if row.status is Status.SUCCEEDED and not (row.output and row.thumbnail and row.pixels_sha256 == row.output):
            broken.found.append(("succeeded without a result", row.id))
        for name in ("source", "mask", "output", "thumbnail"):
            key = getattr(row, name)
            if key and (why := wrong(key)):
                broken.lost.append((f"{row.status} row without its {name}", f"{row.id} {key} {why}"))


def _database(folder: Path, broken: Broken) -> None:
    engine = create_engine(f"sqlite:///{folder / 'studio.db'}")
    with engine.connect() as connection:
        for question in ("PRAGMA integrity_check", "PRAGMA foreign_key_check"):
            found = [tuple(row) for row in connection.execute(text(question)) if tuple(row) != ("ok",)]
            if found:
                broken.found.append((question, str(found[:3])))
    engine.dispose()


def _sheets(studio: Studio, rows: Sequence[Generation], broken: Broken) -> None:
    for row in rows:
        if row.session == SHEET.session and not studio.sheets.of(row.id):
            broken.found.append(("a cell without a sheet", row.id))
