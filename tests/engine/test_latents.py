"""Each family lays out its latents in its own way; we see grids."""

from __future__ import annotations

import pytest

from core.engine.run.latents import Layout
from tests.engine.tiny import a_mask, a_picture
from tests.engine.tiny_transformers import PIPELINES

FAMILIES = sorted(PIPELINES)


@pytest.mark.parametrize("family", ["Kandinsky 2.2", *FAMILIES])
def test_what_is_packed_and_seen_as_a_grid_is_as_before(transformer, kandinsky, family):
    import torch

    inpainter = kandinsky if family == "Kandinsky 2.2" else transformer(family)
    layout = Layout(inpainter._pipe, 96, 64)
    grid = layout.encoded(a_picture(96, 64))

    assert grid.shape[2:] == (8, 12)
    assert torch.equal(layout.grid(layout.packed(grid)), grid)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_is_encoded_as_its_pipeline_does_it(transformer, family, monkeypatch):
    """With hardly any noise added and nothing drawn, what the loop starts from is the encoded picture."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    pipe, picture = transformer(family)._pipe, a_picture()
    layout = Layout(pipe, 64, 64)
    ours = layout.encoded(picture)
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=[1e-6])
    monkeypatch.setattr(pipe, "scheduler", scheduler)
    channels = "num_latents_channels" if family == "FLUX.2 klein" else "num_channels_latents"
    arguments = {
        "image": pipe.image_processor.preprocess(picture, height=64, width=64),
        "timestep": scheduler.timesteps[:1],
        "batch_size": 1,
        channels: ours.shape[1],
        "height": 64,
        "width": 64,
        "dtype": torch.float32,
        "device": "cpu",
        "generator": torch.Generator().manual_seed(0),
    }
    if family == "Stable Diffusion 3":
        arguments["is_strength_max"] = False

    with torch.no_grad():
        theirs = pipe.prepare_latents(**arguments)[0]

    assert torch.allclose(layout.grid(theirs), ours, atol=1e-4)


def test_kandinskys_decoder_encodes_a_picture_likewise(kandinsky):
    import torch
    from diffusers.pipelines.kandinsky2_2.pipeline_kandinsky2_2_inpainting import prepare_mask_and_masked_image

    picture = a_picture()
    _, theirs = prepare_mask_and_masked_image(picture, a_mask().to_image(), 64, 64)

    ours = Layout(kandinsky._pipe, 64, 64).encoded(picture)

    with torch.no_grad():
        assert torch.allclose(ours, kandinsky._pipe.vae.encode(theirs)["latents"], atol=1e-5)
