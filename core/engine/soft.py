"""Soft masks inside the model: differential diffusion (Levin and Fried, 2023, arXiv 2306.00950), as a step callback.

A latent that may change by the degree d follows the original, noised to the present step, until 1 - d of the run is
over; from then on it is free. So d is a strength of its own for each latent. The pipeline itself sees a hard mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from core.domain.mask import Mask


class SoftMask:
    """One run's soft mask. original: RGB at the working size. degree: of its size, in whole latent cells."""

    def __init__(self, pipe: Any, original: Image.Image, degree: Mask, calls: int) -> None:
        """calls: how often the model is called in this run."""
        self._pipe = pipe
        self._calls = calls
        self._original = _encoded(pipe, original)
        self._degree = _in_latents(degree, pipe.vae_scale_factor, self._original)
        self.noise: Any = None
        """That of the run; set when it is drawn."""

    def after_call(self, index: int, latents: Any) -> Any:
        """The latents after the nth call of the model, with what is not free yet set back to the original."""
        import torch

        done = index + 1
        if done == self._calls:
            return latents
        timestep = self._pipe.scheduler.timesteps[-self._calls :][done]
        noised = self._pipe.scheduler.add_noise(self._original, self.noise, torch.tensor([timestep]))
        # Where nothing may change at all, the pipeline does what it does with a hard mask.
        is_free = (self._degree >= 1 - done / self._calls) | (self._degree == 0)
        return torch.where(is_free, latents, noised.to(latents.dtype))


def _encoded(pipe: Any, image: Image.Image) -> Any:
    """Without chance, so that the numbers of the run's generator stay where they are."""
    import torch
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint import retrieve_latents

    pixels = pipe.image_processor.preprocess(image, height=image.height, width=image.width)
    with torch.no_grad():
        pixels = pixels.to(device=pipe._execution_device, dtype=pipe.vae.dtype)
        latents = retrieve_latents(pipe.vae.encode(pixels), sample_mode="argmax")
    return latents * pipe.vae.config.scaling_factor


def _in_latents(degree: Mask, cell: int, like: Any) -> Any:
    """(1, 1, h, w) of 0..1."""
    import torch

    cells = degree.pixels[::cell, ::cell].astype(np.float32) / 255
    return torch.from_numpy(cells)[None, None].to(device=like.device)
