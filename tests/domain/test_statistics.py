"""Estimates and durations: laws that hold whatever was recorded before."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.gallery.statistics import NEAREST, Durations, PastRun, Workload, estimate_s
from core.domain.params import InpaintParams

A_STEP_S = 2.0


def params(steps: int = 20, guidance: float = 7.5, size: int = 512, **more) -> InpaintParams:
    return InpaintParams(num_inference_steps=steps, guidance_scale=guidance, size=size, **more)


def a_run(asked: InpaintParams, runtime_s: float, *, filled: float = 1.0, denoise_s: float | None = None) -> PastRun:
    return PastRun(Workload.of(asked, asked.size**2 * filled), asked.size, runtime_s, denoise_s)


some_params = st.builds(
    params,
    st.integers(1, 150),
    st.sampled_from([1.0, 7.5]),
    st.sampled_from([64, 256, 512, 1024]),
    strength=st.just(1.0),
    scheduler=st.sampled_from(["ddim", "heun"]),
)
seconds = st.floats(0.01, 1000)
some_runs = st.lists(st.builds(a_run, some_params, seconds), min_size=1, max_size=30)


def test_nothing_is_known_before_anything_was_made():
    assert estimate_s([], params()) is None


@given(some_runs, some_params)
def test_an_estimate_is_made_of_a_single_row_on_and_always_above_nothing(runs, asked):
    assert estimate_s(runs, asked) > 0


@given(some_params, seconds, some_runs)
def test_what_was_made_often_enough_takes_as_long_as_then(asked, runtime_s, others):
    same = [a_run(asked, runtime_s)] * NEAREST

    assert estimate_s([*same, *others], asked) == pytest.approx(runtime_s)


@given(some_runs, some_params, st.floats(0.01, 100))
def test_a_machine_that_is_slower_by_a_factor_is_expected_to_take_that_much_longer(runs, asked, factor):
    slower = [replace(run, runtime_s=run.runtime_s * factor) for run in runs]

    assert estimate_s(slower, asked) == pytest.approx(estimate_s(runs, asked) * factor)


@given(st.builds(a_run, some_params, seconds), some_params)
def test_twice_the_steps_take_twice_the_time_where_only_the_whole_is_known(run, asked):
    twice = asked.changed(num_inference_steps=min(150, asked.num_inference_steps * 2))
    steps = twice.effective_steps / asked.effective_steps

    assert estimate_s([run], twice) == pytest.approx(estimate_s([run], asked) * steps)


@given(some_runs)
def test_an_estimate_lies_within_what_the_runs_themselves_come_to(runs):
    asked = params()

    scaled = [run.scaled_to(Workload.of(asked, asked.size**2)) for run in runs]

    assert min(scaled) * (1 - 1e-9) <= estimate_s(runs, asked) <= max(scaled) * (1 + 1e-9)


def test_what_comes_before_and_after_the_steps_is_not_multiplied_with_them():
    run = a_run(params(steps=10), runtime_s=25.0, denoise_s=20.0)

    assert estimate_s([run], params(steps=30)) == pytest.approx(3 * 20 + 5)


def test_strength_guidance_and_size_count_as_much_as_they_cost():
    run = a_run(params(steps=20), runtime_s=40.0)

    assert estimate_s([run], params(steps=20, strength=0.5)) == pytest.approx(20)
    assert estimate_s([run], params(steps=20, guidance=1.0)) == pytest.approx(20)
    assert estimate_s([run], params(steps=20, size=1024)) == pytest.approx(160)


def test_crops_that_are_not_square_are_expected_to_stay_so():
    run = a_run(params(), runtime_s=10.0, filled=0.5)

    assert estimate_s([run], params()) == pytest.approx(10)


def test_runs_of_the_same_scheduler_and_size_outweigh_others():
    heun = [a_run(params(scheduler="heun"), 20.0)] * NEAREST
    ddim = [a_run(params(scheduler="ddim"), 10.0)] * NEAREST
    small = [a_run(params(scheduler="ddim", size=64), 1.0)] * NEAREST

    assert estimate_s([*heun, *ddim, *small], params(scheduler="ddim")) == pytest.approx(10)
    assert estimate_s([*ddim, *small, *heun], params(scheduler="heun")) == pytest.approx(20)


def test_one_run_that_was_held_up_moves_nothing():
    usual = [a_run(params(), 10.0)] * (NEAREST - 1)

    assert estimate_s([a_run(params(), 900.0), *usual], params()) == pytest.approx(10)


# Durations -----------------------------------------------------------------------------------------------------

many_seconds = st.lists(seconds, min_size=1, max_size=50)


@given(many_seconds, st.floats(0.01, 1))
def test_shares_of_the_counted_durations_are_right_to_one_percent(taken, share):
    exact = sorted(taken)[math.ceil(share * len(taken) - 1e-9) - 1]

    assert Durations.of(taken).within_s(share) == pytest.approx(exact, rel=0.0101)


@given(many_seconds, many_seconds)
def test_durations_counted_apart_add_up_to_those_counted_together(some, others):
    apart = Durations.together([Durations.of(some), Durations.of(others)])

    assert apart == Durations.of([*some, *others])
    assert apart.count == len(some) + len(others)
    assert apart.total_s == pytest.approx(sum(some) + sum(others), rel=0.0101)


def test_no_durations_are_no_error():
    assert (Durations({}).count, Durations({}).total_s, Durations({}).within_s(0.5)) == (0, 0, 0)
