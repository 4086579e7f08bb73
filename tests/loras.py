"""LoRA files for tests without torch: one layer, named as Kohya's trainer does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
TEXT_LAYER = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def write_lora(
    file: Path, *, width: int = 16, seed: int = 0, words: str | None = None, text: bool = False, **metadata: str
) -> Path:
    """width: of the text that the model reads; 768 is Stable Diffusion 1. words: its trigger phrase. text: whether it
    changes the text encoder too."""
    random = np.random.default_rng(seed)
    factors = {"lora_down": (2, width), "lora_up": (16, 2)}
    tensors = {
        f"{layer}.{name}.weight": random.normal(size=size).astype(np.float16)
        for layer in ((LAYER, TEXT_LAYER) if text else (LAYER,))
        for name, size in factors.items()
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {"modelspec.trigger_phrase": words} if words else {}
    save_file(tensors, file, {**told, **metadata} or None)
    return file
