"""IP-Adapters and image encoders for tests without torch: what their headers tell, and nothing that could look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_ip_adapter(file: Path, *, width: int = 768, embeds: int = 1024, **further: tuple[int, ...]) -> Path:
    """width: of the text that the model reads; 768 is Stable Diffusion 1. embeds: of what it reads."""
    shapes = {
        "image_proj.proj.weight": (4, embeds),
        "image_proj.norm.weight": (width,),
        "ip_adapter.1.to_k_ip.weight": (4, width),
        "ip_adapter.1.to_v_ip.weight": (4, width),
        **further,
    }
    return _write(file, shapes)


def write_image_encoder(file: Path, *, states: int = 1280, embeds: int = 1024) -> Path:
    """As ViT-H, if nothing else is said."""
    shapes = {
        "vision_model.embeddings.class_embedding": (states,),
        "vision_model.embeddings.patch_embedding.weight": (states, 3, 1, 1),
        "vision_model.encoder.layers.0.self_attn.q_proj.weight": (1, states),
        "visual_projection.weight": (embeds, 1),
    }
    return _write(file, shapes)


def _write(file: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, file)
    return file
