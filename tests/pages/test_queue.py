"""The queue page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.generation import Origin, Status
from core.domain.sheet import Axis, Sheet
from core.domain.worker import MachineFacts
from pages.ui import queue as queue_page
from pages.ui.queue import INTERRUPTED, WORK
from pages.ui.shell import state
from tests.conftest import a_request, interrupt

ROOT = Path(__file__).parents[2]


@dataclass
class Lists:
    """Stands in for the lists of the browser: keeps the rows of each."""

    rows: dict[str, list[dict]] = field(default_factory=dict)

    def __call__(self, *, key, data, on_act_change):
        self.rows[key] = list(data["rows"])

    @property
    def work(self) -> list[dict]:
        return self.rows.get(WORK, [])


@pytest.fixture(autouse=True)
def lists(monkeypatch) -> Lists:
    lists = Lists()
    monkeypatch.setattr("pages.ui.components.work_list._component", lists)
    return lists


def act(studio, monkeypatch, **what) -> None:
    """As if it had been done in the browser: the callback finds it in the session."""
    monkeypatch.setattr("pages.ui.shell.state.snapshot", lambda: {WORK: {"act": what}})
    queue_page._act(studio, WORK)


@pytest.fixture
def queue(studio, monkeypatch):
    """Open the page."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    st.cache_data.clear()

    def open_page() -> AppTest:
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).switch_page("pages/3_Queue.py").run()
        assert not page.exception
        return page

    return open_page


def submit(studio, count: int = 1, **params) -> list[str]:
    return studio.generations.submit(a_request(**params), count=count, origin=Origin(session="another"))


def words(page: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*page.markdown, *page.caption, *page.warning])


def said(lists: Lists) -> str:
    """All words of the rows."""
    return "\n".join(f"{row['title']} {row['detail']} {row['when']}" for row in lists.work)


def waiting(studio) -> list[str]:
    return [w.id for w in studio.queue.repo.waiting()]


def test_an_empty_queue_says_so(queue):
    assert "Nothing is waiting." in words(queue())


def test_what_waits_is_listed_with_its_prompt_and_its_place(queue, studio, lists):
    submit(studio, 2, prompt="a fox")

    queue()

    assert [row["title"] for row in lists.work] == ["a fox", "a fox"]
    assert lists.work[1]["spoken"] == "No. 2 in queue, a fox, seed 1"
    assert all(row["is_movable"] and row["picture"] for row in lists.work)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_what_is_tried_again_says_why(queue, studio, status, lists):
    [id] = submit(studio)
    repo, at = studio.worker.repo, datetime(2026, 1, 1, tzinfo=UTC)
    repo.claim(id, "dead", at)
    repo.requeue_dead("dead", "The system ended the worker.", at)
    if status is Status.RUNNING:
        repo.claim(id, "another", at)

    queue()

    assert studio.gallery.get(id).status is status
    assert "The system ended the worker. It is tried again." in said(lists)


def test_when_it_begins_is_told_once_there_is_experience(queue, studio, dispatcher, lists):
    submit(studio, 1)
    dispatcher.drain()
    submit(studio, 2)

    queue()

    assert "takes about" in said(lists)


def test_rows_of_one_picture_and_prompt_say_in_what_they_differ(queue, studio, lists):
    studio.sheets.submit(a_request(prompt="a fox"), Sheet(Axis("guidance_scale", (1.0, 2.5)), Axis("seed", (7, 8))))
    studio.generations.submit(a_request(prompt="a hen", num_inference_steps=9, seed=3))

    queue()

    details = {row["detail"].removesuffix(" · someone else’s") for row in lists.work}
    assert details == {
        "Guidance scale 1 · Seed 7",
        "Guidance scale 2.5 · Seed 7",
        "Guidance scale 1 · Seed 8",
        "Guidance scale 2.5 · Seed 8",
        "pocket-inpaint · 9 steps · seed 3",
    }


def test_what_is_done_on_a_row_is_done(studio, monkeypatch):
    first, second, third = submit(studio, 3)

    act(studio, monkeypatch, do="next", id=third)
    assert waiting(studio) == [third, first, second]
    act(studio, monkeypatch, do="place", id=third, after=first)
    assert waiting(studio) == [first, third, second]
    act(studio, monkeypatch, do="later", id=first, after=None)
    assert waiting(studio) == [third, first, second]
    act(studio, monkeypatch, do="cancel", id=first)
    assert waiting(studio) == [third, second]
    assert studio.gallery.get(first).status is Status.CANCELLED


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"do": "cancel"},
        {"do": "format", "id": "x"},
        {"do": "next", "id": ["x"]},
        {"do": "place", "id": "x", "after": 3},
        {"do": "place", "id": "gone", "after": "x" * 10_000},
        {"do": "__class__", "id": "x"},
    ],
)
def test_what_a_browser_should_not_send_does_nothing(studio, monkeypatch, sent):
    ids = submit(studio, 2)

    act(studio, monkeypatch, **sent)

    assert waiting(studio) == ids


def test_what_cannot_be_done_is_told(studio, monkeypatch):
    [id], told = submit(studio), []
    monkeypatch.setattr("pages.ui.queue.tell_problem", told.append)

    act(studio, monkeypatch, do="resume", id=id)

    assert [error.code for error in told] == ["InvalidMove"]
    assert waiting(studio) == [id]


def test_mine_or_all_are_cancelled_by_buttons_that_say_how_many_they_are(queue, studio, monkeypatch):
    monkeypatch.setattr("pages.ui.shell.state._cookies", lambda: {state.PERSON_COOKIE: "0123456789abcdef"})
    theirs = submit(studio, 3)
    studio.generations.submit(a_request(), count=2, origin=Origin(session="0123456789abcdef"))
    page = queue()
    asking = page.get("popover")[0]
    assert asking.proto.popover.label == "Cancel mine or all"
    assert [button.label for button in asking.button] == [
        "Cancel my 2 generations",
        "Cancel all 5 generations, also other people's",
    ]

    page.button(key="queue-cancel-mine").click().run()

    assert waiting(studio) == theirs
    assert [button.label for button in page.get("popover")[0].button] == [
        "Cancel all 3 generations, also other people's"
    ]

    page.button(key="queue-cancel-all").click().run()

    assert waiting(studio) == []
    assert "Nothing is waiting." in words(page)
    assert not page.get("popover")
    assert page.button(key="queue-cancel-none").disabled


def test_a_pause_is_seen_and_ended(queue, studio):
    submit(studio, 1)

    page = queue().button(key="queue-pause").click().run()

    assert studio.queue.is_paused()
    assert "paused" in words(page)
    assert "begins" not in words(page).replace("nothing new begins", "")

    page.button(key="queue-resume").click().run()

    assert not studio.queue.is_paused()


def test_interrupted_ones_are_continued_together(queue, studio):
    ids = submit(studio, 2)
    for id in ids:
        interrupt(studio, id)

    queue().button(key="queue-continue-all").click().run()

    assert sorted(waiting(studio)) == sorted(ids)


def test_interrupted_ones_have_rows_with_a_button(queue, studio, lists, monkeypatch):
    [id] = submit(studio, prompt="a fox")
    interrupt(studio, id)

    queue()

    [row] = lists.rows[INTERRUPTED]
    assert (row["title"], row["buttons"]) == ("a fox", (("resume", "Continue", False),))
    act(studio, monkeypatch, do="resume", id=id)
    assert waiting(studio) == [id]


def test_what_another_tab_of_this_browser_submitted_is_mine_and_the_rest_is_someone_else_s(
    queue, studio, monkeypatch, lists
):
    name = "0123456789abcdef"
    monkeypatch.setattr("pages.ui.shell.state._cookies", lambda: {state.PERSON_COOKIE: name})
    studio.generations.submit(a_request(), origin=Origin(session=name))
    studio.generations.submit(a_request(), origin=Origin(session="fedcba9876543210"))

    queue()

    assert said(lists).count("mine") == 1
    assert said(lists).count("someone else’s") == 1


@pytest.mark.parametrize("sent", ["", "0123456789ABCDEF", "x" * 16, "a" * 5000, "<b>0123456789abc</b>"])
def test_a_cookie_that_is_no_name_is_not_taken(queue, studio, monkeypatch, sent):
    monkeypatch.setattr("pages.ui.shell.state._cookies", lambda: {state.PERSON_COOKIE: sent})

    named = queue().session_state["studio.person"]

    assert len(named) == 16
    assert named != sent


def test_a_lost_picture_leaves_the_row_readable(queue, studio, lists):
    [id] = submit(studio, prompt="a fox")
    studio.generations.images.path(studio.gallery.get(id).source).unlink()

    queue()

    assert [(row["title"], row["picture"]) for row in lists.work] == [("a fox", None)]


def test_what_waits_for_want_of_a_worker_says_so(queue, studio, settings, monkeypatch):
    studio.generations.submit(a_request())
    alone, shown = settings.model_copy(update={"embedded_worker": False}), {}
    for name, these in [("starting", settings.model_copy(update={"embedded_worker": True})), ("missing", alone)]:
        monkeypatch.setattr("pages.ui.shell.resources.studio", lambda these=these: replace(studio, settings=these))
        shown[name] = words(queue())
    studio.presence.begin()
    studio.presence.repo.tell(studio.presence.name, MachineFacts())
    there = words(queue())
    studio.presence.end()

    assert "The worker is starting." in shown["starting"]
    assert "Start one with: python -m core worker" in shown["missing"]
    assert "worker" not in there
