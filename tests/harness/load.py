"""A dashboard in use: many sessions go from page to page while pictures are painted.

A real dashboard on a folder of its own, on loopback only, and as many sessions over its websocket. They run Inpaint,
each with a picture open, and the gallery, and repeat their fragments as a browser does. Beside them a process submits
for the bundled model as the pages do, so that some always wait. First the same is painted with nobody there.

first_picture_s: from the command that starts the dashboard until a picture that waited is there, before anybody visits.
page_*_s: from asking for a page until its script has finished. painting_slowdown: seconds a picture while they browse,
divided by those before; medians of the time from when a worker takes one until it is there. *_mb: the most memory (RSS,
10^6 bytes) that the dashboard had, and that all processes called "core worker" on its folder had together; *_growth_mb:
how much more it was in the last fifth of the browsing than in the second, in the median. client_cpu: what the sessions
themselves take, of one processor: they share the machine. all_served_by: when half of all generations were submitted by
one artist at once, how many were painted until everybody had their first one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from core.domain.errors import StudioError
from core.domain.generation import Generation, Status
from tests.browser.artist import running_dashboard
from tests.harness.artists import open_studio, prepared, submit, wait_for_all
from tests.harness.common import Child, Say, Tally, chances, child, keep, main, work_folder
from tests.harness.processes import Memory, all_ended
from tests.harness.sessions import Artist, Session, session

FIRST_PICTURE_S = 300.0
"""Until the first picture is there: the libraries and the model are loaded before, on a machine that may be busy."""

STUCK_S = 60.0
"""When no picture has come for so long, the rest is not waited for."""

LOOK_EVERY_S = 1.0
FEW_WAITING = 2
"""What is painted with nobody there only has to keep the worker busy; a flood is for those who browse."""

SUBMITTED, PAINTING, PAINTED = "submitted", "painting", "painted"


def run(tally: Tally, options: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    tally.words["load_at_start"] = f"{os.getloadavg()[0]:.1f}"
    with work_folder("load") as work:
        data = work / "data"
        artists = prepared(data, options.sessions, options.seed)
        with all_ended(data), child(partial(_first, data=data, artist=artists[0], seed=options.seed)) as first:
            first.until(FIRST_PICTURE_S, SUBMITTED)
            _use(tally, options, data, artists, first)
        if tally.failed:
            keep(options, data, f"load-{options.seed}")


def _use(tally: Tally, options: argparse.Namespace, data: Path, artists: Sequence[Artist], first: Child) -> None:
    """first: the child that waits for the picture that waits."""
    began = time.monotonic()
    with running_dashboard(data) as (address, dashboard):
        first.end(FIRST_PICTURE_S)
        tally.figures["first_picture_s"] = next((round(at - began, 2) for at in first.heard(PAINTED)), None)
        memory = Memory(psutil.Process(dashboard.pid), data)
        asyncio.run(_everything_once(address, artists[0]))
        paint = partial(_paint, data=data, artists=artists, count=options.count)
        alone_s, few = min(options.seconds, options.alone), min(options.waiting, FEW_WAITING)
        with child(partial(paint, waiting=few, seconds=alone_s, seed=options.seed)) as painter:
            alone = _painted(memory, painter)
        seed = options.seed + options.count
        with child(partial(paint, waiting=options.waiting, seconds=options.seconds, seed=seed)) as painter:
            painter.until(FIRST_PICTURE_S, PAINTING)
            memory.browsing.clear()
            computed, at = time.process_time(), time.monotonic()
            sessions = asyncio.run(_browse(address, artists, options, memory))
            tally.figures["client_cpu"] = round((time.process_time() - computed) / (time.monotonic() - at), 3)
            browsed = list(memory.browsing)
            busy = _painted(memory, painter)
    _tell(tally, sessions, alone, busy)
    _measure(tally, sessions, alone, busy, memory)
    tally.figures |= {"dashboard_growth_mb": _growth_mb(browsed, 0), "worker_growth_mb": _growth_mb(browsed, 1)}


def _first(say: Say, data: Path, artist: Artist, seed: int) -> None:
    """Submit one before anything runs, and tell when it is there. The clock is the machine's."""
    studio = open_studio(data)
    id = submit(studio, artist, seed)
    say(**{SUBMITTED: id})
    while studio.generations.is_active(id):
        time.sleep(0.05)
    if studio.gallery.get(id).status is Status.SUCCEEDED:
        say(**{PAINTED: time.monotonic()})


def _paint(
    say: Say, data: Path, artists: Sequence[Artist], waiting: int, count: int, seconds: float, seed: int
) -> None:
    """Submit for one artist after the other so that some always wait, for so long; then wait for the rest.

    It begins when the first picture is there, so that loading the model does not count.
    """
    studio = open_studio(data)
    ids = [submit(studio, artists[0], seed)]
    wait_for_all(studio, FIRST_PICTURE_S)
    say(**{PAINTING: True})
    ends = time.monotonic() + seconds
    # A flood: one artist is greedy, and asks for half of all before anybody else does.
    greedy = count // 2 if waiting >= count else 0
    while time.monotonic() < ends:
        missing = min(waiting - studio.queue.view(limit=0).waiting_count, count - len(ids))
        for _ in range(missing):
            whose = artists[0] if len(ids) < greedy else artists[len(ids) % len(artists)]
            with suppress(StudioError):
                ids.append(submit(studio, whose, seed + len(ids)))
        time.sleep(0.2)
    ended_at = datetime.now(UTC)
    wait_for_all(studio, STUCK_S)
    rows = [studio.gallery.get(id) for id in ids]
    painted = Painted(
        len(rows),
        sum(row.status is Status.SUCCEEDED for row in rows),
        _seconds_each(rows[1:], ended_at),
        _all_served_by(rows[1:]) if greedy else None,
        [f"{row.id} is {row.status}: {row.error}" for row in rows if row.status is not Status.SUCCEEDED],
    )
    say(**{PAINTED: asdict(painted)})


def _seconds_each(rows: Sequence[Generation], ended_at: datetime) -> list[float]:
    """From the moment a worker has taken it until it is there; of those that were begun before ended_at."""
    times = [(row.started_at, row.finished_at) for row in rows if row.status is Status.SUCCEEDED]
    return [
        (finished - started).total_seconds()
        for started, finished in times
        if started is not None and finished is not None and started <= ended_at
    ]


def _all_served_by(rows: Sequence[Generation]) -> int:
    """How many were begun until everybody who asked had been served once."""
    begun = sorted((row.started_at, row.session or "") for row in rows if row.started_at is not None)
    people = [person for _, person in begun]
    return max(people.index(person) for person in set(people)) + 1 if people else 0


@dataclass(frozen=True)
class Painted:
    """seconds_each: for each picture after the first. unpainted: what became of the others, a sentence for each.

    all_served_by: how many were painted until everybody who asked had one.
    """

    submitted: int
    painted: int
    seconds_each: list[float]
    all_served_by: int | None
    unpainted: list[str]

    @property
    def median_s(self) -> float | None:
        return statistics.median(self.seconds_each) if self.seconds_each else None


def _painted(memory: Memory, child: Child) -> Painted:
    while not child.until(LOOK_EVERY_S):
        memory.look()
    child.end()
    told = child.heard(PAINTED)
    if not told:
        raise SystemExit(f"the painting has failed: {child.said[-1:]}")
    return Painted(**told[0])


async def _everything_once(address: str, artist: Artist) -> None:
    async with session(address, artist) as tab:
        for page in ("", "Inpaint", "Gallery"):
            await tab.visit(page)


async def _browse(
    address: str, artists: Sequence[Artist], options: argparse.Namespace, memory: Memory
) -> list[Session]:
    async with AsyncExitStack() as stack:
        opening = [stack.enter_async_context(session(address, artist)) for artist in artists]
        tabs = await asyncio.gather(*opening)
        watching = asyncio.ensure_future(_watch(memory))
        browsing = [
            tab.browse(options.seconds, options.pause, chances("load", options.seed, number))
            for number, tab in enumerate(tabs)
        ]
        try:
            await asyncio.gather(*browsing)
        finally:
            watching.cancel()
    return tabs


async def _watch(memory: Memory) -> None:
    while True:
        memory.look()
        await asyncio.sleep(LOOK_EVERY_S)


def _tell(tally: Tally, sessions: Sequence[Session], alone: Painted, busy: Painted) -> None:
    for visit in (visit for tab in sessions for visit in tab.visits):
        tally.tried += 1
        if visit.problem is not None:
            tally.fail("page", f"{visit.page}: {visit.problem}")
    for told in (*alone.unpainted, *busy.unpainted):
        tally.fail("not painted", told)


def _measure(tally: Tally, sessions: Sequence[Session], alone: Painted, busy: Painted, memory: Memory) -> None:
    visits = [visit for tab in sessions for visit in tab.visits]
    figures: dict[str, Any] = _times("page", [visit.seconds for visit in visits])
    for page in ("Inpaint", "Gallery"):
        figures |= _times(page.lower(), [visit.seconds for visit in visits if visit.page == page])
    slowdown = busy.median_s / alone.median_s if alone.median_s and busy.median_s else None
    tally.figures |= figures | {
        "painted": busy.painted,
        "submitted": busy.submitted,
        "dashboard_mb": round(memory.of_dashboard / 1e6),
        "worker_mb": round(memory.of_workers / 1e6),
        "workers": memory.workers,
        "all_served_by": busy.all_served_by,
        "picture_alone_s": alone.median_s and round(alone.median_s, 2),
        "picture_s": busy.median_s and round(busy.median_s, 2),
        "painting_slowdown": slowdown and round(slowdown, 2),
    }


def _growth_mb(looks: Sequence[tuple[int, int]], which: int) -> float | None:
    fifth = len(looks) // 5
    if not fifth:
        return None
    before, after = (
        statistics.median(look[which] for look in part) for part in (looks[fifth : 2 * fifth], looks[-fifth:])
    )
    return round((after - before) / 1e6, 1)


def _times(name: str, seconds: Sequence[float]) -> dict[str, float | None]:
    if not seconds:
        return {}
    parts = {"p50": 50, "p95": 95, "max": 100}
    return {f"{name}_{part}_s": round(float(np.percentile(seconds, q)), 3) for part, q in parts.items()}


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=20, help="who browse (default 20)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they browse (default 60)")
    parser.add_argument("--alone", type=float, default=30.0, help="seconds of painting before, at most (default 30)")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds on a page, in the mean (default 3)")
    parser.add_argument("--waiting", type=int, default=2, help="how many generations wait at any time (default 2)")


def start(arguments: list[str] | None = None) -> int:
    return main("load", run, count=500, about=__doc__, more=_more, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
