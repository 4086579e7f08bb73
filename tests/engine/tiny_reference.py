"""Small IP-Adapters and image encoders for the tiny pipelines, in the layouts of tencent-ailab/IP-Adapter and h94."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STATES, EMBEDS = 24, 20
"""Widths of what the tiny encoder gives: for patches, and for the whole picture."""


def write_encoder(folder: Path, *, seed: int = 1, states: int = STATES, embeds: int = EMBEDS) -> Path:
    """A folder of transformers: model.safetensors beside its config.json."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=states,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
        projection_dim=embeds,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder / "model.safetensors"


def write_adapter(path: Path, unet: Any, *, seed: int = 1, plus: bool = False, embeds: int = EMBEDS) -> Path:
    """That of diffusers' names is made from the UNet: one pair of weights for each attention to the prompt."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Any:
        return torch.randn(shape, generator=generator) * 0.5

    width = unet.config.cross_attention_dim
    tensors = _plus(noise, width) if plus else _plain(noise, width, embeds)
    places = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for nth, name in enumerate(places):
        inner = unet.get_submodule(name.removesuffix(".processor")).inner_dim
        for kind in "kv":
            tensors[f"ip_adapter.{2 * nth + 1}.to_{kind}_ip.weight"] = noise(inner, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def _plain(noise: Any, width: int, embeds: int) -> dict[str, Any]:
    return {
        "image_proj.proj.weight": noise(4 * width, embeds),
        "image_proj.proj.bias": noise(4 * width),
        "image_proj.norm.weight": noise(width),
        "image_proj.norm.bias": noise(width),
    }


def _plus(noise: Any, width: int) -> dict[str, Any]:
    """One layer of a resampler with one head of 64."""
    hidden = 16
    layer = {
        "0.norm1.weight": (hidden,),
        "0.norm1.bias": (hidden,),
        "0.norm2.weight": (hidden,),
        "0.norm2.bias": (hidden,),
        "0.to_q.weight": (64, hidden),
        "0.to_kv.weight": (128, hidden),
        "0.to_out.weight": (hidden, 64),
        "1.0.weight": (hidden,),
        "1.0.bias": (hidden,),
        "1.1.weight": (4 * hidden, hidden),
        "1.3.weight": (hidden, 4 * hidden),
    }
    outer = {
        "latents": (1, 6, hidden),
        "proj_in.weight": (hidden, STATES),
        "proj_in.bias": (hidden,),
        "proj_out.weight": (width, hidden),
        "proj_out.bias": (width,),
        "norm_out.weight": (width,),
        "norm_out.bias": (width,),
    }
    # diffusers asks for four layers, as all published ones have.
    layers = {f"layers.{nth}.{key}": shape for nth in range(4) for key, shape in layer.items()}
    return {f"image_proj.{key}": noise(*shape) for key, shape in {**outer, **layers}.items()}
