"""Embeddings for tests without torch: as A1111 saves them, or as those for Stable Diffusion XL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_embedding(
    file: Path, vectors: int = 2, *, width: int = 16, names: tuple[str, ...] = ("emb_params",), seed: int = 0
) -> Path:
    """width: of the text encoder; 768 is Stable Diffusion 1. names: of its tensors."""
    random = np.random.default_rng(seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: random.normal(size=(vectors, width)).astype(np.float16) for name in names}, file)
    return file
