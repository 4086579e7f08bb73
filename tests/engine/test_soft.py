"""Soft masks inside the model: each latent follows the original until its time has come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.domain.hashing import pixels_sha256
from core.domain.pixels.mask import Mask
from tests.engine.tiny import SIDE, a_mask, a_working_request

SCHEDULERS = ["ddim", "dpmpp-2m-karras", "euler", "heun", "lms", "model-default", "pndm", "unipc"]


@pytest.fixture(params=["four", "nine"])
def inpainter(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def of(value: int) -> Mask:
    """The usual mask of a working request, with this degree all over."""
    return Mask(np.where(a_working_request().mask.pixels > 0, np.uint8(value), np.uint8(0)))


def pixels(inpainter, degree: Mask | None, **params) -> np.ndarray:
    request = replace(a_working_request(**params), degree=degree)
    return np.asarray(inpainter.inpaint(request, lambda report: None).image, float)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_degree_of_one_all_over_is_the_hard_mask(inpainter, scheduler):
    params = {"scheduler": scheduler, "num_inference_steps": 6}

    assert np.array_equal(pixels(inpainter, of(255), **params), pixels(inpainter, None, **params))


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_lower_the_degree_the_more_is_left_of_the_original(inpainter, scheduler):
    params = {"scheduler": scheduler, "num_inference_steps": 10}
    original = _decoded_original(inpainter)
    inside = of(255).pixels > 0

    away = [np.abs(pixels(inpainter, of(value), **params) - original)[inside].mean() for value in (26, 128, 255)]

    # Weights by chance: only the ends can be relied on.
    assert away[0] == min(away)
    assert away[0] < away[-1] - 3


def test_a_free_half_changes_and_a_bound_half_hardly_does(four):
    degree = np.zeros((SIDE, SIDE), np.uint8)
    degree[:, : SIDE // 2], degree[:, SIDE // 2 :] = 1, 255
    request = a_working_request(num_inference_steps=10, mask=a_mask(box=(0, 0, SIDE, SIDE)))
    original = _decoded_original(four)

    result = four.inpaint(replace(request, degree=Mask(degree)), lambda report: None)

    away = np.abs(np.asarray(result.image, float) - original)
    assert away[:, : SIDE // 4].mean() < away[:, -SIDE // 4 :].mean() / 2


@pytest.mark.slow_but_first
def test_the_same_soft_mask_gives_the_same_bits_and_leaves_no_trace(inpainter):
    hard = pixels(inpainter, None)
    soft = pixels(inpainter, of(120))

    assert np.array_equal(soft, pixels(inpainter, of(120)))
    assert np.array_equal(hard, pixels(inpainter, None))
    assert not np.array_equal(hard, soft)


@pytest.mark.slow_but_first
def test_the_noise_and_its_hash_are_those_of_a_hard_mask(inpainter):
    request = a_working_request(strength=0.7)

    soft = inpainter.inpaint(replace(request, degree=of(90)), lambda report: None)
    hard = inpainter.inpaint(request, lambda report: None)

    assert soft.record["noise_sha256"] == hard.record["noise_sha256"]
    assert pixels_sha256(soft.image) != pixels_sha256(hard.image)


def test_with_a_tiny_autoencoder_soft_masks_work_too(shared):
    inpainter = shared(in_channels=9, tiny_vae=True)

    assert not np.array_equal(pixels(inpainter, of(60)), pixels(inpainter, None))


def _decoded_original(inpainter) -> np.ndarray:
    """What the autoencoder makes of the picture: nearer to it than that no run can come."""
    import torch

    from core.engine.run.latents import Layout

    vae = inpainter._pipe.vae
    with torch.no_grad():
        latents = Layout(inpainter._pipe, SIDE, SIDE).encoded(a_working_request().image)
        decoded = vae.decode(latents / vae.config.scaling_factor)[0]
    return ((decoded[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy() * 255).round()
