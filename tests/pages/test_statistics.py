"""The gallery in numbers, as its reader sees them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.errors import OutOfMemory
from tests.conftest import a_request
from tests.pages.tables import tables_on
from tests.pages.test_gallery import painted, words_on

ROOT = Path(__file__).parents[2]


@pytest.fixture
def statistics(studio, clock, monkeypatch):
    """Open the page at this query. Its time is the clock's, so that “the last week” is that of the test."""

    class Today(datetime):
        @classmethod
        def now(cls, zone=None):
            return clock.at

    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    monkeypatch.setattr("pages.ui.statistics.datetime", Today)
    st.cache_data.clear()

    def open_at(**query) -> AppTest:
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).switch_page("pages/5_Statistics.py")
        page.query_params.update(query)
        page.run()
        assert not page.exception
        return page

    return open_at


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_an_empty_gallery_says_what_will_be_here(statistics):
    page = statistics()

    assert "Nothing to count yet" in page.info[0].value
    assert [link.label for link in page.get("page_link")] == ["Make your first one"]


def test_durations_days_endings_and_verdicts_are_told(statistics, studio, dispatcher, inpainter, clock):
    ids = painted(studio, dispatcher, count=3)
    clock.wait(days=3)
    painted(studio, dispatcher, model="sd15-inpainting")
    inpainter.fail_with(OutOfMemory())
    painted(studio, dispatcher)
    studio.reproductions.verify(ids[:2])
    dispatcher.drain()

    page = statistics()

    assert (metrics(page)["Generations"], metrics(page)["Succeeded"]) == ("5", "80.0%")
    words = words_on(page)
    for said in ("By steps", "By size", "pocket-inpaint", "sd15-inpainting", "4 (80.0%)", "1 (20.0%)", "2 (50.0%)"):
        assert said in words
    assert {link.label for link in page.get("page_link")} == {"Succeeded", "Failed", "EXACT", "Not verified"}
    assert all(chart.proto.alt for chart in page.get("vega_lite_chart"))
    assert [row[0] for row in tables_on(page)[-1]] == ["From", "2026-01-04", "2026-01-01"]


def test_model_device_and_time_are_chosen_in_the_address(statistics, studio, dispatcher, clock):
    painted(studio, dispatcher, count=3)
    clock.wait(days=30)
    painted(studio, dispatcher, model="sd15-inpainting")
    painted(studio, dispatcher)

    assert metrics(statistics(days="7"))["Generations"] == "2"
    assert metrics(statistics(model="pocket-inpaint"))["Generations"] == "4"
    page = statistics(model=["pocket-inpaint"], days="7")
    assert metrics(page)["Generations"] == "1"
    page.multiselect(key="statistics-model").set_value([]).run()
    page.selectbox(key="statistics-days").set_value(90).run()
    assert metrics(page)["Generations"] == "5"
    assert dict(page.query_params) == {"days": "90"}
    page.multiselect(key="statistics-device").set_value(["cpu"]).run()
    assert dict(page.query_params) == {"days": "90", "device": "cpu"}


@pytest.mark.slow_but_first
@pytest.mark.parametrize("query", [{"days": "soon"}, {"days": "²"}, {"days": "-7"}, {"model": "\x00"}, {"device": "x"}])
def test_an_address_that_makes_no_sense_is_reported_with_a_message(statistics, studio, dispatcher, query):
    painted(studio, dispatcher)

    page = statistics(**query)

    assert page.metric or page.error or "Nothing matches" in page.info[0].value


def test_what_still_waits_has_no_times_and_no_share(statistics, studio):
    studio.generations.submit(a_request())

    page = statistics()

    assert metrics(page) == {"Generations": "1", "Succeeded": "none ended yet"}
    assert "No finished runs yet" in words_on(page)


@pytest.mark.slow
def test_the_share_that_succeeded_is_the_same_above_and_below_while_others_wait(
    statistics, studio, dispatcher, inpainter
):
    painted(studio, dispatcher, count=3)
    inpainter.fail_with(OutOfMemory())
    painted(studio, dispatcher)
    studio.generations.submit(a_request())

    page = statistics()

    assert metrics(page)["Succeeded"] == "75.0%"
    assert "3 (75.0%)" in words_on(page)


def test_a_model_without_steps_is_not_plotted_by_steps(statistics, studio, dispatcher):
    studio.models.specs["pocket-inpaint"] = replace(
        studio.models.specs["pocket-inpaint"], unused=("num_inference_steps",)
    )
    painted(studio, dispatcher)
    painted(studio, dispatcher, model="sd15-inpainting")

    by_steps, by_size = tables_on(statistics())[:2]

    assert [row[0] for row in by_steps] == ["Model", "sd15-inpainting, cpu"]
    assert len(by_size) == 1 + 2


def test_a_long_time_is_shown_in_weeks_and_months():
    from pages.ui.statistics import _unit

    first = datetime(2024, 1, 3, tzinfo=UTC).date()

    assert _unit(first, first)[0] == "yearmonthdate"
    unit, begins = _unit(first, first + timedelta(days=400))
    assert (unit, begins(first).isoformat()) == ("yearweek", "2023-12-31")
    unit, begins = _unit(first, first + timedelta(days=4000))
    assert (unit, begins(first).isoformat()) == ("yearmonth", "2024-01-01")
