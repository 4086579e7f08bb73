"""The first screen: what this is, what it runs on, where to begin, what was made last."""

from __future__ import annotations

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.domain.draft import Draft
from core.domain.errors import DatabaseUnusable, DeviceUnavailable, InvalidSettings, OutOfMemory
from core.domain.files.picture import Picture
from tests.conftest import a_picture, a_request
from tests.fakes import CUDA, fake_devices


@pytest.fixture
def tiles(monkeypatch):
    """The tiles of the grid, as the browser would get them."""
    given = []

    def component(*, data, **_):
        given[:] = data["tiles"]
        return {}

    monkeypatch.setattr("pages.ui.components.gallery_grid._component", component)
    return given


def words_on(page: AppTest) -> str:
    return "\n".join(element.value for kind in ("title", "header", "markdown", "caption") for element in page.get(kind))


def test_it_says_what_this_is_and_where_to_begin(home):
    page = home()

    assert page.title[0].value == "Inpaint Studio"
    assert "Repaint part of a picture" in words_on(page)
    assert "Nothing here yet" in words_on(page)
    assert [link.label for link in page.get("page_link")] == ["Open a picture", "Open the gallery"]


def test_it_shows_the_device_and_the_model_in_use(home):
    words = words_on(home())

    assert "A made\\-up processor" in words
    assert "Pocket :green-badge[ready]" in words


def test_nothing_waits_for_the_devices_to_be_found(home, studio, monkeypatch):
    told = studio.workers
    monkeypatch.setattr("core.services.machine.Machine.devices", lambda self: told.devices())

    words = words_on(home())

    assert "Looking for devices" in words
    assert "Pocket" in words


def test_it_tells_what_the_worker_holds(home, studio, clock):
    studio.presence.begin()
    studio.presence.repo.beat(studio.presence.name, clock(), "pocket-inpaint", "cpu", 541.2)

    words = words_on(home())
    studio.presence.end()

    assert "Pocket is loaded; the worker uses 541 MB of memory." in words
    assert "the worker uses" not in words_on(home())


def test_a_better_device_that_is_not_in_use_is_named_too(home, monkeypatch):
    page = home  # the machine below has a card, the settings chose the processor
    monkeypatch.setattr("core.engine.device.devices", lambda: (CUDA, *fake_devices()))

    assert "Also available: A made\\-up card" in words_on(page())


def test_a_model_that_is_not_here_yet_says_so(home, studio):
    studio.models.ready.clear()

    assert "not downloaded" in words_on(home())


def test_a_device_that_is_not_there_shows_a_sentence_and_the_rest_of_the_page(home, monkeypatch):
    def missing():
        raise DeviceUnavailable

    monkeypatch.setattr("core.engine.device.devices", missing)

    page = home()

    assert "not available on this machine" in page.error[0].value
    assert "Latest" in [heading.value for heading in page.header]


def test_the_latest_generations_are_shown_newest_first_and_counted(home, studio, dispatcher, tiles):
    ids = [id for n in range(12) for id in studio.generations.submit(a_request(prompt=f"picture {n}"))]
    dispatcher.drain()

    page = home()

    assert [tile["id"] for tile in tiles] == ids[::-1][:10]
    assert "All 12 generations in the gallery" in [link.label for link in page.get("page_link")]


def test_what_was_cancelled_or_failed_is_not_among_the_latest(home, studio, dispatcher, inpainter, tiles):
    [made] = studio.generations.submit(a_request())
    dispatcher.drain()
    for id in studio.generations.submit(a_request(), count=12):
        studio.generations.cancel(id)
    inpainter.fail_with(OutOfMemory())
    studio.generations.submit(a_request())
    dispatcher.drain()

    home()

    assert [tile["id"] for tile in tiles] == [made]


def test_what_is_in_work_is_told_and_nothing_if_nothing_is(home, studio):
    assert "In work" not in words_on(home())

    studio.generations.submit(a_request(prompt="a green bird"), count=2)

    words = words_on(home())
    assert "In work" in words
    assert "0 being painted, 2 waiting." in words


def test_on_a_phone_drafts_come_before_the_example(home, studio, monkeypatch):
    monkeypatch.setattr("pages.ui.shell.state.is_phone", lambda: True)
    first_visit = [link.label for link in home().get("page_link")]
    id = studio.drafts.start()
    studio.drafts.save(id, studio.drafts.open_picture(Draft(), Picture(a_picture()), "coast.png"))

    later = [link.label for link in home().get("page_link")]

    assert first_visit == ["Open a picture", "Open the gallery"]
    assert later == ["coast\\.png", "Open a picture", "Open the gallery"]


@pytest.mark.slow
def test_the_example_is_what_content_fill_makes_of_the_sample(tmp_path):
    from assets.example.make import HERE, make

    make(tmp_path)

    for name in ("before.webp", "after.webp"):
        made, shown = (np.asarray(Image.open(folder / name), np.float32) for folder in (tmp_path, HERE))
        assert np.abs(made - shown).mean() < 1, "another release of libwebp may round differently"
    before, after = (np.asarray(Image.open(HERE / name), np.float32) for name in ("before.webp", "after.webp"))
    assert np.abs(before - after).max() > 100, "the rocks are white, and gone"


def test_clicking_one_of_the_latest_opens_it_in_the_gallery(home, studio, dispatcher, monkeypatch):
    [id] = studio.generations.submit(a_request(prompt="a green bird"))
    dispatcher.drain()
    clicks = iter([{"open": id}])
    monkeypatch.setattr("pages.ui.components.gallery_grid._component", lambda **_: next(clicks, {}))
    st.cache_data.clear()

    page = home()

    assert page.query_params["generation"] == id
    assert "a green bird" in [block.value for block in page.code]


@pytest.mark.parametrize(
    "error",
    [
        InvalidSettings("Some settings are wrong. INPAINT_STUDIO_THREADS: must be a number."),
        DatabaseUnusable("The database cannot be opened. Check the data folder."),
    ],
)
def test_a_studio_that_cannot_be_built_says_why_in_one_sentence(home, error):
    page = home(error)

    [shown] = page.error
    assert str(error)[:20] in shown.value.replace("\\", "")
    assert "Inpaint Studio" in words_on(page)
