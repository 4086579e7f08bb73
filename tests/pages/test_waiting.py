"""What the artist is told about time: how long it took in all, how long it will take, how far a verification is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.domain.generation import Generation, Status
from core.domain.params import InpaintParams
from pages.ui.shell.wording import waited
from tests.conftest import a_request
from tests.pages.test_gallery import gallery, grid, painted  # noqa: F401
from tests.pages.test_inpaint import draft, generate, words_on

ASKED = datetime(2026, 1, 1, tzinfo=UTC)


def took(queue_s: float, whole_s: float, **known: float) -> Generation:
    """One that was asked for at ASKED, begun so many seconds later, and there after whole_s."""
    begun, there = ASKED + timedelta(seconds=queue_s), ASKED + timedelta(seconds=whole_s)
    row = Generation("id", Status.SUCCEEDED, InpaintParams(), "cpu", "s", "m", 8, 8, ASKED)
    return replace(row, started_at=begun, finished_at=there, **known)


@pytest.mark.parametrize(
    ("generation", "words"),
    [
        (
            took(2, 45, load_s=38, runtime_s=3.5),
            "45.0 s in all: 2.0 s in the queue, 38.0 s to load the model, 3.5 s to paint",
        ),
        (took(0.001, 4, load_s=0.0001, runtime_s=3.9), "4.0 s in all"),
        (took(0, 20, load_s=0.1, runtime_s=4), "20.0 s in all: 4.0 s to paint"),
        (took(60, 64, load_s=0, runtime_s=4), "1 min 4 s in all: 1 min 0 s in the queue, 4.0 s to paint"),
    ],
)
def test_the_time_that_is_told_is_the_time_that_was_waited(generation, words):
    assert waited(generation) == words


def test_one_that_is_not_there_or_came_from_elsewhere_has_not_been_waited_for():
    assert waited(replace(took(0, 9), runtime_s=None)) is None
    assert waited(replace(took(0, 9, runtime_s=4), finished_at=None)) is None
    assert waited(replace(took(0, 9, runtime_s=4), started_at=None)) is None


@pytest.mark.slow
def test_the_result_tells_the_whole_time(ready, studio, dispatcher, clock):
    generate(ready)
    clock.wait(seconds=40)
    dispatcher.drain()

    assert "40.0 s in all: 40.0 s in the queue" in words_on(ready.run())


def test_the_estimate_counts_the_queue_and_the_model_that_is_not_loaded(ready, studio, dispatcher, monkeypatch):
    generate(ready)
    dispatcher.drain()
    monkeypatch.setattr("core.services.statistics.Statistics.estimate_s", lambda *_: 2.0)
    monkeypatch.setattr("db.statistics.StatisticsRepo.latest_loads", lambda *_: [30.0, 0.0001, 31.0, 29.0])
    ready.run()
    assert "About 32.0 s on cpu: 30.0 s to load the model, 2.0 s to paint" in words_on(ready)

    studio.generations.submit(a_request(), count=2)
    ready.run()
    assert re.search(
        r"About 3[2-9]\.\d s on cpu: 2 in the queue first, .* s, 30\.0 s to load the model", words_on(ready)
    )

    monkeypatch.setattr("core.services.workers.Workers.holds", lambda *_: True)
    ready.run()
    assert re.search(r"About 2\.\d s on cpu: 2 in the queue first, .* s, 2\.0 s to paint", words_on(ready))


def test_verify_answers_beside_its_button_with_progress_and_a_way_to_end_it(gallery, studio, dispatcher, inpainter):  # noqa: F811
    [id] = painted(studio, dispatcher)
    page = gallery(generation=id)

    page.button(key=f"verify-{id}").click().run()

    verification = studio.reproductions.of(id)[0]
    assert page.button(key=f"verify-{id}").disabled
    assert "Waiting to be verified" in page.get("progress")[0].proto.text
    said = []
    inpainter.after_step(1, lambda: said.append(gallery(generation=id).get("progress")[0].proto.text))
    dispatcher.drain()
    assert "Running again to compare" in said[0]
    page = gallery(generation=id)
    assert "Reproduction: EXACT" in words_on(page)
    assert "It took" in words_on(page)
    assert studio.reproductions.get(verification.id).started_at is not None


@pytest.mark.slow
def test_a_verification_is_cancelled_where_it_was_asked_for(gallery, studio, dispatcher):  # noqa: F811
    [id] = painted(studio, dispatcher)
    page = gallery(generation=id)
    page.button(key=f"verify-{id}").click().run()

    page.button(key=f"cancel-{studio.reproductions.of(id)[0].id}").click().run()
    dispatcher.drain()

    assert studio.reproductions.of(id)[0].status is Status.CANCELLED
    assert "The verification was cancelled." in words_on(gallery(generation=id))


def test_a_result_is_verified_on_the_page_where_it_was_made(ready, studio, dispatcher):
    generate(ready)
    dispatcher.drain()
    ready.run()
    [id] = draft(studio, ready).generations

    ready.button(key=f"verify-{id}").click().run()
    dispatcher.drain()

    assert "Reproduction: EXACT" in words_on(ready.run())


def test_a_running_verification_reports_its_steps_and_stops_when_all_are_cancelled(studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request(num_inference_steps=4))
    dispatcher.drain()
    [verification] = studio.reproductions.verify([id])
    seen = []

    def look() -> None:
        now = studio.reproductions.get(verification)
        seen.append((now.status, now.total))
        studio.reproductions.cancel_all()

    inpainter.after_step(2, look)
    dispatcher.drain()

    assert seen == [(Status.RUNNING, 4)]
    assert studio.reproductions.get(verification).status is Status.CANCELLED
    assert studio.reproductions.get(verification).reproduction is None
