"""Whose turn it is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.domain.queue import Move, Waiting, in_turn, moved, placed


def lines(**sessions: int) -> list[Waiting]:
    """So many waiting for each session, asked for session by session."""
    numbers = iter(range(1000))
    return [Waiting(f"{name}{nth}", name, next(numbers)) for name, count in sessions.items() for nth in range(count)]


def ids(waiting, served=None) -> list[str]:
    return [w.id for w in in_turn(waiting, served or {})]


def after(waiting: list[Waiting], places: dict[str, int]) -> list[Waiting]:
    return [replace(w, place=places.get(w.id, w.place)) for w in waiting]


WAITING = st.builds(lines, a=st.integers(0, 5), b=st.integers(0, 5), c=st.integers(0, 3))
MOVES = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(list(Move))), max_size=8)


def shuffled_by_moves(waiting: list[Waiting], moves) -> list[Waiting]:
    for nth, move in moves:
        if waiting:
            waiting = after(waiting, moved(waiting, waiting[nth % len(waiting)].id, move))
    return waiting


def test_one_session_is_served_in_the_order_of_asking():
    assert ids(lines(a=3)) == ["a0", "a1", "a2"]


def test_sessions_take_turns():
    assert ids(lines(a=3, b=2)) == ["a0", "b0", "a1", "b1", "a2"]


def test_the_session_that_was_served_longest_ago_begins():
    assert ids(lines(a=2, b=2), {"a": 9, "b": 5})[:2] == ["b0", "a0"]
    assert ids(lines(a=2, b=2), {"a": 9})[:2] == ["b0", "a0"]


def test_what_is_put_next_goes_before_every_session_and_the_latest_such_wish_wins():
    waiting = lines(a=2, b=2)

    waiting = after(waiting, moved(waiting, "b1", Move.NEXT))
    waiting = after(waiting, moved(waiting, "a1", Move.NEXT))

    assert ids(waiting)[:2] == ["a1", "b1"]


def test_earlier_later_and_last_move_within_the_line_of_the_session():
    waiting = lines(a=3, b=1)

    assert ids(after(waiting, moved(waiting, "a1", Move.EARLIER))) == ["a1", "b0", "a0", "a2"]
    assert ids(after(waiting, moved(waiting, "a0", Move.LATER))) == ["a1", "b0", "a0", "a2"]
    assert ids(after(waiting, moved(waiting, "a0", Move.LAST))) == ["a1", "b0", "a2", "a0"]


def test_what_is_asked_for_after_a_move_waits_behind_what_was_there():
    waiting = lines(a=2)
    waiting = after(waiting, moved(waiting, "a1", Move.EARLIER))

    assert ids([*waiting, Waiting("new", "a", 2000)]) == ["a1", "a0", "new"]


def test_what_is_dropped_goes_behind_its_own_that_stand_above():
    waiting = in_turn(lines(a=3, b=2), {})
    assert [w.id for w in waiting] == ["a0", "b0", "a1", "b1", "a2"]

    assert ids(after(waiting, placed(waiting, "a2", None))) == ["a2", "b0", "a0", "b1", "a1"]
    assert ids(after(waiting, placed(waiting, "a2", "b0"))) == ["a0", "b0", "a2", "b1", "a1"]
    assert ids(after(waiting, placed(waiting, "a0", "a2"))) == ["a1", "b0", "a2", "b1", "a0"]
    assert placed(waiting, "a2", "b1") == {"a0": 1, "a1": 2, "a2": 3}, "where it stood"


def test_what_is_dropped_below_one_that_waits_no_more_comes_first_of_its_own():
    waiting = in_turn(lines(a=3), {})

    assert ids(after(waiting, placed(waiting, "a2", "painted meanwhile"))) == ["a2", "a0", "a1"]
    assert placed(waiting, "gone", "a0") == {}
    assert placed(waiting, "a0", "a0") == {}


def test_an_id_that_no_longer_waits_moves_nothing():
    assert moved(lines(a=2), "gone", Move.NEXT) == {}


@given(WAITING, MOVES, st.dictionaries(st.sampled_from("abc"), st.integers(0, 99)))
def test_whatever_is_moved_everyone_stays_in_the_queue_once(waiting, moves, served):
    assert sorted(ids(shuffled_by_moves(waiting, moves), served)) == sorted(w.id for w in waiting)


@given(WAITING, st.dictionaries(st.sampled_from("abc"), st.integers(0, 99)))
def test_between_two_pictures_of_one_session_every_other_that_waits_is_served(waiting, served):
    order = [w.session for w in in_turn(waiting, served)]
    left = {session: order.count(session) for session in order}

    for at, session in enumerate(order):
        left[session] -= 1
        others = {s for s, n in left.items() if n and s != session}
        following = order[at + 1 : order.index(session, at + 1) if session in order[at + 1 :] else len(order)]
        if session in order[at + 1 :]:
            assert others <= set(following)


WITHOUT_NEXT = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([move for move in Move if move is not Move.NEXT])), max_size=8
)


@given(WAITING, WITHOUT_NEXT, st.dictionaries(st.sampled_from("abc"), st.integers(0, 99)), st.data())
def test_wherever_one_is_dropped_nobody_else_is_served_earlier_or_later(waiting, moves, served, data):
    before = in_turn(shuffled_by_moves(waiting, moves), served)
    if not before:
        return
    one, above = data.draw(st.sampled_from(before)), data.draw(st.sampled_from([None, *before]))

    now = in_turn(after(before, placed(before, one.id, above.id if above else None)), served)

    assert [w.session for w in now] == [w.session for w in before]
    assert [w.id for w in now if w.session != one.session] == [w.id for w in before if w.session != one.session]
    others = [w.id for w in before if w.session == one.session and w.id != one.id]
    assert [w.id for w in now if w.session == one.session and w.id != one.id] == others


@given(WAITING, WITHOUT_NEXT, st.dictionaries(st.sampled_from("abc"), st.integers(0, 99)), st.data())
def test_one_that_is_dropped_where_it_is_stays_there(waiting, moves, served, data):
    before = in_turn(shuffled_by_moves(waiting, moves), served)
    if not before:
        return
    at = data.draw(st.integers(0, len(before) - 1))
    above = before[at - 1].id if at else None

    assert ids(after(before, placed(before, before[at].id, above)), served) == [w.id for w in before]
