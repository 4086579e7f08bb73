"""The states of a generation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidMove
from core.domain.generation import MOVES, Phase, Progress, Status

statuses = st.sampled_from(Status)


@given(statuses, statuses)
def test_only_the_listed_moves_are_allowed(status, other):
    if other in MOVES[status]:
        assert status.move_to(other) is other
    else:
        with pytest.raises(InvalidMove):
            status.move_to(other)


@given(st.lists(statuses, max_size=12))
def test_a_final_state_is_never_left(wishes):
    status = Status.QUEUED
    for wish in wishes:
        was_final = status.is_final
        try:
            status = status.move_to(wish)
        except InvalidMove:
            continue
        assert not was_final


def test_every_state_can_be_reached_from_the_queue():
    reached = {Status.QUEUED}
    for _ in Status:
        reached |= {to for status in reached for to in MOVES[status]}

    assert reached == set(Status)


def test_the_bar_does_not_fall_back_while_the_result_is_stored():
    assert [
        Progress(Status.RUNNING, phase, step, total).fraction
        for phase, step, total in [
            (Phase.PREPARING, 0, 0),
            (Phase.DENOISING, 1, 4),
            (Phase.FINISHING, 4, 4),
            (Phase.STORING, 0, 0),
        ]
    ] == [0.0, 0.25, 1.0, 1.0]
