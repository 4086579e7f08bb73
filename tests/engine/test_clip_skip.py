"""Clip skip: reading that stops before the last layers of CLIP, as in diffusers, also with weights and at length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.domain.errors import InvalidParams
from core.domain.generation import Status, Verdict
from core.domain.hashing import pixels_sha256
from core.domain.params import InpaintParams
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.engine.run import prompts
from core.settings import Settings
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import a_working_request, save_pipeline, save_xl_pipeline

LONG = "a red ball, on a hill, by the sea, at night"


@pytest.fixture(scope="module")
def xl(tmp_path_factory):
    settings = Settings(_env_file=None, data=tmp_path_factory.mktemp("d"), threads=1, device="cpu", HF_TOKEN=None)
    return load(str(save_xl_pipeline(tmp_path_factory.mktemp("xl"))), "cpu", Catalogue(settings), settings)


def run(inpainter, **params):
    request = a_working_request(num_inference_steps=2, **{"prompt": "a red ball", **params})
    return inpainter.inpaint(request, lambda report: None)


def sha(inpainter, **params) -> str:
    return pixels_sha256(run(inpainter, **params).image)


def embedded(pipe, **params) -> np.ndarray:
    return prompts.embedded(pipe, InpaintParams(guidance_scale=1, **params))["prompt_embeds"].numpy()


def by_diffusers(pipe, prompt: str, clip_skip: int) -> np.ndarray:
    """What diffusers hands to the U-Net; its own way to the norm has a name that transformers gave up."""
    if hasattr(pipe, "text_encoder_2"):
        return pipe.encode_prompt(prompt, do_classifier_free_guidance=False, clip_skip=clip_skip)[0].detach().numpy()
    encoder = getattr(pipe.text_encoder, "text_model", pipe.text_encoder)
    ids = pipe.tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
    states = pipe.text_encoder(ids, output_hidden_states=True).hidden_states
    return encoder.final_layer_norm(states[-(clip_skip + 1)]).detach().numpy()


def test_the_embeddings_are_those_of_diffusers_clip_skip_and_nothing_of_it_stays(nine):
    before = sha(nine)

    assert np.array_equal(
        embedded(nine._pipe, prompt="a red ball", clip_skip=2), by_diffusers(nine._pipe, "a red ball", 1)
    )
    assert sha(nine, clip_skip=2) != before
    assert sha(nine) == before


@pytest.mark.slow
def test_of_xl_2_is_what_it_was_trained_with_and_3_the_layer_before_in_both_encoders(xl):
    pipe = xl._pipe

    assert sha(xl, clip_skip=2) == sha(xl)
    assert np.array_equal(embedded(pipe, prompt="a ball", clip_skip=3), by_diffusers(pipe, "a ball", 1))
    assert sha(xl, clip_skip=3) != sha(xl)
    assert run(xl, clip_skip=3).record["clip_skip"] == 1


@pytest.mark.slow
def test_with_weights_and_long_prompts_it_is_another_picture_and_comes_again(nine):
    for params in ({"prompt": "a (red)1.4 ball", "prompt_weights": True}, {"prompt": LONG, "long_prompt": True}):
        skipped = sha(nine, clip_skip=2, **params)
        assert skipped not in (sha(nine, **params), sha(nine, prompt=params["prompt"], clip_skip=2))
        assert sha(nine, clip_skip=2, **params) == skipped


@pytest.mark.slow
def test_the_record_tells_what_diffusers_calls_so_and_more_than_there_is_is_refused(nine):
    assert run(nine, clip_skip=2).record["clip_skip"] == 1
    assert "clip_skip" not in run(nine).record
    with pytest.raises(InvalidParams, match=r"Clip skip: at 3 no layer .* is left. Choose at most 2"):
        run(nine, clip_skip=3)


@pytest.mark.slow
def test_it_verifies_exact_after_a_restart(tmp_path):
    settings = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)
    model: Path = save_pipeline(tmp_path / "model")
    made = painted(started(settings), model, prompt="a red ball", clip_skip=2)

    found = verified(started(settings), made.id)

    assert (made.status, found.reproduction.verdict) == (Status.SUCCEEDED, Verdict.EXACT)
    assert found.reproduction.changes == ()
