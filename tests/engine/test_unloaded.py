"""Text encoders that leave the memory after they have read the prompt, and come back to the bit."""

from __future__ import annotations

import shutil

import pytest

from core.domain.generation import Phase
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.engine.storage.unloaded import is_out
from tests.benchmarks.full_size import save_tiny_autoencoder
from tests.engine.tiny import a_working_request, save_xl_pipeline
from tests.loras import write_lora


@pytest.fixture
def kept_in_int8(settings):
    def make(folder):
        return load(str(folder), "cpu", Catalogue(settings), settings, dtype="int8+float32")

    return make


def is_in_memory(inpainter) -> bool:
    return not is_out(inpainter._pipe.text_encoder)


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

    assert is_out(inpainter._pipe.text_encoder_2)
    assert painted(inpainter) == first


@pytest.mark.slow
def test_its_own_vae_is_not_there_while_a_tiny_one_is_and_comes_back_to_the_bit(models, kept_in_int8, settings):
    save_tiny_autoencoder(settings.models / "vae" / "taesd.safetensors")
    inpainter = kept_in_int8(models(in_channels=9))
    own = inpainter._pipe.vae
    plain = painted(inpainter)

    drafted = painted(inpainter, vae="taesd")

    assert is_out(own)
    assert painted(inpainter, vae="taesd") == drafted != plain
    assert painted(inpainter) == plain


def test_a_model_that_is_kept_whole_keeps_its_text_encoder(nine):
    painted(nine)

    assert is_in_memory(nine)


def readings(inpainter) -> list[str]:
    """Names of the components that are read again from now on."""
    read: list[str] = []
    unloaded = inpainter._text._unloaded
    again = unloaded._read
    unloaded._read = lambda name, component: (read.append(name), again(name, component))[1]
    return read


@pytest.mark.parametrize("params", [{}, {"prompt": "a (red)1.3 ball", "prompt_weights": True}, {"clip_skip": 2}])
def test_a_prompt_that_was_read_before_is_not_read_again_and_gives_the_same_picture(models, kept_in_int8, params):
    inpainter = kept_in_int8(models(in_channels=9))
    first = painted(inpainter, **params)
    read = readings(inpainter)

    assert painted(inpainter, **params) == first
    assert painted(inpainter, **params, seed=8) != first
    assert read == []
    painted(inpainter, **{**params, "prompt": "a cat"})
    assert read == ["text_encoder"]
    assert painted(inpainter, **params) == first


def test_what_is_kept_of_one_prompt_is_not_taken_for_another_way_to_read_it(models, kept_in_int8, settings):
    import torch

    write_lora(settings.models / "loras" / "ink.safetensors", seed=2, text=True)
    folder = models(in_channels=9)
    inpainter = kept_in_int8(folder)
    ways = [{}, {"clip_skip": 2}, {"loras": ["ink:1"]}, {"prompt": "a (red)1.3 ball", "prompt_weights": True}, {}]
    expected = [painted(kept_in_int8(folder), **params) for params in ways]

    assert [painted(inpainter, **params) for params in ways] == expected
    read, threads = readings(inpainter), torch.get_num_threads()
    inpainter._threads = threads + 1
    painted(inpainter)
    assert read == ["text_encoder"]
    torch.set_num_threads(threads)


def test_of_what_is_kept_the_oldest_goes_first(models, kept_in_int8, monkeypatch):
    from core.engine.storage import text_encoders

    monkeypatch.setattr(text_encoders, "MOST_BYTES", 0)
    inpainter = kept_in_int8(models(in_channels=9))
    first = painted(inpainter)
    painted(inpainter, prompt="a cat")

    read = readings(inpainter)

    assert len(inpainter._text._kept) == 1
    assert painted(inpainter) == first
    assert read == ["text_encoder"]


def test_the_safety_checker_is_in_memory_only_while_it_looks_and_withholds_what_it_did(models, kept_in_int8, settings):
    inpainter = kept_in_int8(models(in_channels=9, safety_checker=True))
    checker, seen = inpainter._pipe.safety_checker, []
    forward = checker.forward

    def watched(*args, **kwargs):
        seen.append((is_out(checker), is_in_memory(inpainter)))
        return forward(*args, **kwargs)

    checker.forward = watched
    first = painted(inpainter)

    assert seen == [(False, False)]
    assert is_out(checker)
    assert painted(inpainter) == first
    whole = load(inpainter.model.key, "cpu", Catalogue(settings), settings)._pipe.safety_checker
    inpainter._checker.bring_back()
    own, other = checker.state_dict(), whole.state_dict()
    assert own.keys() == other.keys()
    assert all(bool((own[name] == other[name]).all()) for name in own)


def test_what_is_named_in_another_way_is_loaded_by_the_libraries_and_stays(models, kept_in_int8, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = models(in_channels=9)
    expected = painted(kept_in_int8(folder))
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    file = other / "text_encoder" / "model.safetensors"
    names = {f"clip.{name}": values for name, values in load_file(file).items()}
    save_file(names, file, {"format": "pt"})

    inpainter = kept_in_int8(other)

    assert painted(inpainter) == expected
    assert is_in_memory(inpainter)
