"""Kandinsky 2.2, which lies in two repositories: what is its own. The rest is in test_families."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain.errors import ModelNotDownloaded, NotAnInpaintingModel
from core.engine import families
from core.engine.diffusers_inpainter import load
from core.engine.kandinsky import Kandinsky
from core.engine.models.catalogue import Catalogue
from tests.engine.tiny import SIDE, a_working_request
from tests.engine.tiny_kandinsky import PRIOR, cached_prior, save, save_prior


def paint(inpainter, on_step=lambda report: None, **params):
    return inpainter.inpaint(a_working_request(**params), on_step)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("negative_prompt", ["", "blurred"])
def test_it_paints_what_the_pair_of_diffusers_paints(kandinsky, negative_prompt):
    import diffusers
    import torch

    request = a_working_request(negative_prompt=negative_prompt)
    decoder, prior = kandinsky._pipe.decoder, kandinsky._pipe._prior
    pair = diffusers.KandinskyV22InpaintCombinedPipeline(
        **decoder.components, **{f"prior_{name}": part for name, part in prior.components.items()}
    )
    pair.set_progress_bar_config(disable=True)

    ours = kandinsky.inpaint(request, lambda report: None).image

    theirs = pair(
        prompt=request.params.prompt,
        negative_prompt=negative_prompt or None,
        image=request.image,
        mask_image=request.mask.to_image(),
        width=SIDE,
        height=SIDE,
        num_inference_steps=4,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(request.params.seed),
        output_type="np",
    ).images[0]
    assert np.array_equal(np.asarray(ours), (theirs * 255).round().astype(np.uint8))


def test_strength_has_no_effect_and_a_negative_prompt_none_without_guidance(kandinsky):
    plain, weak = paint(kandinsky), paint(kandinsky, strength=0.3)
    unguided, negative = (paint(kandinsky, guidance_scale=1.0, negative_prompt=words) for words in ("", "blurred"))

    assert plain.image.tobytes() == weak.image.tobytes()
    assert plain.record["effective_steps"] == weak.record["effective_steps"] == 4
    assert unguided.image.tobytes() == negative.image.tobytes() != plain.image.tobytes()
    unused = families.named("Kandinsky 2.2").unused
    files = {"loras", "embeddings", "vae", "controlnet", "ip_adapter", "ip_adapter_scale"}
    assert set(unused) == {"strength", "fill", "scheduler", "prompt_weights", "long_prompt", "clip_skip"} | files


@pytest.mark.slow
def test_a_run_that_is_stopped_leaves_no_trace(kandinsky):
    class Stopped(Exception):
        pass

    def stop(report):
        if report.step == 2:
            raise Stopped

    before = paint(kandinsky)

    with pytest.raises(Stopped):
        paint(kandinsky, stop)

    assert paint(kandinsky).image.tobytes() == before.image.tobytes()


def test_the_record_names_the_weights_of_both_parts(kandinsky):
    assert list(kandinsky.model.details["weights"]) == [
        "movq/diffusion_pytorch_model.safetensors",
        "prior/image_encoder/model.safetensors",
        "prior/prior/diffusion_pytorch_model.safetensors",
        "prior/text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
    ]


def test_the_end_of_a_prompt_that_the_prior_does_not_read_is_recorded(kandinsky):
    assert paint(kandinsky, prompt="abcdefghijklmnopqrstuvwxyz").record["prompt_cut"] == "wxyz"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("to", ("cuda:0",)),
        ("enable_model_cpu_offload", ("cuda:0",)),
        ("enable_sequential_cpu_offload", ("cuda:0",)),
        ("maybe_free_model_hooks", ()),
    ],
)
def test_where_one_part_goes_the_other_follows(call, arguments):
    decoder, prior = APart(), APart()

    getattr(Kandinsky(decoder, prior), call)(*arguments)

    assert decoder.calls == prior.calls == [call]


class APart:
    """What Kandinsky asks of either pipeline when it is put somewhere."""

    unet = movq = tokenizer = None
    movq_scale_factor = 8

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str):
        return lambda *args, **kwargs: self.calls.append(name)


# What is refused ---------------------------------------------------------------------------------------------


def test_the_prior_alone_is_refused_with_the_name_of_what_it_belongs_to(settings, tmp_path):
    folder = save_prior(tmp_path / "prior")

    with pytest.raises(NotAnInpaintingModel, match=r"a part of kandinsky-community/kandinsky-2-2-decoder-inpaint"):
        load(str(folder), "cpu", Catalogue(settings), settings)


@pytest.mark.parametrize("missing", ["all of it", "some weights"])
def test_a_decoder_whose_prior_is_not_there_is_refused_with_its_name(settings, tmp_path, missing):
    folder, cache = save(tmp_path / "decoder", tmp_path / "cache"), tmp_path / "cache"
    catalogue = Catalogue(settings, cache=cache)
    assert catalogue.is_ready(str(folder))

    if missing == "all of it":
        cached_prior(cache).rename(cache / "elsewhere")
    else:
        (cached_prior(cache) / "prior" / "diffusion_pytorch_model.safetensors").unlink()

    assert not catalogue.is_ready(str(folder))
    with pytest.raises(ModelNotDownloaded, match=rf"also needs {PRIOR}"):
        load(str(folder), "cpu", catalogue, settings)
