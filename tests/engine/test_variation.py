"""Variations: near noise gives near pictures, and is recorded as what it is."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.run.variation import slerp
from tests.engine.tiny import a_working_request

one, other = (np.random.default_rng(seed).standard_normal((4, 8, 8)) for seed in (1, 2))


@pytest.fixture(params=["four", "nine"])
def inpainter(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def run(inpainter, **params):
    return inpainter.inpaint(a_working_request(**params), lambda report: None)


@given(st.floats(0, 1))
def test_what_lies_between_is_as_strong_as_noise(share):
    norm = np.linalg.norm(slerp(one, other, share))

    low, high = sorted((np.linalg.norm(one), np.linalg.norm(other)))
    assert low * 0.99 <= norm <= high * 1.01


def test_at_its_ends_it_is_the_one_and_the_other_exactly():
    assert np.array_equal(slerp(one, other, 0.0), one)
    assert np.array_equal(slerp(one, other, 1.0), other)
    assert np.allclose(slerp(one, one, 0.5), one)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_a_small_variation_is_a_near_relative_and_a_large_one_a_far_one(inpainter, strength):
    shares = (0.0, 0.02, 0.3, 1.0)

    plain, *pictures = (
        np.asarray(run(inpainter, strength=strength, variation_strength=share, variation_seed=99).image, float)
        for share in (0.0, *shares)
    )

    away = [np.abs(picture - plain).mean() for picture in pictures]

    assert away[0] == 0
    assert 0 < away[1] < away[2] < away[3] * 1.2
    assert away[1] < away[3] / 3


@pytest.mark.slow_but_first
@pytest.mark.parametrize("scheduler", ["ddim", "euler", "model-default", "unipc"])
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_a_whole_variation_starts_from_the_noise_of_the_variation_seed(nine, scheduler, strength):
    """Without an encoded picture nothing draws from the seed before the noise: the two pictures are one."""
    params = {"scheduler": scheduler, "strength": strength}

    varied = run(nine, seed=5, variation_seed=8, variation_strength=1.0, **params)

    if strength == 1.0:
        assert varied.record["noise_sha256"] == run(nine, seed=8, **params).record["noise_sha256"]
    assert varied.record["noise_sha256"] == _noise_of(8)


def _noise_of(seed: int) -> str:
    import torch

    drawn = torch.randn((1, 4, 8, 8), generator=torch.Generator("cpu").manual_seed(seed))
    return "sha256:" + hashlib.sha256(drawn.numpy().tobytes()).hexdigest()


@pytest.mark.slow_but_first
def test_the_recorded_noise_is_that_of_the_variation(inpainter):
    plain, varied, again = (
        run(inpainter, **params).record["noise_sha256"]
        for params in ({}, *[{"variation_strength": 0.2, "variation_seed": 3}] * 2)
    )

    assert plain != varied == again


@pytest.mark.slow_but_first
def test_the_variation_seed_counts_only_with_a_variation(inpainter):
    assert run(inpainter).image.tobytes() == run(inpainter, variation_seed=44).image.tobytes()
