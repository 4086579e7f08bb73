"""A small machine: dashboard and worker under a limit of memory, as Streamlit Community Cloud sets one.

A real dashboard on a folder of its own, and the worker that it starts, in a group with so much memory where the machine
lets one be made (memory cgroup, version 1 or 2): what needs more is killed. Elsewhere only their memory is looked at.
Several sessions visit every page, and pictures are painted with the bundled model while they browse. Then they look at
what is there now: every generation, a comparison, the statistics, the reproduction of one; at last they open a large
photo.

own_mb: the most memory (10^6 bytes) that all of them had together at one moment, without what is read from files, such
as the libraries: that is given back where memory runs short. charged_mb: the most that the system counted for the
group, with the files that nobody had read before. peak_mb: with all files, each counted by the share of who else has it
open, so that it depends on what else runs.
dashboard_mb, worker_mb: the most that each had (RSS, which counts what is shared for each), before the large photo, of
which the pixels alone have up to 100 MB while it is decoded. dashboard_after_mb: of the dashboard after it. killed:
how often something was killed for lack of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from core.domain.generation import Status
from core.memory import CGROUP, own_group
from tests.browser.artist import running_dashboard
from tests.harness.artists import large_draft, open_studio, prepared, submit, wait_for_all
from tests.harness.common import Child, Say, Tally, child, keep, main, work_folder
from tests.harness.processes import Memory, all_ended
from tests.harness.sessions import Artist, Session, Visit, session

LIMIT_MB = 690
"""What Community Cloud promises at least."""

STUCK_S = 300.0
"""When no picture has come for so long, the rest is not waited for; the first one waits for the model."""

PAGES = ("", "Inpaint", "Gallery", "Queue", "Reproduction", "Statistics", "Models", "Models?view=download")
LARGE_PX = (3200, 2400)
"""Just below core.memory.LARGE_PIXELS: more is refused where dashboard and worker leave no room for it."""
IDS, PAINTED = "ids", "painted"
LOOK_EVERY_S = 0.3
"""To ask what a process shares with others, the system goes through all its pages."""

PAUSE_S = 0.5


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
        artists = prepared(data, options.sessions, options.seed)
        large = large_draft(data, LARGE_PX)
        with all_ended(data), running_dashboard(data, in_child=group and group.enter) as (address, dashboard):
            memory = Memory(psutil.Process(dashboard.pid), data)
            with child(
                partial(_paint, data=data, artist=artists[0], count=options.count, seed=options.seed)
            ) as painter:
                visits = asyncio.run(_use(address, artists, memory, painter, large))
                painter.end()
        tally.tried = options.count
        told = next(iter(painter.heard(PAINTED)), ["it ended before all were painted"])
        _tell(tally, visits, told)
        _measure(tally, memory, group, sum(problem is None for problem in told))
        if tally.failed:
            keep(options, data, f"small-{options.seed}")


def _paint(say: Say, data: Path, artist: Artist, count: int, seed: int) -> None:
    studio = open_studio(data)
    ids = [submit(studio, artist, seed + nth) for nth in range(count)]
    wait_for_all(studio, STUCK_S)
    studio.reproductions.verify(ids[:1])
    ends = time.monotonic() + STUCK_S
    while studio.reproductions.batch().total and time.monotonic() < ends:
        time.sleep(LOOK_EVERY_S)
    rows = [studio.gallery.get(id) for id in ids]
    say(**{IDS: ids})
    say(**{PAINTED: [None if row.status is Status.SUCCEEDED else f"{row.status}: {row.error}" for row in rows]})


async def _use(address: str, artists: Sequence[Artist], memory: Memory, painter: Child, large: str) -> list[Visit]:
    """Every page, some of them while pictures are painted, then what was painted. large: a draft, opened at last."""
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(session(address, artist)) for artist in artists]
        watching = asyncio.ensure_future(_watch(memory))
        await _visit(tabs, PAGES)
        while not painter.until(0.01):
            await _visit(tabs, ("Inpaint", "Gallery"))
        ids = next(iter(painter.heard(IDS)), [])
        opened = [f"Gallery?generation={id}" for id in ids]
        compared = [f"Gallery?compare={ids[0]}&compare={ids[-1]}"] if ids else []
        await _visit(tabs, (*opened, *compared, "Statistics", "Reproduction", "Inpaint"))
        watching.cancel()
        await _visit(tabs[:1], (f"Inpaint?draft={large}", "Gallery"))
        memory.look()
    return [visit for tab in tabs for visit in tab.visits]


async def _visit(tabs: Sequence[Session], addresses: Sequence[str]) -> None:
    """Each of them, all sessions at once."""
    for address in addresses:
        page, _, query = address.partition("?")
        await asyncio.gather(*(tab.visit(page, query) for tab in tabs))
        await asyncio.sleep(PAUSE_S)


async def _watch(memory: Memory) -> None:
    while True:
        memory.look_together()
        await asyncio.sleep(LOOK_EVERY_S)


def _tell(tally: Tally, visits: Sequence[Visit], told: list[str | None]) -> None:
    """told: of each picture, what became of it if it was not painted."""
    for visit in visits:
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
        "dashboard_after_mb": round(memory.browsing[-1][0] / 1e6),
        "worker_mb": round(memory.of_workers / 1e6),
        "workers": memory.workers,
        "killed": group and group.killed,
        "painted": painted,
    }


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=3, help="who browse (default 3)")


def start(arguments: list[str] | None = None) -> int:
    return main("small", run, count=5, about=__doc__, more=_more, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
