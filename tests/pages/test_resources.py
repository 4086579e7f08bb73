"""One studio for all sessions, one pipeline in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pages.ui.shell import resources
from tests.conftest import a_request


@pytest.fixture
def held(studio, clock):
    """The worker holds a model."""
    studio.presence.repo.begin("somebody", "here", 1, clock())
    studio.presence.repo.beat("somebody", clock(), "a", "cpu", 500.0)
    resources.pipeline.clear()
    yield studio.presence.repo
    resources.pipeline.clear()


def test_all_sessions_and_threads_share_the_handle_of_one_pipeline(studio, held):
    pipeline = resources.pipeline(studio, "a", "cpu")

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: resources.pipeline(studio, "a", "cpu")).result(20) is pipeline
    assert pipeline.is_loaded
    assert not held.takes_close("somebody")


def test_another_model_releases_the_pipeline_and_so_does_clearing_the_cache(studio, held):
    for release in (lambda: resources.pipeline(studio, "b", "cpu"), resources.pipeline.clear):
        resources.pipeline(studio, "a", "cpu")
        release()

        assert held.takes_close("somebody")
        assert not held.takes_close("somebody")


def test_a_released_pipeline_stays_as_long_as_something_that_waits_needs_it(studio, held, dispatcher):
    [id] = studio.generations.submit(a_request(model="a"))
    resources.pipeline(studio, "a", "cpu")
    resources.pipeline.clear()

    kept = not held.takes_close("somebody")
    studio.generations.cancel(id)

    assert kept
    assert held.takes_close("somebody")
