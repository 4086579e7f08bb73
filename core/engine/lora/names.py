"""What the files of all trainers call the modules of a pipeline.

Kohya's trainer joins the path of a module with underscores, for Stable Diffusion XL that of the original layout;
diffusers and PEFT write diffusers' own path.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

TEXT_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
}
"""Components, and what Kohya's trainer puts before the path of their modules."""

IN_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)")
IN_THE_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)")

OUTSIDE = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
}
RESNET = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
"""Of diffusers to the original layout (ldm/modules/diffusionmodules/openaimodel.py)."""


def modules(pipe: Any) -> Mapping[str, Any]:
    """Every name that a file can give to a linear or convolutional layer of the U-Net and the text encoders."""
    found: dict[str, Any] = {}
    for name, module in _layers(pipe.unet):
        original = original_path(name, pipe.unet.config.layers_per_block, pipe.unet)
        for path in (name, original):
            if path is not None:
                found["lora_unet_" + path.replace(".", "_")] = module
        found[name] = found[f"unet.{name}"] = module
    for component, prefixes in TEXT_ENCODERS.items():
        for name, module in _layers(getattr(pipe, component, None)):
            # Since transformers 5 one of the two classes has no text_model; files always name it.
            whole = name if name.startswith(("text_model.", "text_projection")) else f"text_model.{name}"
            for prefix in prefixes:
                found[prefix + whole.replace(".", "_")] = module
            found[f"{component}.{name}"] = found[f"{component}.{whole}"] = module
    return found


def of_text_encoders(pipe: Any) -> Collection[Any]:
    """Their layers, which a LoRA may be added to with another weight."""
    return {module for component in TEXT_ENCODERS for _, module in _layers(getattr(pipe, component, None))}


def plain(name: str) -> str:
    """A module's name as modules() has it, of one in an older or a wrapped spelling."""
    name = name.removeprefix("base_model.model.").replace(".processor.", ".")
    return f"{name}.0" if name.endswith(".to_out") else name


def _layers(component: Any) -> Iterator[tuple[str, Any]]:
    import torch

    from core.engine.storage.int8 import Int8

    if component is not None:
        for name, module in component.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d | Int8):
                yield name, module


def original_path(name: str, layers: Any, unet: Any) -> str | None:
    """Of a module of diffusers' U-Net in the original layout; None where that has none of its own.

    layers: resnets of each block on the way down, where all have as many.
    """
    if match := IN_BLOCK.fullmatch(name):
        return _in_block(match, layers, unet) if isinstance(layers, int) else None
    if match := IN_THE_MIDDLE.fullmatch(name):
        kind, number, rest = match.groups()
        return f"middle_block.{2 * int(number) if kind == 'resnets' else 1}.{_within(kind, rest)}"
    return OUTSIDE.get(name)


def _in_block(match: re.Match[str], layers: int, unet: Any) -> str:
    way, block, kind, number, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    each = layers + 1
    if kind == "downsamplers":
        return f"input_blocks.{each * (block + 1)}.0.op"
    if kind == "upsamplers":
        # Behind the attention, where the block has one.
        place = 2 if hasattr(unet.up_blocks[block], "attentions") else 1
        return f"output_blocks.{each * block + layers}.{place}.{rest}"
    at = f"input_blocks.{1 + each * block + number}" if way == "down" else f"output_blocks.{each * block + number}"
    return f"{at}.{0 if kind == 'resnets' else 1}.{_within(kind, rest)}"


def _within(kind: str, rest: str) -> str:
    return RESNET.get(rest, rest) if kind == "resnets" else rest
