"""bfloat16 with all that a run can have besides: the same picture as in float32, but for rounding."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.engine import device
from core.engine.diffusers_inpainter import DiffusersInpainter, load
from core.engine.models.catalogue import Catalogue
from core.engine.run import preview
from core.settings import Settings
from tests.embeddings import write_embedding
from tests.engine.test_vae import a_vae
from tests.engine.test_vae import save as save_vae
from tests.engine.tiny import a_mask, a_working_request, save_instruct_pipeline, save_pipeline, save_xl_pipeline
from tests.engine.tiny_control import net_for, write
from tests.engine.tiny_kandinsky import save as save_kandinsky
from tests.engine.tiny_transformers import save as save_transformer
from tests.loras import write_lora

DTYPES = ("float32", "bfloat16")

HAS_UNITS = device._bfloat16_units
"""As the machine is, whatever a test says of it."""

Pair = dict[str, DiffusersInpainter]


@pytest.fixture(autouse=True, scope="module")
def _units():
    """Tiny models take no time without them either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "_bfloat16_units", lambda: "avx512_bf16")
        # A preview at each step: the last ones are of the same step, however long one took.
        patch.setattr(preview, "EVERY_S", 0)
        patch.setattr(preview, "SHARE", float("inf"))
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    found = Settings(_env_file=None, data=tmp_path_factory.mktemp("d"), threads=1, device="cpu", HF_TOKEN=None)
    write_lora(found.models / "loras" / "ink.safetensors", seed=2, text=True)
    write_embedding(found.models / "embeddings" / "oil.safetensors", 3, seed=1)
    save_vae(found.models / "vae" / "one.safetensors", a_vae(7))
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory, settings) -> Pair:
    return loaded(save_pipeline(tmp_path_factory.mktemp("model")), settings)


def loaded(folder: Path, settings: Settings, **more: Any) -> Pair:
    """One model in each precision."""
    return {dtype: load(str(folder), "cpu", Catalogue(settings, **more), settings, dtype=dtype) for dtype in DTYPES}


def painted(pair: Pair, dtype: str, *, soft: bool = False, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    """(the picture, the last preview), as numbers."""
    request = a_working_request(dtype=dtype, **{"num_inference_steps": 3, **params})
    if soft:
        request = replace(request, degree=a_half_mask())
    previews: list[bytes] = []
    picture = pair[dtype].inpaint(request, lambda report: previews.append(report.preview or b"")).image
    return np.asarray(picture, int), np.asarray(Image.open(io.BytesIO(next(filter(None, reversed(previews))))), int)


def a_half_mask():
    mask = a_mask()
    return type(mask)(np.where(mask.pixels > 0, np.uint8(140), np.uint8(0)))


def check_that_only_rounding_differs(paint: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """paint: of a dtype and further params. Measured: a twentieth of what another seed changes, and less."""
    whole, half, other = paint("float32"), paint("bfloat16"), paint("float32", seed=9)
    for one, rounded, another in zip(whole, half, other, strict=True):
        assert abs(one - rounded).mean() < abs(one - another).mean() / 6
    assert abs(whole[0] - half[0]).any()
    return half[0]


RUNS: dict[str, dict[str, Any]] = {
    "LoRA": {"loras": ["ink:0.8"]},
    "embedding": {"prompt": "a oil", "embeddings": ["oil"]},
    "VAE": {"vae": "one"},
    "soft mask": {"soft": True, "soft_mask": True},
    "variation": {"variation_strength": 0.5, "variation_seed": 3},
    "clip skip": {"clip_skip": 2, "prompt_weights": True, "prompt": "(a ball)1.4"},
}


@pytest.mark.parametrize("name", RUNS)
def test_what_a_run_has_besides_works_in_bfloat16_and_counts(pair, name):
    params = RUNS[name]
    plain, _ = painted(pair, "bfloat16")

    found = check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, **params, **more))

    assert abs(found - plain).any()
    assert np.array_equal(painted(pair, "bfloat16")[0], plain)


def test_a_controlnet_guides_in_bfloat16(pair, tmp_path):
    net = write(tmp_path / "net.safetensors", net_for(pair["float32"]._pipe.unet, 1))
    params = {"controlnet": [{"name": str(net), "hint": "canny"}]}

    found = check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, **params, **more))

    assert {str(net.dtype) for net in pair["bfloat16"]._guided._nets.values()} == {"torch.bfloat16"}
    assert abs(found - painted(pair, "bfloat16")[0]).any()


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["ddim", "unipc", "dpmpp-2m-karras", "euler", "heun", "lms", "pndm", "lcm"])
def test_every_scheduler_keeps_the_composition(pair, scheduler):
    check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, scheduler=scheduler, **more))


@pytest.mark.slow
@pytest.mark.parametrize(
    "save",
    [
        save_instruct_pipeline,
        save_xl_pipeline,
        lambda folder: save_pipeline(folder, in_channels=4),
        lambda folder: save_pipeline(folder, safety_checker=True),
    ],
)
def test_families_with_a_unet_bear_it(tmp_path, settings, save):
    pair = loaded(save(tmp_path / "model"), settings)

    check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, strength=0.9, **more))


@pytest.mark.slow
@pytest.mark.parametrize(
    "family", ["Stable Diffusion 3", "FLUX.1", "FLUX.1 Fill", "FLUX.2 klein", "Chroma", "Qwen-Image", "Z-Image"]
)
def test_families_with_a_transformer_bear_it(tmp_path, settings, family):
    pair = loaded(save_transformer(family, tmp_path), settings)

    check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, **more))


@pytest.mark.slow
def test_kandinsky_bears_it(tmp_path, settings):
    (tmp_path / "model").mkdir()
    (tmp_path / "cache").mkdir()
    save_kandinsky(tmp_path / "model", tmp_path / "cache")
    pair = loaded(tmp_path / "model", settings, cache=tmp_path / "cache")

    check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, **more))


@pytest.mark.slow
def test_the_bundled_model_bears_it(settings):
    if HAS_UNITS() is None:
        pytest.skip("a processor without units for bfloat16 takes minutes")
    pair = {dtype: load("pocket-inpaint", "cpu", Catalogue(settings), settings, dtype=dtype) for dtype in DTYPES}

    check_that_only_rounding_differs(lambda dtype, **more: painted(pair, dtype, num_inference_steps=8, **more))
