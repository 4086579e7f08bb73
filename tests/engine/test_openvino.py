"""OpenVINO as a device: refused in words where it is not installed; else near to torch, and EXACT with itself."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from core.domain.environment import OPENVINO, Device
from core.domain.errors import DeviceUnavailable, InvalidParams, OutOfMemory
from core.domain.generation import Status, Verdict
from core.domain.model_library import Fit, MemoryPlan
from core.domain.params import InpaintParams
from core.engine import device, families, openvino
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.engine.plan import plan
from core.settings import Settings
from tests.conftest import a_request
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import a_working_request, save_instruct_pipeline, save_xl_pipeline

BY_OPENVINO = Device(OPENVINO, "OpenVINO: a processor", "float32", takes_bfloat16=True)

needs_it = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="requirements-openvino.txt is not installed"
)


@pytest.fixture(autouse=True)
def _units(monkeypatch):
    """Tiny models take no time without them either."""
    monkeypatch.setattr(device, "_bfloat16_units", lambda: "avx512_bf16")


def installed(monkeypatch, it_is: bool) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: (object() if it_is else None) if name == "openvino" else find(name)
    )


def loaded(folder, settings, on, dtype="auto"):
    return load(str(folder), on, Catalogue(settings), settings, dtype=dtype)


def run(inpainter, recorded=None, width=64, height=64, **params):
    request = a_working_request(width, height, num_inference_steps=3, prompt="a red ball", **params)
    return inpainter.inpaint(replace(request, recorded=recorded or {}), lambda report: None)


def pixels(inpainter, **params):
    return np.asarray(run(inpainter, **params).image, int)


# Everywhere --------------------------------------------------------------------------------------------------


def test_where_it_is_not_installed_it_is_no_device_and_a_generation_says_how_to_install_it(
    models, settings, monkeypatch
):
    installed(monkeypatch, False)

    assert OPENVINO not in [one.key for one in device.devices()]
    with pytest.raises(DeviceUnavailable, match="not installed here: pip install -r requirements-openvino.txt"):
        loaded(models(in_channels=9), settings, OPENVINO)


def test_where_it_is_installed_it_is_a_device_but_never_chosen_by_itself(monkeypatch):
    installed(monkeypatch, True)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "2026.4.1")

    *others, last = device.devices()

    assert last.key == OPENVINO
    assert last.title == f"OpenVINO: {device.cpu_name()}"
    assert device.resolve("auto") == others[0]
    assert device.environment(last).facts["openvino"] == "2026.4.1"
    assert "openvino" not in device.environment(device.resolve("cpu")).facts
    assert Settings(_env_file=None, device=OPENVINO).device == OPENVINO


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.title)
def test_families_that_it_does_not_compute_are_refused_in_words(family):
    if family.title in ("Stable Diffusion", "Stable Diffusion XL", "InstructPix2Pix"):
        openvino.check(family)
        return
    with pytest.raises(DeviceUnavailable, match="Choose the device cpu"):
        openvino.check(family)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"loras": [{"name": "oil", "weight": 1.0}]}, "^LoRA"),
        ({"prompt": "a ball <lora:oil:0.5>"}, "^LoRA"),
        ({"controlnet": [{"name": "canny", "controlnet_conditioning_scale": 1.0}]}, "^ControlNet"),
        ({"ip_adapter": "plus"}, "^IP-Adapter"),
        ({"cache_interval": 2}, "^Cache interval"),
    ],
)
def test_what_would_change_the_network_is_refused_in_words(params, words):
    with pytest.raises(InvalidParams, match=f"{words}.*OpenVINO computes a model as it is"):
        BY_OPENVINO.check(InpaintParams(**params))
    Device("cpu", "a processor", "float32").check(InpaintParams(**params))


def test_it_keeps_no_weights_as_int8():
    parts = {"unet": 10_000, "vae": 1_000}

    planned = partial(plan, parts, BY_OPENVINO, half="float16", native_px=512)

    with pytest.raises(InvalidParams, match="not kept as int8"):
        planned(free=None, wish="int8+float32")
    with pytest.raises(OutOfMemory, match="Choose a smaller model"):
        planned(free=9_000)
    assert MemoryPlan.of(11_000, BY_OPENVINO, 9_000, of_unet=10_000).fit is Fit.NOT


# Where it is installed ---------------------------------------------------------------------------------------


@needs_it
@pytest.mark.parametrize(("dtype", "at_least_db"), [("float32", 80), ("bfloat16", 38)])
def test_its_pictures_are_as_near_to_those_of_torch_as_their_type(models, settings, dtype, at_least_db):
    folder = models(in_channels=9)
    one, other = pixels(loaded(folder, settings, "cpu")), pixels(loaded(folder, settings, OPENVINO, dtype), dtype=dtype)

    error = ((one - other) ** 2).mean()
    assert error == 0 or 10 * math.log10(255**2 / error) >= at_least_db


@needs_it
def test_its_bfloat16_is_no_further_off_than_that_of_torch(models, settings):
    folder = models(in_channels=9)
    full = pixels(loaded(folder, settings, "cpu"))
    by_torch, by_openvino = (
        pixels(loaded(folder, settings, on, "bfloat16"), dtype="bfloat16") for on in ("cpu", OPENVINO)
    )

    assert 0 < abs(full - by_openvino).mean() <= 1.25 * abs(full - by_torch).mean()


@needs_it
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_same_request_gives_the_same_bits_after_others_and_from_another_model_in_memory(models, settings, dtype):
    inpainter = loaded(models(in_channels=9), settings, OPENVINO, dtype)
    first = run(inpainter, dtype=dtype)

    run(inpainter, dtype=dtype, width=96, height=72, guidance_scale=1.0, seed=3)
    again, elsewhere = (
        run(inpainter, dtype=dtype),
        run(loaded(models(in_channels=9), settings, OPENVINO, dtype), dtype=dtype),
    )

    assert first.image.tobytes() == again.image.tobytes() == elsewhere.image.tobytes()
    assert first.record["dtype"] == inpainter.model.dtype == dtype
    assert inpainter.model.device == OPENVINO


@needs_it
@pytest.mark.parametrize("side", [64, 72, 80])
def test_any_size_is_computed(models, settings, side):
    folder = models(in_channels=4)
    one, other = (pixels(loaded(folder, settings, on), width=side, height=96) for on in ("cpu", OPENVINO))

    assert abs(one - other).max() <= 1


@needs_it
@pytest.mark.parametrize("save", [save_xl_pipeline, save_instruct_pipeline])
def test_other_families_with_a_unet_go_the_same_way(tmp_path, settings, save):
    folder = save(tmp_path / "model")
    one, other = (pixels(loaded(folder, settings, on)) for on in ("cpu", OPENVINO))

    assert abs(one - other).max() <= 1


@needs_it
def test_a_record_brings_back_its_number_of_threads(models, settings):
    folder = models(in_channels=9)
    by_two = run(loaded(folder, settings.model_copy(update={"threads": 2}), OPENVINO))

    inpainter = loaded(folder, settings, OPENVINO)
    before, again, after = run(inpainter), run(inpainter, recorded=by_two.record), run(inpainter)

    assert [one.record["threads"] for one in (before, again, after)] == [1, 2, 1]
    assert again.record["latents_sha256"] == by_two.record["latents_sha256"]
    assert before.record["latents_sha256"] == after.record["latents_sha256"]


@needs_it
def test_what_it_painted_verifies_exact_and_is_refused_in_words_once_it_is_gone(settings, models, monkeypatch):
    studio = started(settings)
    request = a_request(model=str(models(in_channels=9)), size=64, num_inference_steps=2)
    [id] = studio.generations.submit(request, device=OPENVINO)
    studio.dispatcher.drain()
    generation = studio.gallery.get(id)

    found = verified(started(settings), id)
    installed(monkeypatch, False)
    gone = verified(started(settings), id)

    assert generation.status is Status.SUCCEEDED
    assert generation.environment["openvino"] == importlib.metadata.version("openvino")
    assert (found.reproduction.verdict, found.reproduction.changes) == (Verdict.EXACT, ())
    assert gone.status is Status.FAILED
    assert "OpenVINO is not installed here" in gone.error
    assert painted(studio, models(in_channels=9)).status is Status.SUCCEEDED
