"""The models page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.download import DownloadStatus
from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from tests import models_folder as make
from tests.conftest import a_request

ROOT = Path(__file__).parents[2]
HOSTILE = "<b>bold</b> [link](x)"


@pytest.fixture
def tiles(monkeypatch) -> list[dict]:
    """What the grid was given last; the id in opening is clicked in its next run."""
    shown: list[dict] = []

    def grid(*, data, **_):
        shown[:] = data["tiles"]
        return {}

    monkeypatch.setattr("pages.ui.components.gallery_grid._component", grid)
    return shown


@pytest.fixture
def library(studio, settings, tmp_path):
    """The studio whose models are those of the test's folder."""
    catalogue = Catalogue(settings, cache=tmp_path / "hub")
    store = LocalModels(settings, catalogue, cache=tmp_path / "hub")
    library = replace(studio.library, store=store, catalogue=catalogue)
    return replace(
        studio,
        models=catalogue,
        library=library,
        model_checks=replace(studio.model_checks, models=library),
        downloads=replace(studio.downloads, catalogue=catalogue),
        recommendations=replace(studio.recommendations, models=catalogue),
    )


@pytest.fixture
def models(library, tiles, monkeypatch):
    """Open the page, at an address."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: library)
    st.cache_data.clear()

    def open_page(**query: str) -> AppTest:
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).switch_page("pages/6_Models.py")
        page.query_params.update(query)
        page.run()
        assert not page.exception
        return page

    return open_page


def words(page: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*page.markdown, *page.caption, *page.warning, *page.success, *page.error])


def titles(tiles) -> list[str]:
    return [tile["title"] for tile in tiles]


def test_what_is_bundled_is_shown_in_the_first_minute(models, tiles):
    page = models()

    assert titles(tiles) == ["Content fill, for removing (bundled)", "Pocket (bundled)"]
    assert [tile["badge"] for tile in tiles] == ["Content fill", "Checkpoint"]
    assert "2 of 2 models" in words(page)


def test_prepared_copies_are_told_and_deleted(models, settings):
    assert "Prepared copies" not in words(models())
    settings.prepared.mkdir()
    (settings.prepared / "a.safetensors").write_bytes(bytes(2_000_000))

    page = models()
    assert "Prepared copies of models kept in eight bits (int8): 2 MB" in words(page)
    page.button(key="models-prepared").click().run()

    assert list(settings.prepared.iterdir()) == []
    assert "Prepared copies" not in words(page)


def test_the_list_is_narrowed_by_words_kind_and_family_and_the_address_keeps_them(models, tiles, settings):
    make.lora(settings.models / "loras" / "ink.safetensors", "sd1")
    make.lora(settings.models / "loras" / "ink xl.safetensors", "xl")
    make.checkpoint(settings.models / "checkpoints" / "ink dream.safetensors")

    page = models()
    page.text_input(key="models-search").set_value("INK").run()
    assert titles(tiles) == ["ink", "ink dream", "ink xl"]
    page.selectbox(key="models-kind").set_value("lora").run()
    assert titles(tiles) == ["ink", "ink xl"]
    page.selectbox(key="models-family").set_value("Stable Diffusion XL").run()
    assert titles(tiles) == ["ink xl"]

    models(**page.query_params)
    assert titles(tiles) == ["ink xl"]


@pytest.mark.parametrize("asked", [{"kind": "sofa"}, {"family": "x"}, {"page": "-1"}, {"page": "9" * 9}, {"sort": "x"}])
def test_an_address_that_asks_for_what_is_not_there_shows_all(models, tiles, asked):
    models(**asked)

    assert len(tiles) == 2


def test_500_are_turned_over_page_by_page(models, tiles, settings):
    make.many_loras(settings.models / "loras", 500)

    page = models(kind="lora")
    assert (len(tiles), tiles[0]["title"]) == (60, "style 000")
    page.button(key="models-next").click().run()
    assert tiles[0]["title"] == "style 060"
    assert "Page 2 of 9" in words(page)
    models(kind="lora", page="9")
    assert tiles[-1]["title"] == "style 499"


def test_the_open_model_tells_what_is_known_of_it(models, library, settings):
    file = make.checkpoint(settings.models / "checkpoints" / "dream.safetensors")
    library.generations.submit(a_request(model=str(file)), count=2)

    told = words(models(model=str(file)))

    assert "Checkpoint for Stable Diffusion 1" in told
    assert "Memory: fits: needs about" in told
    assert "2 generations, last" in told
    assert "not computed yet" in told


def test_content_fill_is_a_kind_of_its_own_that_can_be_used_and_has_nothing_to_verify(models, tiles):
    page = models(kind="content-fill", model="content-fill")

    assert titles(tiles) == ["Content fill, for removing (bundled)"]
    assert page.button(key="model-use")
    assert not [button for button in page.button if button.key == "model-verify"]
    assert "Checkpoint" not in words(page)


def test_trigger_words_can_be_copied_and_nothing_from_a_file_is_taken_for_markup(models, settings):
    file = make.lora(settings.models / "loras" / "ink.safetensors", **{"modelspec.trigger_phrase": HOSTILE})

    page = models(model=str(file))

    assert [code.value for code in page.code] == [HOSTILE, "<lora:ink:1>"]
    assert HOSTILE not in words(page)


def test_a_model_that_cannot_be_used_says_why_and_is_not_offered_for_inpainting(models, tiles, settings):
    file = make.checkpoint(settings.models / "checkpoints" / "half.safetensors", parts=("first_stage_model",))

    page = models(model=str(file))

    assert "comes without its text encoder" in page.warning[0].value
    assert not [button for button in page.button if button.key == "model-use"]
    assert {tile["title"]: tile["badge"] for tile in tiles}["half"] == "Unusable"


def test_verify_is_a_row_that_a_worker_reads_and_any_later_visit_shows(models, library, settings):
    file = make.lora(settings.models / "loras" / "ink.safetensors")

    page = models(model=str(file))
    page.button(key="model-verify").click().run()
    assert [bar.proto.text for bar in page.get("progress")] == ["Waiting"]
    assert page.button(key="model-verify").disabled
    library.model_checks.run_next()

    another = models(model=str(file))
    assert library.library.find("ink").sha256.removeprefix("sha256:") in words(another)
    assert "Its hash is kept" in words(another)
    assert not another.get("progress")


def test_a_model_that_waits_to_be_verified_can_be_given_up(models, library, settings):
    file = make.lora(settings.models / "loras" / "ink.safetensors")
    library.model_checks.ask("ink")

    models(model=str(file)).button(key="model-verify-cancel").click().run()

    assert not library.model_checks.run_next()
    assert not models(model=str(file)).get("progress")


def test_remove_says_what_is_lost_and_deletes_at_the_second_click(models, tiles, settings):
    file = make.lora(settings.models / "loras" / "ink.safetensors")

    page = models(model=str(file))
    assert "This deletes ink" in words(page)
    assert file.exists()
    page.button(key="model-remove").click().run()

    assert not file.exists()
    assert not page.exception
    assert "ink" not in titles(tiles)


def test_a_model_is_taken_over_to_the_inpaint_page_with_what_suits_it(models, library, settings):
    file = make.checkpoint(settings.models / "checkpoints" / "dream.safetensors")

    page = models(model=str(file))
    page.button(key="model-use").click().run()

    params = library.drafts.get(str(page.query_params["draft"])).params
    assert (params["model"], params["size"]) == (str(file), 512)


# Downloads -------------------------------------------------------------------------------------------------------


def test_what_can_be_had_is_listed_with_licence_and_memory(models):
    told = words(models(view="download"))

    assert "Stable Diffusion 1\\.5 inpainting" in told
    assert "CreativeML Open RAIL" in told
    assert "are free on the disk" in told
    assert "needs about 7.0 GB" in told


def test_a_click_on_download_makes_a_row_that_another_visit_finds_and_can_stop(models, library):
    models(view="download").button(key="download-sd14").click().run()
    assert library.downloads.get("sd14").status is DownloadStatus.QUEUED

    another = models(view="download")
    another.button(key="download-sd14-pause").click().run()
    assert library.downloads.get("sd14").status is DownloadStatus.PAUSED
    another.button(key="download-sd14-resume").click().run()
    assert library.downloads.get("sd14").status is DownloadStatus.QUEUED
    another.button(key="download-sd14-cancel").click().run()

    assert library.downloads.get("sd14").status is DownloadStatus.CANCELLED
    assert models(view="download").button(key="download-sd14")


def test_how_far_a_download_is_can_be_read(models, library):
    library.downloads.ask("sd14")
    library.downloads.repo.claim("sd14", "a worker", library.downloads.now())
    library.downloads.repo.beat("sd14", "a worker", library.downloads.now(), 1_200_000_000, 5_500_000_000)

    page = models(view="download")

    assert "Downloading, 1.2 GB of 5.5 GB" in [bar.proto.text for bar in page.get("progress")]


def test_a_download_that_failed_says_why_and_is_tried_again(models, library):
    library.downloads.ask("sd14")
    library.downloads.repo.claim("sd14", "w", library.downloads.now())
    library.downloads.repo.finish(
        "sd14", "w", DownloadStatus.FAILED, library.downloads.now(), error="No network.", link="https://example.org"
    )

    page = models(view="download")
    assert "No network" in page.error[0].value
    assert "https://example.org" in page.error[0].value
    page.button(key="download-sd14-resume").click().run()

    assert library.downloads.get("sd14").status is DownloadStatus.QUEUED


@pytest.mark.parametrize("id", ["somebody/model", "https://huggingface.co/somebody/model"])
def test_any_other_model_is_had_by_its_id_or_address_and_shown_with_the_others_from_then_on(models, library, id):
    page = models(view="download")
    page.text_input(key="models-hub-id").set_value(id).run()
    page.button(key="download-somebody/model").click().run()

    assert library.downloads.get("somebody/model").status is DownloadStatus.QUEUED
    another = models(view="download")
    assert another.button(key="download-somebody/model-cancel")
    shown = [text.value for text in another.markdown if text.value.startswith("**")]
    assert shown[0] == "**somebody/model**"


def test_an_id_that_is_none_ends_in_a_sentence(models):
    page = models(view="download")
    page.text_input(key="models-hub-id").set_value("no id").run()

    assert "no such model" in page.error[0].value


def test_the_address_keeps_which_of_the_two_is_shown(models, tiles):
    page = models(kind="lora")
    page.segmented_control(key="models-view").set_value("download").run()
    assert dict(page.query_params) == {"view": "download"}
    page.segmented_control(key="models-view").set_value("").run()

    assert dict(page.query_params) == {}
    assert len(tiles) == 2


def test_an_address_of_a_model_that_is_gone_says_so(models):
    page = models(model="gone")

    assert "There is no model gone" in words(page)
