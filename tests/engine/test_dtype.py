"""Precision: a model computes in what was asked for, the noise stays that of the seed, and all of it verifies."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from core.domain.environment import Device
from core.domain.errors import InvalidParams, OutOfMemory
from core.domain.generation import Status, Verdict
from core.engine import device
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.engine.plan import plan
from core.services.model_cache import ModelCache
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import a_working_request, save_pipeline, save_xl_pipeline
from tests.fakes import FakeInpainter

CPU = Device("cpu", "A processor", "float32", takes_bfloat16=True)


@pytest.fixture(autouse=True)
def _units(monkeypatch):
    """Tiny models take no time without them either."""
    monkeypatch.setattr(device, "_bfloat16_units", lambda: "avx512_bf16")


def loaded(folder, settings, dtype):
    return load(str(folder), "cpu", Catalogue(settings), settings, dtype=dtype)


def run(inpainter, dtype, **params):
    request = a_working_request(num_inference_steps=3, dtype=dtype, **{"prompt": "a red ball", **params})
    return inpainter.inpaint(request, lambda report: None)


def pixels(inpainter, dtype, **params):
    return np.asarray(run(inpainter, dtype, **params).image, int)


@pytest.fixture
def pair(models, settings):
    """One model in float32 and in bfloat16."""
    folder = models(in_channels=9)
    return {dtype: loaded(folder, settings, dtype) for dtype in ("float32", "bfloat16")}


def test_it_computes_in_what_was_asked_for_and_the_record_says_so(pair):
    for dtype, inpainter in pair.items():
        assert {str(values.dtype) for values in inpainter._pipe.unet.parameters()} == {f"torch.{dtype}"}
        assert run(inpainter, dtype).record["dtype"] == inpainter.model.dtype == dtype
    assert pair["bfloat16"].environment.facts["cpu_bfloat16"] == "avx512_bf16"
    assert "cpu_bfloat16" not in pair["float32"].environment.facts


@pytest.mark.parametrize("scheduler", ["model-default", "euler-ancestral"])
def test_the_same_seed_gives_almost_the_same_picture_in_both(pair, scheduler):
    one, other = (pixels(pair[dtype], dtype, scheduler=scheduler) for dtype in pair)
    another_seed = pixels(pair["float32"], "float32", scheduler=scheduler, seed=9)

    assert 0 < abs(one - other).mean() < abs(one - another_seed).mean() / 4


def test_a_variation_keeps_its_noise_as_well(pair):
    one, other = (pixels(pair[dtype], dtype, variation_strength=0.5, variation_seed=3) for dtype in pair)
    another = pixels(pair["float32"], "float32", variation_strength=0.5, variation_seed=4)

    assert abs(one - other).mean() < abs(one - another).mean() / 4


def test_float32_by_choice_is_to_the_bit_what_the_processor_does_by_itself(pair):
    assert run(pair["float32"], "float32").image.tobytes() == run(pair["float32"], "auto").image.tobytes()


def test_the_library_draws_as_before_after_a_run(pair):
    from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint as module
    from diffusers.utils import torch_utils

    run(pair["bfloat16"], "bfloat16")

    assert module.randn_tensor is torch_utils.randn_tensor


def test_a_processor_without_units_for_it_refuses_in_words(models, settings, monkeypatch):
    monkeypatch.setattr(device, "_bfloat16_units", lambda: None)

    with pytest.raises(InvalidParams, match=r"does not compute in bfloat16: .* Choose another precision"):
        loaded(models(in_channels=9), settings, "bfloat16")


def test_what_was_chosen_and_does_not_fit_is_not_exchanged_for_less():
    planned = partial(plan, {"unet": 100 * 10**9}, CPU, half="bfloat16", native_px=512)

    with pytest.raises(OutOfMemory):
        planned(free=60 * 10**9, wish="float32")
    assert planned(free=60 * 10**9).dtype == "bfloat16"
    assert planned(free=200 * 10**9, wish="float32", smaller=True).dtype == "float32"


def test_the_cache_loads_a_model_again_in_another_precision():
    seen = []
    models = ModelCache(lambda model, device, **how: seen.append(how["dtype"]) or FakeInpainter(model))

    for dtype in ("auto", "bfloat16", "bfloat16", "float32"):
        models("a", "cpu", dtype=dtype)

    assert seen == ["auto", "bfloat16", "float32"]


@pytest.mark.parametrize("dtype", ["int8+float32", "int8+bfloat16"])
def test_what_is_kept_as_int8_is_recorded_and_verifies_exact_after_a_restart(settings, models, dtype):
    made = painted(started(settings), models(in_channels=9), prompt="a red ball", dtype=dtype)
    found = verified(started(settings), made.id)

    assert (made.status, made.dtype, made.record.inpainter.raw["dtype"]) == (Status.SUCCEEDED, dtype, dtype)
    assert made.record.model.raw["memory_plan"].startswith(f"{dtype}: ")
    assert found.reproduction.verdict is Verdict.EXACT
    assert found.reproduction.changes == ()


@pytest.mark.slow
@pytest.mark.parametrize("save", [save_pipeline, save_xl_pipeline])
@pytest.mark.parametrize("params", [{}, {"scheduler": "euler-ancestral", "strength": 0.7}, {"prompt_weights": True}])
def test_it_verifies_exact_after_a_restart(tmp_path, settings, save, params):
    model = save(tmp_path / "model")

    made = painted(started(settings), model, prompt="a red ball", dtype="bfloat16", **params)
    found = verified(started(settings), made.id)

    assert (made.status, made.dtype, found.reproduction.verdict) == (Status.SUCCEEDED, "bfloat16", Verdict.EXACT)
    assert found.reproduction.changes == ()


@pytest.mark.slow
def test_a_machine_that_cannot_restore_it_says_so(tmp_path, settings, monkeypatch):
    made = painted(started(settings), save_pipeline(tmp_path / "model"), prompt="a red ball", dtype="bfloat16")
    monkeypatch.setattr(device, "_bfloat16_units", lambda: None)

    found = verified(started(settings), made.id)

    assert found.status is Status.FAILED
    assert "does not compute in bfloat16" in found.error
