"""Soft masks inside the model: differential diffusion (Levin and Fried, 2023, arXiv 2306.00950), as a step callback.

A latent that may change by the degree d follows the original, noised to the present step, until 1 - d of the run is
over; from then on it is free. So d is a strength of its own for each latent. The pipeline itself sees a hard mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from core.domain.pixels.mask import Mask
from core.engine.run import schedulers
from core.engine.run.latents import Layout


class SoftMask:
    """One run's soft mask. original: RGB at the working size. degree: of its size, in whole latent cells.

    noise: that of the run, as the pipeline drew it. calls: how often the model is called in this run.
    """

    def __init__(self, layout: Layout, original: Image.Image, degree: Mask, *, noise: Any, calls: int) -> None:
        self._calls = calls
        encoded = layout.encoded(original)
        self._original = layout.packed(encoded)
        self._degree = layout.packed(_in_latents(degree, layout, encoded))
        self._noise = layout.packed_noise(noise).to(self._original)

    def after_call(self, scheduler: Any, index: int, latents: Any) -> Any:
        """The latents after the nth call of the model, with what is not free yet set back to the original."""
        import torch

        done = index + 1
        if done == self._calls:
            return latents
        timestep = scheduler.timesteps[-self._calls :][done]
        noised = schedulers.noised(scheduler, self._original, self._noise, timestep)
        # Where nothing may change at all, the pipeline does what it does with a hard mask.
        is_free = (self._degree >= 1 - done / self._calls) | (self._degree == 0)
        return torch.where(is_free, latents, noised.to(latents.dtype))


def _in_latents(degree: Mask, layout: Layout, like: Any) -> Any:
    """A grid of 0..1 with the channels of that grid: packed, each part of a token needs its own."""
    import torch

    rows, columns = (
        np.arange(count) * side // count
        for count, side in ((layout.rows, degree.size.height), (layout.columns, degree.size.width))
    )
    cells = degree.pixels[np.ix_(rows, columns)].astype(np.float32) / 255
    return torch.from_numpy(cells)[None, None].expand(-1, like.shape[1], -1, -1).to(device=like.device)
