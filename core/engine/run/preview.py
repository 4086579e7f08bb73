"""What is there so far, as a small JPEG: cheap enough for every step, and without any effect on the run."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from PIL import Image

from core.domain.files.encoding import encoded
from core.domain.request import WorkingRequest
from core.engine.run.latents import Layout

MAX_PX = 256
QUALITY = 70
EVERY_S = 0.2
"""Steps that are faster than this share a preview."""

SHARE = 0.05
"""At most this share of a run goes into previews: the dearer one was, the longer the next one waits."""

CHART_CELLS = 16
"""Colours a side of the chart from which the colours of latents are learned: one for each latent."""

RIDGE = 1e-3
"""Against channels that hardly differ over the chart."""

BEYOND = 1e4
"""Latents of a broken run end here."""


class Preview:
    """Previews of one run: the picture as it is, with the repainted part as it becomes."""

    def __init__(self, request: WorkingRequest, colours: Colours, layout: Layout) -> None:
        scale = min(1.0, MAX_PX / max(request.image.size))
        size = max(1, round(request.image.width * scale)), max(1, round(request.image.height * scale))
        self._around = request.image.resize(size)
        self._mask = request.mask.to_image().resize(size)
        self._colours = colours
        self._layout = layout
        self._not_before = float("-inf")

    def of(self, latents: Any) -> bytes | None:
        """latents: as the loop has them, not altered. None if it is too soon."""
        started = time.monotonic()
        if started < self._not_before:
            return None
        colours = self._colours.of(self._layout.grid(latents))
        inside = Image.fromarray((np.clip(colours, 0, 1) * 255).astype(np.uint8)).resize(self._around.size)
        data = encoded(Image.composite(inside, self._around, self._mask), "JPEG", quality=QUALITY)
        ended = time.monotonic()
        self._not_before = ended + max(EVERY_S, (ended - started) / SHARE)
        return data


class Colours(Protocol):
    """What the latents of one autoencoder look like."""

    def of(self, grid: Any) -> np.ndarray:
        """grid: (1, channels, rows, columns). (h, w, 3) of 0..1, here and there beyond."""


def colours_of(pipe: Any) -> Colours:
    """A tiny autoencoder is asked itself; of a large one a linear map is learned, which costs nothing at each step."""
    return Decoded(pipe.vae) if type(pipe.vae).__name__ == "AutoencoderTiny" else Linear.learned(pipe)


class Linear:
    """One pixel for each latent, its colour linear in the channels.

    The usual way, but learned from the model's own autoencoder, so it is there for every family.
    """

    def __init__(self, weights: np.ndarray) -> None:
        """weights: (channels + 1, 3), the last row the constant."""
        self._weights = weights

    @classmethod
    def learned(cls, pipe: Any) -> Linear:
        """By least squares from a chart of random colours, put through the encoder once."""
        cell = pipe.vae_scale_factor
        cells = np.random.default_rng(0).integers(0, 256, (CHART_CELLS, CHART_CELLS, 3), np.uint8)
        side = CHART_CELLS * cell
        chart = Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)
        seen = _channels_last(Layout(pipe, side, side).encoded(chart)).reshape(CHART_CELLS**2, -1)
        wanted = np.asarray(chart.resize((CHART_CELLS,) * 2, Image.Resampling.BOX), float).reshape(-1, 3) / 255
        known = np.column_stack([seen, np.ones(len(seen))])
        ridge = RIDGE * len(seen) * np.eye(known.shape[1])
        return cls(np.linalg.solve(known.T @ known + ridge, known.T @ wanted).astype(np.float32))

    def of(self, grid: Any) -> np.ndarray:
        values: np.ndarray = np.nan_to_num(_channels_last(grid), posinf=BEYOND, neginf=-BEYOND).clip(-BEYOND, BEYOND)
        # Some schedulers start from noise many times as strong as latents are.
        values = values / max(1.0, float(values.std()))
        colours: np.ndarray = values @ self._weights[:-1] + self._weights[-1]
        return colours


class Decoded:
    """By a decoder small enough to be asked each time; of averaged latents if there are many."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae

    def of(self, grid: Any) -> np.ndarray:
        import torch
        from torch.nn.functional import avg_pool2d

        config = self._vae.config
        with torch.no_grad():
            pixels = 2 ** (len(config.decoder_block_out_channels) - 1)
            shrink = max(1, -(-max(grid.shape[2:]) * pixels // MAX_PX))
            few = avg_pool2d(grid, shrink, ceil_mode=True) if shrink > 1 else grid
            few = few / max(1.0, float(few.std()))
            decoded = self._vae.decode(few / config.scaling_factor, return_dict=False)[0]
        return np.nan_to_num(_channels_last(decoded) / 2 + 0.5, nan=0.5)


def _channels_last(grid: Any) -> np.ndarray:
    values: np.ndarray = grid[0].detach().float().cpu().numpy()
    return values.transpose(1, 2, 0)
