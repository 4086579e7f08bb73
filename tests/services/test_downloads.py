"""Downloads as rows: asked for, worked on, paused, resumed and cancelled, whatever becomes of who asked."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from core.domain.download import DownloadStatus, Wish
from core.domain.errors import InvalidInput, NoNetwork, UnknownModel
from core.domain.worker import DEAD_AFTER
from core.services.downloads import Downloads
from tests.fakes import POCKET, REMOTE

KEY = REMOTE.key


@pytest.fixture
def downloads(studio, monkeypatch) -> Downloads:
    monkeypatch.setattr("core.services.downloads.WRITE_EVERY_S", 0)
    return studio.downloads


@pytest.fixture
def hub(downloads):
    return downloads.catalogue


def fetch(hub, monkeypatch, *steps):
    """Let a download of the stand-in come to each step in turn: a number of bytes, or something to call."""

    def download(key, on_progress):
        for step in steps:
            if callable(step):
                step()
            else:
                on_progress(step, 100)
        hub.ready.add(key)

    monkeypatch.setattr(hub, "download", download)


def status(downloads) -> DownloadStatus:
    return downloads.get(KEY).status


def test_what_is_asked_for_waits_until_a_worker_fetches_it(downloads, hub):
    downloads.ask(KEY)
    assert status(downloads) is DownloadStatus.QUEUED
    assert downloads.repo.is_anything_queued()
    assert hub.downloads == []

    assert downloads.run_next()

    assert hub.downloads == [KEY]
    assert status(downloads) is DownloadStatus.SUCCEEDED
    assert (downloads.get(KEY).done_bytes, downloads.get(KEY).total_bytes) == (100, 100)
    assert not downloads.run_next()


def test_who_asks_twice_gets_one(downloads, hub):
    downloads.ask(KEY)
    downloads.ask(KEY)
    downloads.run_next()

    assert not downloads.run_next()
    assert hub.downloads == [KEY]


@pytest.mark.parametrize(("model", "error"), [(POCKET.key, InvalidInput), ("no such model", UnknownModel)])
def test_what_is_not_on_the_hub_is_refused(downloads, model, error):
    with pytest.raises(error):
        downloads.ask(model)

    assert downloads.unfinished() == []


def test_they_are_fetched_in_the_order_in_which_they_were_asked_for(downloads, hub):
    for model in ("a/second", "a/first"):
        downloads.ask(model)
    assert [d.model for d in downloads.unfinished()] == ["a/second", "a/first"]

    while downloads.run_next():
        pass

    assert hub.downloads == ["a/second", "a/first"]


def test_a_pause_in_the_middle_keeps_what_is_there_and_resume_goes_on(downloads, hub, monkeypatch):
    downloads.ask(KEY)
    fetch(hub, monkeypatch, 10, lambda: downloads.pause(KEY), 20, lambda: pytest.fail("it went on"))
    downloads.run_next()
    assert (status(downloads), downloads.get(KEY).done_bytes) == (DownloadStatus.PAUSED, 20)
    assert not downloads.run_next(), "a worker that starts anew leaves it alone"
    assert not hub.discarded

    downloads.resume(KEY)
    fetch(hub, monkeypatch, 20, 100)
    downloads.run_next()

    assert status(downloads) is DownloadStatus.SUCCEEDED


def test_one_that_waits_is_paused_and_cancelled_at_once(downloads, hub):
    downloads.ask(KEY)
    downloads.pause(KEY)
    assert status(downloads) is DownloadStatus.PAUSED
    downloads.resume(KEY)
    assert status(downloads) is DownloadStatus.QUEUED
    downloads.cancel(KEY)

    assert status(downloads) is DownloadStatus.CANCELLED
    assert downloads.unfinished() == []
    assert hub.discarded == [KEY]
    assert not downloads.run_next()


def test_a_cancel_in_the_middle_frees_what_was_fetched_in_part_once_nobody_writes_it_any_more(
    downloads, hub, monkeypatch
):
    def cancel():
        downloads.cancel(KEY)
        assert hub.discarded == []

    downloads.ask(KEY)
    fetch(hub, monkeypatch, 10, cancel, 20)
    downloads.run_next()

    assert status(downloads) is DownloadStatus.CANCELLED
    assert hub.discarded == [KEY]
    assert not hub.is_ready(KEY)


def test_a_pause_that_is_taken_back_before_it_is_obeyed_changes_nothing(downloads, hub, monkeypatch):
    downloads.ask(KEY)
    fetch(hub, monkeypatch, lambda: downloads.pause(KEY), lambda: downloads.resume(KEY), 50, 100)
    downloads.run_next()

    assert status(downloads) is DownloadStatus.SUCCEEDED


def test_what_goes_wrong_is_kept_in_words_with_its_link_and_can_be_tried_again(downloads, hub):
    downloads.ask(KEY)
    hub.error = NoNetwork("The hub cannot be reached.", link="https://example.org")
    downloads.run_next()
    failed = downloads.get(KEY)
    assert (failed.status, failed.error, failed.link) == (
        DownloadStatus.FAILED,
        "The hub cannot be reached.",
        "https://example.org",
    )

    hub.error = None
    downloads.ask(KEY)
    downloads.run_next()

    assert (status(downloads), downloads.get(KEY).error) == (DownloadStatus.SUCCEEDED, None)


def test_what_nobody_has_foreseen_is_told_by_its_number(downloads, hub):
    downloads.ask(KEY)
    hub.error = ZeroDivisionError("secret")
    downloads.run_next()

    assert status(downloads) is DownloadStatus.FAILED
    assert "secret" not in downloads.get(KEY).error


def test_a_worker_that_ends_gives_it_back(downloads, hub, monkeypatch):
    ending = replace(downloads, worker="ending", _halted=threading.Event())
    downloads.ask(KEY)
    fetch(hub, monkeypatch, 10, ending.halt, 20)
    ending.run_next()
    assert (status(downloads), downloads.get(KEY).done_bytes) == (DownloadStatus.QUEUED, 10)

    fetch(hub, monkeypatch, 20, 100)
    downloads.run_next()

    assert status(downloads) is DownloadStatus.SUCCEEDED


def test_what_a_dead_worker_held_is_taken_over_after_a_while(downloads, clock):
    downloads.ask(KEY)
    downloads.repo.claim_next("dead", clock())
    assert not downloads.run_next()

    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)

    assert downloads.run_next()
    assert status(downloads) is DownloadStatus.SUCCEEDED


def test_a_worker_that_was_thought_dead_stops_when_another_one_has_taken_over(downloads, hub, clock, monkeypatch):
    def taken_over():
        clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)
        assert downloads.repo.claim(KEY, "another", clock())

    downloads.ask(KEY)
    fetch(hub, monkeypatch, 10, taken_over, 20, lambda: pytest.fail("it went on"))
    downloads.run_next()

    assert status(downloads) is DownloadStatus.RUNNING
    assert downloads.repo.finish(KEY, "another", DownloadStatus.SUCCEEDED, clock())


def test_a_sign_of_life_is_given_also_while_no_byte_arrives(downloads, hub, clock, monkeypatch):
    monkeypatch.setattr("core.services.reporting.BEAT_EVERY_S", 0.01)
    beaten = threading.Event()
    beat = downloads.repo.beat
    monkeypatch.setattr(downloads.repo, "beat", lambda *given: beat(*given) and beaten.set())
    downloads.ask(KEY)
    fetch(hub, monkeypatch, lambda: beaten.wait(10) or pytest.fail("no sign of life"))

    downloads.run_next()

    assert status(downloads) is DownloadStatus.SUCCEEDED


def test_of_a_download_that_has_ended_nothing_is_asked_any_more(downloads):
    downloads.ask(KEY)
    downloads.run_next()
    downloads.pause(KEY)
    downloads.cancel(KEY)

    assert status(downloads) is DownloadStatus.SUCCEEDED
    assert downloads.get(KEY).wish is None
    assert not downloads.repo.wish("nobody/asked", Wish.PAUSE, downloads.now())
