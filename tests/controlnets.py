"""ControlNet files for tests without torch: what their headers tell, and nothing that could paint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_controlnet(file: Path, *, width: int = 768, **further: tuple[int, ...]) -> Path:
    """width: of the text that the model reads; 768 is Stable Diffusion 1. further: tensors by name."""
    shapes = {
        "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": (16, width),
        **further,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, file)
    return file
