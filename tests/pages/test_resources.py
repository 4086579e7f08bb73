"""One studio for all sessions, one pipeline in memory."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.domain.errors import GenerationNotFound
from core.domain.gallery.filter import GalleryFilter
from pages.ui.shell import resources
from tests.conftest import a_request
from tests.fakes import FakeInpainter, fake_devices


def test_all_sessions_and_threads_share_one_pipeline_and_it_is_closed_with_the_cache(monkeypatch):
    monkeypatch.setattr(resources, "make_loader", lambda settings: FakeInpainter)
    resources.models.clear()

    loaded = resources.models()("a", "cpu")

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: resources.models()("a", "cpu")).result(20) is loaded
    assert resources.is_loaded("a", "cpu")
    resources.models.clear()
    assert loaded.closed == 1
    assert not resources.is_loaded("a", "cpu")
    resources.models.clear()


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
