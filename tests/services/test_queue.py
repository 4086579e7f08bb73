"""The queue: order, pause, fairness, and how long it takes still."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.errors import InvalidMove, StudioError
from core.domain.generation import Origin, Status
from core.domain.queue import Move
from db.queue import LONG
from tests.conftest import a_request, make_studio


def submit(studio, session: str, count: int = 1) -> list[str]:
    return studio.generations.submit(a_request(), count=count, origin=Origin(session=session))


def worked_on(studio) -> list[str]:
    """Work off the queue; the ids in the order in which they were begun."""
    while studio.worker.run_next():
        pass
    generations = studio.gallery.browse().generations
    return [g.id for g in sorted((g for g in generations if g.started_at), key=lambda g: g.started_at)]


def test_sixty_pictures_of_one_session_do_not_keep_another_waiting(studio):
    many = submit(studio, "first", 4)
    [one] = submit(studio, "second")

    assert worked_on(studio)[:2] == [many[0], one]


def test_a_session_that_was_just_served_waits_for_one_that_was_not(studio):
    first = submit(studio, "first", 3)
    studio.worker.run_next()
    [other] = submit(studio, "second")

    assert worked_on(studio) == [first[0], other, first[1], first[2]]


def test_a_paused_queue_begins_nothing_until_it_is_resumed_also_after_a_restart(settings, inpainter, clock, studio):
    [id] = submit(studio, "a")
    studio.queue.pause()

    restarted = make_studio(settings, inpainter, clock)

    assert restarted.queue.is_paused()
    assert not restarted.worker.run_next()
    assert restarted.gallery.get(id).status is Status.QUEUED

    restarted.queue.resume()

    assert restarted.worker.run_next()
    assert restarted.gallery.get(id).status is Status.SUCCEEDED


def test_verifications_are_paused_too(studio):
    [id] = submit(studio, "a")
    worked_on(studio)
    studio.queue.pause()
    studio.reproductions.verify([id])

    assert not studio.worker.run_next()
    assert studio.queue.verifying() == 1


def test_the_order_is_kept_over_a_restart(settings, inpainter, clock, studio):
    first, second, third = submit(studio, "a", 3)
    studio.queue.move(third, Move.NEXT)
    studio.queue.move(second, Move.EARLIER)

    assert worked_on(make_studio(settings, inpainter, clock)) == [third, second, first]


def test_progress_counts_what_is_really_ahead(studio):
    first, second = submit(studio, "a", 2)

    studio.queue.move(second, Move.NEXT)

    assert studio.generations.progress(second).ahead == 0
    assert studio.generations.progress(first).ahead == 1


def test_cancel_all_takes_back_what_waits(studio):
    ids = submit(studio, "a", 3)

    assert studio.queue.cancel_all() == 3
    assert {studio.gallery.get(id).status for id in ids} == {Status.CANCELLED}
    assert studio.queue.view().waiting == ()


def test_who_cancels_theirs_leaves_other_people_s(studio, inpainter):
    mine, theirs = submit(studio, "me", 3), submit(studio, "other", 2)
    inpainter.after_step(1, lambda: studio.queue.cancel_all("me"))
    assert (studio.queue.count_of("me"), studio.queue.count_of("other")) == (3, 2)

    studio.worker.run_next()

    assert {studio.gallery.get(id).status for id in mine} == {Status.CANCELLED}
    assert [w.id for w in studio.queue.repo.waiting()] == theirs


def test_one_that_is_dropped_below_another_is_worked_on_there(studio):
    first, second, third = submit(studio, "a", 3)

    studio.queue.place(third, first)

    assert worked_on(studio) == [first, third, second]


def test_cancel_all_stops_what_is_being_painted_at_its_next_step(studio, inpainter):
    [id] = submit(studio, "a")
    inpainter.after_step(2, studio.queue.cancel_all)

    studio.worker.run_next()

    assert studio.gallery.get(id).status is Status.CANCELLED


def test_the_view_tells_when_each_begins_and_ends_from_what_earlier_ones_took(studio):
    first, second = submit(studio, "a", 2)
    queue = replace(studio.queue, estimates_s=lambda asked: [10.0] * len(asked))

    view = queue.view()

    assert [e.generation.id for e in view.waiting] == [first, second]
    assert [(e.starts_in_s, e.ends_in_s) for e in view.waiting] == [(0.0, 10.0), (10.0, 20.0)]


def test_without_any_experience_the_view_does_not_guess(studio):
    submit(studio, "a", 2)
    queue = replace(studio.queue, estimates_s=lambda asked: [None] * len(asked))

    assert [e.ends_in_s for e in queue.view().waiting] == [None, None]


def test_the_view_lists_so_many_and_counts_all(studio):
    submit(studio, "a", 5)

    view = studio.queue.view(limit=2)

    assert (len(view.waiting), view.waiting_count) == (2, 5)


def test_what_failed_or_was_cancelled_is_tried_again_as_a_new_one(studio, inpainter):
    failed, cancelled = submit(studio, "a", 2)
    inpainter.fail_with(StudioError("No."))
    studio.worker.run_next()
    studio.generations.cancel(cancelled)

    again = [studio.generations.retry(id) for id in (failed, cancelled)]

    assert [studio.gallery.get(id).parent_id for id in again] == [failed, cancelled]
    assert {studio.gallery.get(id).status for id in again} == {Status.QUEUED}


def test_what_succeeded_is_not_tried_again_but_run_again(studio):
    [id] = submit(studio, "a")
    studio.worker.run_next()

    with pytest.raises(InvalidMove, match="Re-run"):
        studio.generations.retry(id)


def test_in_a_long_queue_each_is_told_its_own_place(studio):
    ids = studio.generations.submit(a_request(), count=LONG + 5)

    assert [studio.generations.progress(id).ahead for id in ids] == list(range(LONG + 5))
    [last] = studio.generations.submit(a_request())
    assert studio.generations.progress(last).ahead == LONG + 5
