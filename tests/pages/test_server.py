"""The server keeps a worker running, whatever browsers do. Here the worker only waits to be ended."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import streamlit as st

from core.dispatch.process import Supervisor
from core.settings import Settings
from pages.ui.shell import resources, server

WAITING = "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); sys.stdin.read()"


class Workers:
    def __init__(self, folder: Path) -> None:
        self._log = folder / "started"
        self.command = [sys.executable, "-S", "-c", WAITING, str(self._log)]

    @property
    def started(self) -> int:
        return len(self._log.read_text().split()) if self._log.exists() else 0

    def until_started(self, count: int) -> None:
        until = time.monotonic() + 20
        while self.started < count:
            assert time.monotonic() < until
            time.sleep(0.01)
        time.sleep(0.1)
        assert self.started == count


@pytest.fixture
def workers(tmp_path, monkeypatch) -> Iterator[Workers]:
    """Of a data folder of the test's own."""
    workers = Workers(tmp_path)
    monkeypatch.setattr(server, "Supervisor", partial(Supervisor, command=workers.command))
    monkeypatch.setenv("INPAINT_STUDIO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("INPAINT_STUDIO_EMBEDDED_WORKER", "true")
    yield workers
    server.end_workers()
    resources.studio.clear()


def served(visit: Callable[[], object] = lambda: None) -> None:
    """A server from its start to its end, and one visit."""

    async def serve() -> None:
        async with server.lifespan(None):
            await asyncio.to_thread(visit)

    asyncio.run(serve())


def test_a_worker_is_there_from_the_start_of_the_server_to_its_end(workers):
    supervisors = []

    def look() -> None:
        workers.until_started(1)
        supervisors.extend(server._supervisors.values())
        assert supervisors[0].pid is not None

    served(look)

    assert [supervisor.pid for supervisor in supervisors] == [None]


def test_while_it_serves_the_interpreter_is_set_to_draw_pages_one_after_the_other(workers):
    def settings():
        return sys.getswitchinterval(), *gc.get_threshold()

    before, during = settings(), []

    served(lambda: during.extend(settings()))

    assert during == pytest.approx([server.SWITCH_S, *server.COLLECT_AFTER])
    assert settings() == before


def test_however_often_browsers_clear_the_cache_there_is_one_worker(workers):
    def clear() -> None:
        for _ in range(12):
            resources.studio()
            st.cache_resource.clear()
        workers.until_started(1)

    served(clear)


def test_where_a_server_began_without_its_lifespan_the_first_visit_starts_the_worker(workers):
    resources.studio()

    workers.until_started(1)


def test_a_server_with_wrong_settings_comes_up_and_starts_the_worker_once_they_were_put_right(workers, monkeypatch):
    monkeypatch.setenv("INPAINT_STUDIO_THREADS", "many")

    def put_right() -> None:
        assert server._supervisors == {}
        monkeypatch.setenv("INPAINT_STUDIO_THREADS", "2")
        resources.studio()
        workers.until_started(1)

    served(put_right)


def test_none_is_started_where_a_worker_runs_elsewhere(workers, monkeypatch):
    monkeypatch.setenv("INPAINT_STUDIO_EMBEDDED_WORKER", "false")
    assert not Settings().embedded_worker

    served(resources.studio)

    assert (workers.started, server._supervisors) == (0, {})
