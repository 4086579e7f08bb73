"""The Reproduction page: which to verify, how far it is, what was found, and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.reproduction import Batch
from tests.conftest import a_request
from tests.fakes import FakeInpainter, fake_environment
from tests.pages.tables import rows_on
from tests.pages.test_gallery import Grid
from tests.services.test_reproduction import verified, work_off

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here() -> list[dict[str, str]]:
    """The environments of this machine, as the page is told."""
    return [dict(fake_environment().facts)]


@pytest.fixture
def opened(studio, here, monkeypatch):
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    monkeypatch.setattr("core.services.machine.Machine.environments", lambda self: here)
    monkeypatch.setattr("pages.ui.components.gallery_grid._component", Grid())
    st.cache_data.clear()
    st.cache_resource.clear()

    def open_page() -> AppTest:
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).switch_page("pages/4_Reproduction.py").run()
        assert not page.exception
        return page

    return open_page


def painted(studio, count: int = 1, **params) -> list[str]:
    ids = studio.generations.submit(a_request(num_inference_steps=1, **params), count=count)
    studio.dispatcher.drain()
    return ids


def words_on(page: AppTest) -> str:
    parts = [e.value for kind in ("markdown", "caption", "info", "header") for e in page.get(kind)]
    return re.sub(r"\\(\W)", r"\1", "\n".join(map(str, parts))) + "\n" + "\n".join(rows_on(page))


def counts(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def choose(page: AppTest, wanted: str) -> AppTest:
    return page.get("button_group")[0].set_value(wanted).run()


def test_an_empty_gallery_says_that_there_is_nothing_to_verify(opened):
    page = opened()

    assert "nothing to verify yet" in page.info[0].value
    assert not page.button


def test_everything_that_is_not_yet_verified_is_queued_with_one_click(opened, studio):
    painted(studio, 3)
    page = opened()
    assert counts(page)["Not yet verified"] == "3"

    page.button(key="verify-all").click().run()

    assert studio.reproductions.batch() == Batch(total=3)
    assert not page.exception


def test_how_far_it_is_is_shown_and_what_waits_can_be_cancelled(opened, studio):
    painted(studio, 3)
    page = opened()
    page.button(key="verify-all").click().run()
    studio.worker.run_next()
    page.run()

    page.button(key="cancel-batch").click().run()

    assert not page.exception
    assert studio.reproductions.batch() == Batch()
    assert counts(opened())["EXACT"] == "1"


def test_what_was_made_in_another_environment_is_listed_with_its_changes(opened, studio, here):
    painted(studio, 2)
    here[:] = [dict(fake_environment(torch="2.14.1").facts)]

    page = choose(opened(), "elsewhere")

    assert "**2**: torch: 0.0.fake then, 2.14.1 now" in words_on(page)
    page.button(key="verify-all").click().run()
    assert studio.reproductions.batch() == Batch(total=2)


def test_when_nothing_was_made_elsewhere_that_is_said(opened, studio):
    painted(studio)

    page = choose(opened(), "elsewhere")

    assert "with the versions and settings of this machine" in words_on(page)
    assert page.button(key="verify-all").disabled


def test_verdicts_reasons_pictures_and_history_are_shown(opened, studio):
    ids = painted(studio, 2)
    for id in ids:
        verified(studio, id)
    other = FakeInpainter(environment=fake_environment(torch="2.14.1"))
    other.shift = 90
    verified(studio, ids[0], other)

    page = opened()

    assert counts(page) == {"EXACT": "1", "CLOSE": "0", "DIFFERENT": "1", "Not yet verified": "0"}
    words = words_on(page)
    assert "torch: 0.0.fake then, 2.14.1 now 1 0 0 1" in words
    assert "2026-01-01 2 0 1" in words
    assert "Show all in the gallery" in [link.label for link in page.get("page_link")]


@pytest.mark.slow
def test_why_some_could_not_be_verified_is_shown(opened, studio):
    from core.domain.errors import ModelNotDownloaded

    painted(studio, 2)
    studio.worker.load_inpainter.error = ModelNotDownloaded()
    page = opened()
    page.button(key="verify-all").click().run()
    work_off(studio)

    assert "2: This model is not on this machine yet" in words_on(opened())
