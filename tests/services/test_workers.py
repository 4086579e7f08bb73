"""What workers tell of themselves in their rows, and what pages read there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.bootstrap import Engine, Studio, build_studio
from core.domain.environment import AUTOMATIC, Device
from core.domain.errors import DeviceUnavailable
from core.domain.generation import Status
from core.domain.worker import MEMORY_RAN_OUT, REPLACE
from core.services import workers
from core.services.machine import Machine
from core.services.model_cache import ModelCache
from tests.conftest import a_request
from tests.fakes import CPU, CUDA, FakeCatalogue, FakeInpainter, FakeLoader, InlineDispatcher, fake_environment


@pytest.fixture
def dashboard(studio, settings, clock) -> Studio:
    """A studio on the same data that has no engine: it asks the rows."""
    return build_studio(
        settings,
        FakeLoader(),
        catalogue=FakeCatalogue(),
        dispatcher=lambda worker: InlineDispatcher(lambda id: None),
        engine=Engine.WORKER,
        now=clock,
    )


def a_machine(*devices: Device, automatic: str = "cpu") -> Machine:
    def find() -> Sequence[Device]:
        return devices

    return Machine(find, lambda device: fake_environment(device=device.key), lambda wish: automatic)


@pytest.fixture
def worker(studio) -> workers.Presence:
    presence = replace(studio.presence, machine=a_machine(CUDA, CPU, automatic="cuda:0"))
    presence.begin()
    yield presence
    presence.end()


def test_before_any_worker_has_told_nothing_is_known_and_a_wish_stays_one(dashboard):
    assert dashboard.workers.newest() is None
    assert not dashboard.workers.is_there()
    assert list(dashboard.machine.devices()) == list(dashboard.machine.environments()) == []
    assert dashboard.machine.device() == AUTOMATIC
    assert dashboard.machine.device("cuda:7") == "cuda:7"


def test_a_worker_that_begins_is_there_at_once_and_tells_of_its_machine_when_its_libraries_are(dashboard, worker):
    begun = dashboard.workers.newest()

    worker.tell()

    assert (begun.name, begun.machine, dashboard.workers.is_there()) == (worker.name, None, True)
    assert list(dashboard.machine.devices()) == [CUDA, CPU]
    assert [facts["device"] for facts in dashboard.machine.environments()] == ["cuda:0", "cpu"]
    assert (dashboard.machine.device(), dashboard.machine.device("cuda")) == ("cuda:0", "cuda:0")
    with pytest.raises(DeviceUnavailable, match="Choose one of: cuda:0, cpu, or auto"):
        dashboard.machine.device("mps")


def test_a_worker_that_has_ended_still_tells_of_the_machine_until_another_one_does(dashboard, worker, studio):
    worker.tell()
    worker.end()
    after = replace(studio.presence, name="the next one", pid=worker.pid + 1)
    after.begin()

    told_by_the_first, wish = list(dashboard.machine.devices()), dashboard.machine.device()
    newest = dashboard.workers.newest()
    replace(after, machine=a_machine(CPU)).tell()
    after.end()

    assert (told_by_the_first, wish, newest.name) == ([CUDA, CPU], AUTOMATIC, "the next one")
    assert list(dashboard.machine.devices()) == [CPU]


def test_a_worker_that_cannot_find_a_device_says_why(dashboard, worker):
    def none() -> Sequence[Device]:
        raise DeviceUnavailable("The device 'mps' is not available on this machine.")

    replace(worker, machine=replace(worker.machine, find_devices=none)).tell()

    for ask in (dashboard.machine.devices, dashboard.machine.device):
        with pytest.raises(DeviceUnavailable, match="'mps' is not available"):
            ask()


def test_libraries_that_cannot_be_imported_are_told_in_a_sentence(dashboard, worker):
    def broken() -> Sequence[Device]:
        raise ImportError("libtorch_cpu.so: cannot open shared object file")

    replace(worker, machine=replace(worker.machine, find_devices=broken)).tell()

    with pytest.raises(DeviceUnavailable, match="Something unexpected went wrong"):
        dashboard.machine.device()


def test_a_worker_without_a_sign_of_life_is_not_there_also_when_the_clock_was_put_back(dashboard, worker, clock):
    clock.wait(seconds=21)
    silent = dashboard.workers.is_there()
    clock.wait(hours=-2)

    assert (silent, dashboard.workers.is_there()) == (False, False)


def test_its_row_is_kept_up_to_date_and_tells_what_is_loaded(studio, dashboard, monkeypatch, clock):
    monkeypatch.setattr(workers, "BEAT_EVERY_S", 0.01)
    models = ModelCache(FakeLoader())
    presence = replace(studio.presence, models=models, memory_mb=lambda: 541.0)
    presence.begin()
    models("pocket-inpaint", "cpu")
    clock.wait(seconds=7)

    tries = iter(range(500))
    while not dashboard.workers.holds("pocket-inpaint", "cpu") and next(tries, None) is not None:
        time.sleep(0.01)
    told = dashboard.workers.newest()
    presence.end()

    assert (told.model, told.device, told.memory_mb) == ("pocket-inpaint", "cpu", 541.0)
    assert (told.heartbeat_at - told.started_at).total_seconds() >= 7
    assert not dashboard.workers.holds("pocket-inpaint", "cpu")


def test_a_model_is_closed_when_that_was_asked_for_and_nothing_that_waits_needs_it(studio, dashboard, clock):
    inpainter = FakeInpainter()
    presence = replace(studio.presence, models=ModelCache(lambda *_, **__: inpainter))
    presence.repo.begin(presence.name, presence.host, presence.pid, clock())
    presence.models("pocket-inpaint", "cpu")
    presence.repo.beat(presence.name, clock(), "pocket-inpaint", "cpu", 541.0)
    [id] = studio.generations.submit(a_request())

    dashboard.workers.ask_to_close("pocket-inpaint", "cpu")
    presence.close_if_asked()
    kept = inpainter.closed
    studio.generations.cancel(id)
    presence.close_if_asked()

    assert (kept, inpainter.closed) == (0, 1)


def test_what_was_asked_for_before_a_device_was_known_gets_one_from_the_worker_that_begins_it(dashboard, studio):
    [id] = dashboard.generations.submit(a_request())
    asked = dashboard.gallery.get(id).device

    studio.worker.run(id)

    done = studio.gallery.get(id)
    assert (asked, done.device, done.status) == (AUTOMATIC, "cpu", Status.SUCCEEDED)


def test_a_device_that_the_worker_does_not_have_fails_in_words(dashboard, studio, dispatcher):
    def missing(wish: str) -> str:
        raise DeviceUnavailable

    [id] = dashboard.generations.submit(a_request())

    replace(studio.worker, resolve_device=missing).run(id)

    assert (studio.gallery.get(id).status, studio.gallery.get(id).error_code) == (Status.FAILED, "DeviceUnavailable")


def test_rows_of_workers_that_ended_long_ago_are_cleared_away(studio, worker, clock):
    worker.end()
    clock.wait(days=2)

    studio.presence.repo.begin("tomorrow's", "here", 4, clock())

    assert studio.workers.newest().name == "tomorrow's"
    assert studio.presence.repo.names_of("here", 4) == ["tomorrow's"]
    assert studio.presence.repo.names_of(worker.host, worker.pid) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (-9, "ended by the system (signal 9), most likely because memory ran out"),
        (-11, "crashed"),
        (1, "exit code 1"),
        (REPLACE, "hung and was replaced"),
    ],
)
@pytest.mark.slow_but_first
def test_what_a_worker_held_that_has_died_waits_again_at_once_and_says_why(dashboard, worker, clock, code, reason):
    worker.tell()
    painted, waiting = dashboard.generations.submit(a_request(), count=2)
    dashboard.worker.repo.claim(painted, worker.name, clock())
    assert dashboard.workers.is_there()

    dashboard.workers.died(worker.pid + 1, code)
    assert dashboard.gallery.get(painted).status is Status.RUNNING
    dashboard.workers.died(worker.pid, code)

    assert dashboard.gallery.get(painted).status is Status.QUEUED
    assert reason in dashboard.gallery.get(painted).error
    # It decides whether it is tried again in less memory.
    assert (dashboard.gallery.get(painted).error_code == MEMORY_RAN_OUT) is (code == -9)
    assert dashboard.gallery.get(waiting).error is None
    assert not dashboard.workers.is_there()
    assert dashboard.workers.devices() == (CUDA, CPU)
