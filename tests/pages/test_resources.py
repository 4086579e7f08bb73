"""One studio for all sessions, one pipeline in memory."""

from __future__ import annotations

import threading
import time

import pytest

from core.domain.errors import GenerationNotFound
from core.domain.gallery import GalleryFilter
from pages.ui.shell import resources
from tests.conftest import a_request
from tests.fakes import FakeInpainter, fake_devices


@pytest.fixture
def loads(monkeypatch):
    """What was loaded, and how many loaded pipelines were alive at that moment."""
    alive: list[FakeInpainter] = []
    loads: list[tuple[str, str, int]] = []

    def load(model: str, device: str) -> FakeInpainter:
        still_open = sum(not inpainter.closed for inpainter in alive)
        loads.append((model, device, still_open))
        alive.append(FakeInpainter(model, device))
        return alive[-1]

    monkeypatch.setattr(resources, "make_loader", lambda settings: load)
    monkeypatch.setattr(resources, "_held", [])
    resources._loaded.clear()
    yield loads
    resources._loaded.clear()


def test_a_pipeline_is_loaded_once_and_kept(loads):
    first = resources.load_inpainter("a", "cpu")

    assert resources.load_inpainter("a", "cpu") is first
    assert loads == [("a", "cpu", 0)]


def test_another_model_is_loaded_only_after_the_last_one_was_closed(loads):
    first = resources.load_inpainter("a", "cpu")

    resources.load_inpainter("b", "cpu")
    resources.load_inpainter("a", "cpu")

    assert first.closed == 1
    assert loads == [("a", "cpu", 0), ("b", "cpu", 0), ("a", "cpu", 0)]


def test_the_worker_thread_gets_the_same_pipeline_as_everybody(loads):
    found = []
    thread = threading.Thread(target=lambda: found.append(resources.load_inpainter("a", "cpu")))
    thread.start()
    thread.join()

    assert found == [resources.load_inpainter("a", "cpu")]
    assert len(loads) == 1


def test_the_trash_forgets_at_each_start_what_lay_there_for_too_long(studio, dispatcher, clock, monkeypatch):
    old, fresh = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    studio.gallery.trash([old])
    clock.wait(days=40)
    studio.gallery.trash([fresh])
    monkeypatch.setattr(resources, "build_studio", lambda settings, load: studio)
    resources.studio.clear()

    resources.studio()
    tries = iter(range(200))
    while studio.gallery.count(GalleryFilter(in_trash=True)) > 1 and next(tries, None) is not None:
        time.sleep(0.02)
    resources.studio.clear()

    assert studio.gallery.get(fresh).deleted_at is not None
    with pytest.raises(GenerationNotFound):
        studio.gallery.get(old)


def test_the_engine_is_imported_after_the_look_for_devices(studio, monkeypatch):
    order = []
    monkeypatch.setattr("core.engine.device.devices", lambda: order.append("devices") or fake_devices())
    monkeypatch.setattr("pages.ui.shell.resources.warm_up", lambda: order.append("engine"))
    resources.looking_for_devices.clear()
    resources.warming_up.clear()

    resources.warming_up(studio).result(30)

    assert order == ["devices", "engine"]
    resources.looking_for_devices.clear()
    resources.warming_up.clear()
