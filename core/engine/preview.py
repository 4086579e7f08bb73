"""What is there so far, as a small JPEG: cheap enough for every step, and without any effect on the run."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
from PIL import Image

from core.domain.request import WorkingRequest

MAX_PX = 256
QUALITY = 70
EVERY_S = 0.2
"""Steps that are faster than this share a preview."""

SHARE = 0.05
"""At most this share of a run goes into previews: the dearer one was, the longer the next one waits."""

# Colour of one latent of the Stable Diffusion 1.x autoencoder, as a linear map found by comparison with decoded
# pictures: https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204/2
SD1_COLOURS = np.array(
    [[0.298, 0.207, 0.208], [0.187, 0.286, 0.173], [-0.158, 0.189, 0.264], [-0.184, -0.271, -0.473]], np.float32
)
SD1_SCALING = 0.18215

BEYOND = 1e4
"""Latents of a broken run end here."""


class Preview:
    """Previews of one run: the picture as it is, with the repainted part as it becomes."""

    def __init__(self, request: WorkingRequest, vae: Any) -> None:
        scale = min(1.0, MAX_PX / max(request.image.size))
        size = tuple(max(1, round(side * scale)) for side in request.image.size)
        self._around = request.image.resize(size)
        self._mask = request.mask.to_image().resize(size)
        self._vae = vae
        self._not_before = float("-inf")

    def of(self, latents: Any) -> bytes | None:
        """latents: (1, channels, h, w), not altered. None if it is too soon, or these latents are not known."""
        started = time.monotonic()
        if started < self._not_before:
            return None
        colours = _decoded(latents, self._vae) if _is_tiny(self._vae) else _linear(latents, self._vae)
        if colours is None:
            return None
        inside = Image.fromarray((np.clip(colours, 0, 1) * 255).astype(np.uint8)).resize(self._around.size)
        data = io.BytesIO()
        Image.composite(inside, self._around, self._mask).save(data, "JPEG", quality=QUALITY)
        ended = time.monotonic()
        self._not_before = ended + max(EVERY_S, (ended - started) / SHARE)
        return data.getvalue()


def _is_tiny(vae: Any) -> bool:
    return type(vae).__name__ == "AutoencoderTiny"


def _linear(latents: Any, vae: Any) -> np.ndarray | None:
    """(h, w, 3) of 0..1, one pixel for each latent; None for the latents of another autoencoder."""
    if latents.shape[1] != len(SD1_COLOURS) or abs(vae.config.scaling_factor - SD1_SCALING) > 1e-4:
        return None
    values = np.nan_to_num(latents[0].detach().float().cpu().numpy().transpose(1, 2, 0), posinf=BEYOND, neginf=-BEYOND)
    values = values.clip(-BEYOND, BEYOND)
    # Some schedulers start from noise many times as strong as latents are.
    return values / max(1.0, float(values.std())) @ SD1_COLOURS / 2 + 0.5


def _decoded(latents: Any, vae: Any) -> np.ndarray:
    """(h, w, 3) of 0..1 from a decoder small enough to be asked each time; of averaged latents if there are many."""
    import torch
    from torch.nn.functional import avg_pool2d

    with torch.no_grad():
        pixels = 2 ** (len(vae.config.decoder_block_out_channels) - 1)
        shrink = max(1, -(-max(latents.shape[2:]) * pixels // MAX_PX))
        few = avg_pool2d(latents, shrink, ceil_mode=True) if shrink > 1 else latents
        few = few / max(1.0, float(few.std()))
        decoded = vae.decode(few / vae.config.scaling_factor, return_dict=False)[0]
    return np.nan_to_num(decoded[0].float().cpu().numpy().transpose(1, 2, 0) / 2 + 0.5, nan=0.5)
