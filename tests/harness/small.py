"""A small machine: dashboard and worker under a limit of memory, as Streamlit Community Cloud sets one.

A real dashboard on a folder of its own, and the worker that it starts, in a group with so much memory where the machine
lets one be made (memory cgroup, version 1 or 2): what needs more is killed. Elsewhere only their memory is looked at.
Somebody visits every page, and pictures are painted with the bundled model while the gallery is browsed.

own_mb: the most memory (10^6 bytes) that all of them had together at one moment, without what is read from files, such
as the libraries: that is given back where memory runs short. charged_mb: the most that the system counted for the
group, with the files that nobody had read before. peak_mb: with all files, each counted by the share of who else has it
open, so that it depends on what else runs.
dashboard_mb, worker_mb: the most that each had (RSS, which counts what is shared for each). killed: how often something
was killed for lack of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from core.domain.generation import Status
from core.memory import CGROUP, own_group
from tests.browser.artist import running_dashboard
from tests.harness.artists import open_studio, prepared, submit, wait_for_all
from tests.harness.common import Say, Tally, chances, child, keep, main, work_folder
from tests.harness.processes import Memory, all_ended
from tests.harness.sessions import Artist, Session, session

LIMIT_MB = 690
"""What Community Cloud promises at least."""

STUCK_S = 300.0
"""When no picture has come for so long, the rest is not waited for; the first one waits for the model."""

PAGES = ("", "Inpaint", "Gallery", "Queue", "Reproduction", "Statistics")
PAINTED = "painted"
LOOK_EVERY_S = 0.1


class Group:
    """A memory cgroup of our own, within the one that this process is in."""

    def __init__(self, folder: Path, limit: str, peak: str, killed: tuple[str, str]) -> None:
        """limit: the file that sets it. peak: that tells the most. killed: file and name of the count of kills."""
        self._folder, self._peak, self._killed = folder, peak, killed
        folder.mkdir()
        try:
            # Opened as it is: elsewhere than in a cgroup it would only be a new file.
            with (folder / limit).open("r+") as file:
                file.write(str(LIMIT_MB * 1_000_000))
        except OSError:
            folder.rmdir()
            raise

    def enter(self) -> None:
        """Called in a new process, before it becomes another program."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def killed(self) -> int:
        file, name = self._killed
        counts = dict(line.split() for line in (self._folder / file).read_text().splitlines())
        return int(counts.get(name, 0))

    @property
    def charged(self) -> int:
        """The most that was counted for it. [bytes]"""
        return int((self._folder / self._peak).read_text())

    def remove(self) -> None:
        """It may take a moment until the system has buried who was in it."""
        for _ in range(50):
            with suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.1)


@contextmanager
def limited() -> Iterator[tuple[str, Group | None]]:
    """What sets the limit, in words, and the group if there is one."""
    name = f"inpaint-studio-{os.getpid()}"
    kinds = (
        ("cgroup v2", CGROUP / own_group(""), "memory.max", "memory.peak", ("memory.events", "oom_kill")),
        (
            "cgroup v1",
            CGROUP / "memory" / own_group("memory"),
            "memory.limit_in_bytes",
            "memory.max_usage_in_bytes",
            ("memory.oom_control", "oom_kill"),
        ),
    )
    for kind, around, limit, peak, killed in kinds:
        try:
            group = Group(around / name, limit, peak, killed)
        except OSError:
            continue
        try:
            yield kind, group
        finally:
            group.remove()
        return
    yield "nothing: only looked at", None


def run(tally: Tally, options: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with work_folder("small") as work, limited() as (kind, group):
        tally.words["limited_by"] = kind
        data = work / "data"
        [artist] = prepared(data, 1, options.seed)
        with all_ended(data), running_dashboard(data, in_child=group and group.enter) as (address, dashboard):
            memory = Memory(psutil.Process(dashboard.pid), data)
            with child(partial(_paint, data=data, artist=artist, count=options.count, seed=options.seed)) as painter:
                tab = asyncio.run(_browse(address, artist, memory, lambda: painter.until(0.01), options.seed))
                painter.end()
        tally.tried = options.count
        told = next(iter(painter.heard(PAINTED)), ["it ended before all were painted"])
        _tell(tally, tab, told)
        _measure(tally, memory, group, sum(problem is None for problem in told))
        if tally.failed:
            keep(options, data, f"small-{options.seed}")


def _paint(say: Say, data: Path, artist: Artist, count: int, seed: int) -> None:
    studio = open_studio(data)
    ids = [submit(studio, artist, seed + nth) for nth in range(count)]
    wait_for_all(studio, STUCK_S)
    rows = [studio.gallery.get(id) for id in ids]
    say(**{PAINTED: [None if row.status is Status.SUCCEEDED else f"{row.status}: {row.error}" for row in rows]})


async def _browse(address: str, artist: Artist, memory: Memory, is_over: Callable[[], bool], seed: int) -> Session:
    """Every page once, then Inpaint and the gallery while pictures are painted."""
    chance = chances("small", seed)
    async with session(address, artist) as tab:
        for page in PAGES:
            await tab.visit(page)
            memory.look_together()
        while not is_over():
            await tab.visit(chance.choice(("Inpaint", "Gallery")))
            for _ in range(10):
                memory.look_together()
                await asyncio.sleep(LOOK_EVERY_S)
    return tab


def _tell(tally: Tally, tab: Session, told: list[str | None]) -> None:
    """told: of each picture, what became of it if it was not painted."""
    for visit in tab.visits:
        if visit.problem is not None:
            tally.fail("page", f"{visit.page}: {visit.problem}")
    for problem in told:
        if problem is not None:
            tally.fail("not painted", problem)


def _measure(tally: Tally, memory: Memory, group: Group | None, painted: int) -> None:
    tally.figures |= {
        "limit_mb": LIMIT_MB,
        "own_mb": round(memory.own / 1e6),
        "charged_mb": group and round(group.charged / 1e6),
        "peak_mb": round(memory.together / 1e6),
        "dashboard_mb": round(memory.of_dashboard / 1e6),
        "worker_mb": round(memory.of_workers / 1e6),
        "workers": memory.workers,
        "killed": group and group.killed,
        "painted": painted,
    }


def start(arguments: list[str] | None = None) -> int:
    return main("small", run, count=5, about=__doc__, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
