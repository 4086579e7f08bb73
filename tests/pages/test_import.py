"""Importing on the page: several files at once, a report on each, and what the card of an imported picture shows."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.generation import Relation
from tests.conftest import a_picture
from tests.pages.test_gallery import button, gallery, grid, words_on  # noqa: F401 - fixtures

SAMPLES = Path(__file__).parents[1] / "data" / "metadata"


@pytest.fixture
def panel(studio, monkeypatch):
    """A page with nothing but the import panel."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    st.cache_data.clear()

    def page() -> None:
        from pages.ui.gallery.import_panel import import_panel
        from pages.ui.shell.resources import studio

        import_panel(studio())

    return AppTest.from_function(page, default_timeout=30).run()


def give(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    for name, data in files:
        page.file_uploader[0].upload(name, data, "image/png")
    page.button[0].click().run()
    assert not page.exception
    return page


def told(page: AppTest) -> str:
    elements = [*page.markdown, *page.caption]
    return re.sub(r"\\(\W)", r"\1", "\n".join(element.value for element in elements))


def sample(name: str) -> tuple[str, bytes]:
    return name, (SAMPLES / name).read_bytes()


def silent_picture() -> tuple[str, bytes]:
    file = io.BytesIO()
    a_picture().save(file, "PNG")
    return "silent.png", file.getvalue()


def test_several_files_come_in_and_each_has_its_line(panel, studio):
    page = give(panel, sample("comfyui.png"), sample("a1111.jpg"), silent_picture(), ("bad.png", b"no picture"))

    words = told(page)
    assert "comfyui.png: imported, from ComfyUI" in words
    assert "silent.png: skipped" in words
    assert "bad.png: refused. This file cannot be read as a picture" in words
    assert studio.gallery.count() == 2


def test_a_bundle_is_one_file_and_several_generations(panel, studio, tmp_path, clock):
    from tests.conftest import FakeInpainter, Settings, a_request, make_studio

    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), FakeInpainter(), clock)
    ids = elsewhere.generations.submit(a_request(), count=2)
    elsewhere.dispatcher.drain()
    file = io.BytesIO()
    elsewhere.bundles.export(ids, file)

    words = told(give(panel, ("two.zip", file.getvalue()), sample("comfyui.png")))

    assert "**2 files imported**: 3 generations" in words
    assert studio.gallery.count() == 3


def test_the_report_is_shown_once(panel):
    page = give(panel, sample("comfyui.png"))

    page.run()

    assert told(page) == ""


def test_pictures_that_say_nothing_come_in_when_asked_for(panel, studio):
    panel.toggle[0].set_value(True)

    give(panel, silent_picture())

    assert [g.relation for g in studio.gallery.browse().generations] == [Relation.IMPORT]


def test_the_card_of_an_imported_picture_shows_what_was_stated_and_who_made_it(panel, studio, gallery):  # noqa: F811
    give(panel, sample("a1111.png"))
    [generation] = studio.gallery.browse().generations

    page = gallery(generation=generation.id)

    words = words_on(page)
    stated = generation.record.imported.stated
    assert "Imported from A1111, Forge or alike" in words
    assert generation.params.prompt in words
    assert ("Grow mask" in words) is ("mask_grow_px" in stated)
    assert f"Seed {generation.params.seed}" in words
    assert "cannot be run again or verified" in words
    labels = [b.label for b in page.button if (b.key or "").endswith(generation.id)]
    assert "Load into Inpaint" in labels
    assert not {"Re-run", "Verify"} & set(labels)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["comfyui.webp", "fooocus.jpg", "invokeai.png", "novelai.png", "sdnext.png", "studio-1.png"]
)
def test_the_card_shows_pictures_of_every_tool(panel, studio, gallery, name):  # noqa: F811
    give(panel, sample(name))
    [generation] = studio.gallery.browse().generations

    page = gallery(generation=generation.id)

    assert not page.error


def test_an_imported_picture_is_loaded_into_inpaint_with_what_it_states_and_no_mask(panel, studio, gallery):  # noqa: F811
    give(panel, sample("a1111.png"))
    [generation] = studio.gallery.browse().generations
    page = gallery(generation=generation.id)

    draft = studio.drafts.from_generation(generation)

    assert draft.base_mask is None
    assert set(draft.params) == set(generation.record.imported.stated)
    assert button(page, "Load into Inpaint", of=generation.id)
