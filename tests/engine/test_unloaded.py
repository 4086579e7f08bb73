"""Text encoders that leave the memory after they have read the prompt, and come back to the bit."""

from __future__ import annotations

import pytest

from core.domain.generation import Phase
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from tests.benchmarks.full_size import save_tiny_autoencoder
from tests.engine.tiny import a_working_request, save_xl_pipeline
from tests.loras import write_lora


@pytest.fixture
def kept_in_int8(settings):
    def make(folder):
        return load(str(folder), "cpu", Catalogue(settings), settings, dtype="int8+float32")

    return make


def is_in_memory(inpainter) -> bool:
    return not any(values.is_meta for values in inpainter._pipe.text_encoder.parameters())


def painted(inpainter, on_step=lambda report: None, **params):
    return inpainter.inpaint(a_working_request(num_inference_steps=2, **params), on_step).image.tobytes()


@pytest.mark.parametrize("params", [{}, {"prompt": "a (red)1.3 ball", "prompt_weights": True}, {"clip_skip": 2}])
def test_it_is_not_there_while_steps_are_made_and_the_next_run_gives_the_same_picture(models, kept_in_int8, params):
    inpainter = kept_in_int8(models(in_channels=9))
    seen = []

    first = painted(inpainter, lambda report: seen.append((report.phase, is_in_memory(inpainter))), **params)

    assert not is_in_memory(inpainter)
    assert seen
    assert not any(there for phase, there in seen if phase is Phase.DENOISING)
    assert painted(inpainter, **params) == first
    assert painted(inpainter, **{**params, "prompt": "a cat"}) != first
    assert painted(kept_in_int8(models(in_channels=9)), **params) == first


def test_with_a_lora_of_its_own_it_stays_and_without_it_is_what_it_was(models, kept_in_int8, settings):
    write_lora(settings.models / "loras" / "ink.safetensors", seed=2, text=True)
    inpainter = kept_in_int8(models(in_channels=9))
    plain = painted(inpainter)

    with_lora = painted(inpainter, loras=["ink:1"])

    assert is_in_memory(inpainter)
    assert with_lora != plain
    assert painted(inpainter, loras=["ink:1"]) == with_lora
    assert painted(inpainter) == plain
    assert painted(kept_in_int8(models(in_channels=9)), loras=["ink:1"]) == with_lora


@pytest.mark.slow
def test_both_of_an_xl_model_leave_and_come_back(tmp_path, kept_in_int8):
    inpainter = kept_in_int8(save_xl_pipeline(tmp_path / "model"))

    first = painted(inpainter)

    assert all(values.is_meta for values in inpainter._pipe.text_encoder_2.parameters())
    assert painted(inpainter) == first


@pytest.mark.slow
def test_its_own_vae_is_not_there_while_a_tiny_one_is_and_comes_back_to_the_bit(models, kept_in_int8, settings):
    save_tiny_autoencoder(settings.models / "vae" / "taesd.safetensors")
    inpainter = kept_in_int8(models(in_channels=9))
    own = inpainter._pipe.vae
    plain = painted(inpainter)

    drafted = painted(inpainter, vae="taesd")

    assert all(values.is_meta for values in own.parameters())
    assert painted(inpainter, vae="taesd") == drafted != plain
    assert painted(inpainter) == plain


def test_a_model_that_is_kept_whole_keeps_its_text_encoder(nine):
    painted(nine)

    assert is_in_memory(nine)
