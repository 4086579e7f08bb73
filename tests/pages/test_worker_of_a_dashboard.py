"""Dashboards as processes, and the worker that they start and share: whatever is killed, each picture is painted."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from core.bootstrap import Studio, build_studio
from core.dispatch.process import Supervisor
from core.domain.generation import Generation, Status
from core.settings import Settings
from tests.browser.artist import running_dashboard
from tests.cli.test_signals import SLOWLY
from tests.conftest import a_request
from tests.fakes import FakeCatalogue, FakeLoader
from tests.harness.sessions import Artist, session

pytest.importorskip("fcntl", reason="signals and locks of Unix")

pytestmark = pytest.mark.slow

PATIENCE_S = 120
ENDS_WITHIN_S = 10
MANY_STEPS = 150


@pytest.fixture
def data(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    until(lambda: not workers(folder), ENDS_WITHIN_S)


@pytest.fixture
def studio(data) -> Studio:
    """What submits and looks. It paints nothing."""
    return build_studio(
        Settings(data=data),
        FakeLoader(),
        catalogue=FakeCatalogue(),
        resolve_device=lambda wish: "cpu",
    )


def workers(data: Path) -> list[int]:
    """The pids of the workers of this folder that live."""
    return [process.pid for process in psutil.process_iter() if _is_worker(process, data)]


def _is_worker(process: psutil.Process, data: Path) -> bool:
    try:
        is_one = "worker" in process.cmdline() and process.environ().get("INPAINT_STUDIO_DATA") == str(data)
        return is_one and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill(pid: int) -> None:
    psutil.Process(pid).kill()


def until(is_so: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


def until_painting(studio: Studio, id: str) -> None:
    until(lambda: studio.generations.progress(id).step > 0)


def rows(studio: Studio) -> list[Generation]:
    return studio.gallery.browse(limit=100).generations


def test_what_waits_is_painted_from_the_start_without_a_visit_and_sigterm_leaves_nothing_behind(data, studio):
    done, _ = studio.generations.submit(a_request(num_inference_steps=4), count=2)
    with running_dashboard(data) as (_, dashboard):
        until(lambda: [row.status for row in rows(studio)] == [Status.SUCCEEDED] * 2)
        [longer] = studio.generations.submit(a_request(num_inference_steps=MANY_STEPS))
        until_painting(studio, longer)

        started = time.monotonic()
        dashboard.terminate()
        dashboard.wait(ENDS_WITHIN_S)
        until(lambda: not workers(data), ENDS_WITHIN_S)

    assert time.monotonic() - started < ENDS_WITHIN_S
    assert studio.gallery.get(done).record.model.raw["key"] == "pocket-inpaint"
    assert studio.gallery.get(longer).status is Status.QUEUED


def test_two_dashboards_share_a_worker_and_the_second_replaces_it_when_the_first_is_killed(data, studio):
    with running_dashboard(data) as (_, first):
        until(studio.workers.is_there)
        [shared] = workers(data)
        with running_dashboard(data):
            [id] = studio.generations.submit(a_request(num_inference_steps=MANY_STEPS, size=256))
            until_painting(studio, id)
            assert workers(data) == [shared]

            first.kill()
            until(lambda: len(found := workers(data)) == 1 and found != [shared])
            until(lambda: studio.gallery.get(id).status is Status.SUCCEEDED)


def test_a_browser_that_clears_the_cache_makes_no_second_worker_and_costs_no_picture(data, studio):
    with running_dashboard(data) as (address, _):
        until(studio.workers.is_there)
        [worker] = workers(data)
        ids = studio.generations.submit(a_request(num_inference_steps=50), count=3)
        until_painting(studio, ids[0])

        visits = asyncio.run(_clear_and_visit(address, times=12))

        assert [visit.problem for visit in visits] == [None] * 12
        until(lambda: not any(row.status.is_active for row in rows(studio)))
        assert [row.status for row in rows(studio)] == [Status.SUCCEEDED] * 3
        assert workers(data) == [worker]


async def _clear_and_visit(address: str, times: int):
    async with session(address, Artist("0" * 16, "")) as tab:
        for _ in range(times):
            await tab.socket.send(BackMsg(clear_cache=True).SerializeToString())
            await tab.visit("")
        return tab.visits


def test_a_worker_that_is_killed_at_twenty_points_has_painted_each_picture_once(data, studio, monkeypatch):
    monkeypatch.setenv("PAINTING_STEP_S", "0.1")
    told, deaths = data / "told", []
    ids = studio.generations.submit(a_request(), count=20)

    def on_death(pid: int, code: int) -> None:
        studio.workers.died(pid, code)
        deaths.append([row for row in rows(studio) if row.error_code])

    # Its standard output is where it says what it has painted.
    command = ["sh", "-c", f'exec "$@" >> "{told}"', "", sys.executable, *SLOWLY, "worker", "--embedded", "--json"]
    supervisor = Supervisor(data, on_death, command=command, old_s=0)
    chance = random.Random(0)
    for nth in range(20):
        # A third death of the same picture would be its last.
        until(lambda: any(row.status is Status.RUNNING and attempts(studio, row.id) < 3 for row in rows(studio)))
        time.sleep(chance.uniform(0, 0.5))
        kill(supervisor.pid)
        until(lambda nth=nth: len(deaths) == nth + 1)
    until(lambda: not any(row.status.is_active for row in rows(studio)))
    supervisor.stop()

    assert [row.status for row in rows(studio)] == [Status.SUCCEEDED] * 20
    painted = [json.loads(line)["id"] for line in told.read_text().splitlines()]
    assert len(painted) == len(set(painted)) <= 20
    assert set(painted) <= set(ids)
    # Most of them while something was painted, which says why it waits again.
    hit = [row for some in deaths for row in some]
    assert len(hit) >= 10
    assert all("signal 9" in row.error for row in hit)


def attempts(studio: Studio, id: str) -> int:
    with studio.worker.repo._engine.connect() as connection:
        return connection.exec_driver_sql("SELECT attempts FROM generations WHERE id = ?", (id,)).scalar_one()
