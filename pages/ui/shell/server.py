"""What the server does beside the pages: it sees to it that a worker is running, from its start to its end.

Imported before there is a Streamlit runtime: nothing here may import a page's parts, which register themselves in it.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.dispatch.process import Supervisor
from core.domain.errors import InvalidSettings
from core.memory import keep_heaps_small
from core.settings import Settings
from pages.ui.shell.turns import runs_take_turns

log = logging.getLogger(__name__)

SWITCH_S = 0.1
"""How long a thread that computes may keep the interpreter from those that wait for it: Python's own 5 ms let all pages
that are being drawn take turns, so that each takes as long as all of them, and wake the event loop for each element.
With 20 sessions on two busy cores it halves the time of a page at p95 (docs/load.md)."""
COLLECT_AFTER = (50_000, 20, 100)
"""New objects until the youngest are looked through for cycles, and how often that until the older ones are: Python's
own (700, 10, 10) look through all that this program has imported every few seconds, 0.1 to 0.2 s in which no page is
drawn, and are a fifth of a page's computing time (docs/decisions/0038-pages-under-load.md)."""

# Not in a cache of Streamlit's: any browser can clear those. Where its watcher of files loads this module anew, the
# lock in the data folder still keeps the worker the only one.
_supervisors: dict[Path, Supervisor] = {}
_changing = threading.Lock()


def supervise(settings: Settings) -> None:
    """Start a worker for this data folder where none is running, and watch over it. Once for each process."""
    if not settings.embedded_worker:
        return
    data = settings.data.absolute()
    with _changing:
        if data not in _supervisors:
            _supervisors[data] = Supervisor(data, _on_death)


def end_workers() -> None:
    """Those that this process has started. Others go on."""
    with _changing:
        supervisors = list(_supervisors.values())
        _supervisors.clear()
    for supervisor in supervisors:
        supervisor.stop()


# Where no lifespan ends them. Whoever is killed ends them too: see Supervisor.
atexit.register(end_workers)


@asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Of the server: before the first visit, and after the last one."""
    keep_heaps_small()
    before, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*COLLECT_AFTER)
    try:
        await asyncio.to_thread(lambda: supervise(Settings()))
    except InvalidSettings as error:
        # The pages say so too, and a visit after they were put right starts the worker.
        log.error("%s", error)
    try:
        with runs_take_turns():
            yield
    finally:
        await asyncio.to_thread(end_workers)
        sys.setswitchinterval(before)
        gc.set_threshold(*thresholds)


def _on_death(pid: int, code: int) -> None:
    # The studio needs far more than a server that nobody has visited.
    from pages.ui.shell.resources import studio

    studio().workers.died(pid, code)
