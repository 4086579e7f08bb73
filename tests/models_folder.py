"""Files of weights as artists have them, in a moment: names and shapes that tell what they are, and no content."""

from __future__ import annotations

import os
from pathlib import Path

from tests.engine.model_files import write

CROSS = "transformer_blocks_0_attn2_to_k"
WIDTH = {"sd1": 768, "xl": 2048}


def lora(path: Path, base: str = "sd1", **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"lora_unet_down_blocks_1_attentions_0_{CROSS}"
    shapes = {f"{name}.lora_down.weight": (4, WIDTH[base]), f"{name}.lora_up.weight": (320, 4), f"{name}.alpha": ()}
    return write(path, shapes, metadata=metadata)


def checkpoint(path: Path, channels: int = 4, *, parts: tuple[str, ...] = ("first_stage_model", "cond_stage_model")):
    path.parent.mkdir(parents=True, exist_ok=True)
    unet = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, channels, 3, 3),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    }
    return write(path, unet | {f"{part}.weight": (8, 8) for part in parts})


def vae(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, {"decoder.conv_in.weight": (512, 4, 3, 3), "decoder.up.0.block.0.conv1.weight": (8, 8, 3, 3)})


def many_loras(folder: Path, count: int) -> None:
    """Of few layers; those of trainers have some 264."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {}
    for n in range(12):
        name = f"lora_unet_down_blocks_{n % 3}_attentions_{n // 3}_{CROSS}"
        shapes |= {f"{name}.lora_down.weight": (16, 768), f"{name}.lora_up.weight": (320, 16), f"{name}.alpha": ()}
    first = write(folder / "style 000.safetensors", shapes, metadata={"modelspec.trigger_phrase": "style, oil"})
    for n in range(1, count):
        os.link(first, folder / f"style {n:03}.safetensors")
