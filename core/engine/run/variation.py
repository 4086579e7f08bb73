"""Variations: the noise of one seed, interpolated towards that of another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain.params import AUTO_DTYPE, InpaintParams

Noise = NDArray[np.floating[Any]]


def blend_noise(noise: Any, params: InpaintParams) -> Any:
    """Noise just drawn, blended by variation_strength with that of variation_seed; the noise itself without one."""
    if not params.variation_strength:
        return noise
    import torch

    generator = torch.Generator("cpu").manual_seed(params.variation_seed)
    drawn = noise.dtype if params.dtype == AUTO_DTYPE else torch.float32
    other = torch.randn(noise.shape, generator=generator, dtype=drawn)
    # In numpy, which adds up in one fixed order: the same bits on every device and with any number of threads.
    between = slerp(noise.detach().cpu().double().numpy(), other.double().numpy(), params.variation_strength)
    return torch.from_numpy(between).to(device=noise.device, dtype=noise.dtype)


def slerp(one: Noise, other: Noise, share: float) -> Noise:
    """Along the arc between two directions (Shoemake, 1985), so that what lies between is as strong as noise is.

    share 0 gives the first exactly, 1 the other.
    """
    cosine = float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < 1e-6:
        return one * (1 - share) + other * share
    between: Noise = one * (np.sin((1 - share) * angle) / np.sin(angle)) + other * (
        np.sin(share * angle) / np.sin(angle)
    )
    return between
