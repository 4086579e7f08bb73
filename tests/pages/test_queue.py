"""The queue page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.generation import Origin, Status
from core.domain.worker import MachineFacts
from pages.ui.shell import state
from tests.conftest import a_request, interrupt

ROOT = Path(__file__).parents[2]
HOSTILE = "<b onclick=alert(1)>bold</b> [link](http://example.org)"


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


def waiting(studio) -> list[str]:
    return [w.id for w in studio.queue.repo.waiting()]


def test_an_empty_queue_says_so(queue):
    assert "Nothing is waiting." in words(queue())


def test_what_waits_is_listed_with_its_prompt_and_its_place(queue, studio):
    submit(studio, 2, prompt="a fox")

    page = queue()

    assert words(page).count("a fox") == 2
    assert "No. 2 in queue" in words(page)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_what_is_tried_again_says_why(queue, studio, status):
    [id] = submit(studio)
    repo, at = studio.worker.repo, datetime(2026, 1, 1, tzinfo=UTC)
    repo.claim(id, "dead", at)
    repo.requeue_dead("dead", "The system ended the worker.", at)
    if status is Status.RUNNING:
        repo.claim(id, "another", at)

    shown = words(queue())

    assert studio.gallery.get(id).status is status
    assert "The system ended the worker\\. It is tried again\\." in shown


def test_when_it_begins_is_told_once_there_is_experience(queue, studio, dispatcher):
    submit(studio, 1)
    dispatcher.drain()
    submit(studio, 2)

    assert "takes about" in words(queue())


def test_a_waiting_one_is_put_first(queue, studio):
    first, second = submit(studio, 2)

    queue().button(key=f"queue-next-{second}").click().run()

    assert waiting(studio) == [second, first]


def test_a_waiting_one_is_cancelled(queue, studio):
    first, second = submit(studio, 2)

    queue().button(key=f"queue-cancel-{first}").click().run()

    assert waiting(studio) == [second]
    assert studio.gallery.get(first).status is Status.CANCELLED


def test_all_are_cancelled_by_a_second_button_that_says_how_many_they_are(queue, studio):
    submit(studio, 3)
    page = queue()
    asking = page.get("popover")[0]
    assert asking.proto.popover.label == "Cancel all"
    assert [button.label for button in asking.button] == ["Cancel 3 generations"]

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


def test_what_another_tab_of_this_browser_submitted_is_mine_and_the_rest_is_someone_else_s(queue, studio, monkeypatch):
    name = "0123456789abcdef"
    monkeypatch.setattr("pages.ui.shell.state._cookies", lambda: {state.PERSON_COOKIE: name})
    studio.generations.submit(a_request(), origin=Origin(session=name))
    studio.generations.submit(a_request(), origin=Origin(session="fedcba9876543210"))

    said = words(queue())

    assert said.count("mine") == 1
    assert said.count("someone else’s") == 1


@pytest.mark.parametrize("sent", ["", "0123456789ABCDEF", "x" * 16, "a" * 5000, "<b>0123456789abc</b>"])
def test_a_cookie_that_is_no_name_is_not_taken(queue, studio, monkeypatch, sent):
    monkeypatch.setattr("pages.ui.shell.state._cookies", lambda: {state.PERSON_COOKIE: sent})

    named = queue().session_state["studio.person"]

    assert len(named) == 16
    assert named != sent


def test_a_prompt_is_shown_as_it_is(queue, studio):
    submit(studio, prompt=HOSTILE)

    assert "\\<b onclick" in words(queue())


def test_a_lost_picture_leaves_the_line_readable(queue, studio):
    [id] = submit(studio, prompt="a fox")
    studio.generations.images.path(studio.gallery.get(id).source).unlink()

    page = queue()

    assert "a fox" in words(page)
    assert "No picture" in words(page)


def test_buttons_of_the_same_title_have_names_of_their_own(queue, studio):
    submit(studio, 2, prompt=HOSTILE)

    page = queue()

    labels = [button.label for button in page.button if button.label.startswith("Cancel :small")]
    assert len(set(labels)) == 2
    assert all("2 in queue" in label or "1 in queue" in label for label in labels)
    assert all("\\<b onclick" in label for label in labels)


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
