"""The disk is full, or read-only: the gallery opens, things can be deleted, nothing is half written.

A small tmpfs is filled to a few kilobytes where mounting is allowed; else no file may grow beyond a limit
(RLIMIT_FSIZE), which says less: an error of another name, and the files below the limit can still be written.
Every third time the disk is made read-only instead (or the folder, for a user who is not root).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from core.dispatch.threads import ThreadDispatcher
from core.domain.gallery.filter import GalleryFilter
from tests.harness.actions import Artist
from tests.harness.common import Child, Say, Tally, chances, in_child, keep, main, work_folder
from tests.harness.folder import stock
from tests.harness.laws import checked, each
from tests.harness.studio import a_template, everything, open_studio

SIZE = "80m"
MOST_LEFT = 300_000
"""Bytes left on the disk when it is called full: a page of the database more or less decides what fails."""

SHARED = 32_768
"""Bytes of the index of SQLite's log. A limit counts for each file of the process, wherever it is: below this one no
database can be opened at all, which is more than what a full disk does."""

ACTIONS = ("submit", "sheet", "import_bundle", "draft", "tag", "presets", "verify", "rerun", "check")
DELETIONS = ("trash", "delete", "trash_and_delete", "empty_trash", "free")
LIFE_S = 60.0


def run(tally: Tally, options: argparse.Namespace) -> None:
    with work_folder("disk") as work, _small_disk(work / "disk") as disk:
        tally.words["how"] = disk.how
        template, first = work / "bundle.zip", work / "first"
        in_child(lambda say: template.write_bytes(a_template(work / "template")))
        before = in_child(partial(stock, folder=first, template=template))
        for number in range(options.count):
            chance = chances("disk", options.seed, number)
            is_read_only = number % 3 == 2
            folder = disk.folder / "data"
            shutil.copytree(first, folder)
            # What the dashboard does when it starts, while there is room.
            in_child(partial(_started, folder=folder, is_closed=chance.random() < 0.5))
            name = f"disk {number}, {'read-only' if is_read_only else 'full'}"
            with disk.read_only() if is_read_only else disk.full(chance.choice((0, chance.randrange(MOST_LEFT)))):
                child = Child(
                    partial(
                        _live,
                        folder=folder,
                        template=template,
                        seed=(options.seed, number),
                        disk=disk,
                        is_read_only=is_read_only,
                    )
                )
                child.end(LIFE_S)
            tally.tried += 1
            tally.facts["read-only" if is_read_only else "full"] += 1
            _tell(tally, name, child.said, may_delete=not is_read_only and disk.how == "tmpfs")
            # There is room again: everything goes on.
            if checked(tally, name, folder, [*before, *child.said]):
                keep(options, folder, f"disk-{options.seed}-{number}")
            shutil.rmtree(folder)


def _started(say: Say, folder: Path, is_closed: bool) -> None:
    """is_closed: in an orderly way, so that the files beside the database are gone; else as after a power cut."""
    studio = open_studio(folder, say)
    studio.housekeeping.do()
    if is_closed:
        studio.gallery.repo._engine.dispose()


def _live(say: Say, folder: Path, template: Path, seed: Sequence[int], disk: Disk, is_read_only: bool) -> None:
    """A new process on the full disk: it looks, works, and deletes."""
    disk.enter(is_read_only)
    # The worker insists until there is room: beside all else, as in the dashboard.
    studio = open_studio(folder, say, dispatcher=lambda worker: ThreadDispatcher(worker.run_next))
    rows = everything(studio)
    for row in rows:
        studio.gallery.image(row.source)
    studio.gallery.facets(GalleryFilter())
    say(opened=len(rows))
    chance = chances("disk actions", *seed)
    artist = Artist(studio, chance, say, folder, template.read_bytes())
    for action in chance.sample(ACTIONS, 6):
        artist.do(action)
    for action in DELETIONS:
        artist.do(action)
    say(left=len(everything(studio)), lived=True)


def _tell(tally: Tally, name: str, said: Sequence[dict], *, may_delete: bool) -> None:
    for told in (*each(said, "traceback"), *each(said, "logged")):
        tally.fail("traceback", f"{name}: {told}", is_traceback=True)
    for told in each(said, "hung"):
        tally.fail("hung", f"{name}: {told} s")
    if not each(said, "opened"):
        tally.fail("the gallery does not open", f"{name}: {said[-1:]}")
    elif may_delete and not any(each(said, "deleted")):
        told = [told for told in each(said, "refused") if told.partition(":")[0] in DELETIONS]
        tally.fail("nothing can be deleted", f"{name}: {told}")
    tally.facts["refused in words"] += len(each(said, "refused"))


class Disk:
    """A folder whose room can be taken away."""

    how = "tmpfs"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enter(self, is_read_only: bool) -> None:
        """Called in the child before anything else."""

    @contextmanager
    def full(self, left: int) -> Iterator[None]:
        """left: bytes that are still free."""
        filler = self.folder / "filler"
        room = os.statvfs(self.folder)
        with filler.open("wb") as file:
            file.write(bytes(max(0, room.f_bavail * room.f_frsize - left)))
        try:
            yield
        finally:
            filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        _mount("-o", "remount,ro", str(self.folder))
        try:
            yield
        finally:
            _mount("-o", "remount,rw", str(self.folder))


class LimitedFiles(Disk):
    """Without the right to mount: files end at a limit, and a folder is one that may not be written to."""

    how = "RLIMIT_FSIZE"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._limit = resource.RLIM_INFINITY

    def enter(self, is_read_only: bool) -> None:
        if not is_read_only:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._limit, resource.RLIM_INFINITY))

    @contextmanager
    def full(self, left: int) -> Iterator[None]:
        self._limit = max(left, SHARED)
        yield

    @contextmanager
    def read_only(self) -> Iterator[None]:
        parts = [self.folder, *self.folder.rglob("*")]
        for part in parts:
            part.chmod(0o555 if part.is_dir() else 0o444)
        try:
            yield
        finally:
            for part in filter(Path.exists, parts):
                part.chmod(0o755 if part.is_dir() else 0o644)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    if _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)):
        try:
            yield Disk(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=False)
    else:
        yield LimitedFiles(folder)


def _mount(*arguments: str) -> bool:
    try:
        return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def start(arguments: list[str] | None = None) -> int:
    return main("disk", run, count=20, about=__doc__, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
