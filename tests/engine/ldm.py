"""Weights of diffusers and transformers in the original layout (LDM): the way back from what the loaders undo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

State = Mapping[str, Any]

UNET = "model.diffusion_model."
VAE = "first_stage_model."

PLAIN = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
IN_RESNETS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
IN_OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "encoder.layers.": "transformer.resblocks.",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    ".fc1.": ".c_fc.",
    ".fc2.": ".c_proj.",
    ".self_attn": ".attn",
}


def unet(state: State, prefix: str = UNET) -> dict[str, Any]:
    """Of a UNet2DConditionModel, as many resnets in each block as in the first."""
    layers = len({key.split(".")[3] for key in state if key.startswith("down_blocks.0.resnets.")})
    attending = {key.split(".")[1] for key in state if re.match(r"up_blocks\.\d+\.attentions\.", key)}
    return {prefix + _unet_key(key, layers, attending): value for key, value in state.items()}


def _unet_key(key: str, layers: int, attending: set[str]) -> str:
    if match := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", key):
        side, block, what, layer, rest = match.groups()
        at = (layers + 1) * int(block) + int(layer) + (side == "down")
        return f"{'input' if side == 'down' else 'output'}_blocks.{at}.{_inner(what, rest)}"
    if match := re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.*)", key):
        return f"input_blocks.{(layers + 1) * (int(match[1]) + 1)}.0.op.{match[2]}"
    if match := re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.(.*)", key):
        place = 2 if match[1] in attending else 1
        return f"output_blocks.{(layers + 1) * int(match[1]) + layers}.{place}.{match[2]}"
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", key):
        place = 2 * int(match[2]) if match[1] == "resnets" else 1
        return f"middle_block.{place}.{_inner(match[1], match[3]).partition('.')[2]}"
    stem = next(stem for stem in PLAIN if key.startswith(f"{stem}."))
    return PLAIN[stem] + key.removeprefix(stem)


def _inner(what: str, rest: str) -> str:
    if what == "attentions":
        return f"1.{rest}"
    for new, old in IN_RESNETS.items():
        rest = rest.replace(new, old)
    return f"0.{rest}"


def vae(state: State, prefix: str = VAE) -> dict[str, Any]:
    """Of an AutoencoderKL."""
    last = max(int(key.split(".")[2]) for key in state if key.startswith("decoder.up_blocks."))
    converted = {}
    for key, value in state.items():
        name = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{last - int(m[1])}.block.{m[2]}", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"up.{last - int(m[1])}.upsample.", name)
        name = re.sub(r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions.0." in name:
            name = name.replace("mid_block.attentions.0.", "mid.attn_1.").replace("group_norm", "norm")
            name = re.sub(r"\.to_([qkv])\.", r".\1.", name.replace("to_out.0", "proj_out"))
            if value.ndim == 2:
                value = value[:, :, None, None]
        converted[prefix + name] = value
    return converted


def clip(state: State, prefix: str = "cond_stage_model.transformer.") -> dict[str, Any]:
    """Of a CLIPTextModel, whose names lost text_model. in transformers 5."""
    return {prefix + "text_model." + key.removeprefix("text_model."): value for key, value in state.items()}


def open_clip(state: State, prefix: str = "cond_stage_model.model.") -> dict[str, Any]:
    """Of a CLIPTextModel or CLIPTextModelWithProjection, with query, key and value in one tensor."""
    import torch

    converted: dict[str, Any] = {}
    attention: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        name = key.removeprefix("text_model.")
        for new, old in IN_OPEN_CLIP.items():
            name = name.replace(new, old)
        if match := re.match(r"(.*\.attn)\.([qkv])_proj\.(weight|bias)", name):
            attention.setdefault(f"{match[1]}.in_proj_{match[3]}", {})[match[2]] = value
        elif name == "text_projection.weight":
            converted[f"{prefix}text_projection"] = value.T.contiguous()
        else:
            converted[prefix + name] = value
    for name, of in attention.items():
        converted[prefix + name] = torch.cat([of["q"], of["k"], of["v"]])
    return converted
