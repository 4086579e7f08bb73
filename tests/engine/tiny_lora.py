"""Small LoRA files as the trainers write them, with random factors, for modules of a tiny pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.engine.lora.names import original_path

RANK = 2

ATTENTION = ("attn1.to_q", "attn2.to_k", "attn2.to_v", "attn1.to_out.0", "ff.net.0.proj", "proj_in")
CONVOLUTIONS = (
    "conv1",
    "conv2",
    "conv_shortcut",
    "time_emb_proj",
    "downsamplers.0.conv",
    "upsamplers.0.conv",
    "conv_in",
)
OF_TEXT = ("self_attn.q_proj", "mlp.fc1")

Factors = Mapping[str, Any]


def targets(component: Any, endings: Sequence[str]) -> dict[str, Any]:
    """Layers whose names end so, by name."""
    return {
        name: module
        for name, module in component.named_modules()
        if hasattr(module, "weight") and name.endswith(tuple(endings))
    }


def lora(shape: Sequence[int], random: Any, rank: int = RANK) -> Factors:
    """As sd-scripts and LyCORIS make them: of a convolution the first one is a convolution of the same size."""
    out, into, *sides = shape
    return {"down": random(rank, into, *sides), "up": random(out, rank, *[1] * len(sides))}


def loha(shape: Sequence[int], random: Any, rank: int = RANK) -> Factors:
    out, into = shape[0], _prod(shape[1:])
    return {
        f"hada_w{n}_{end}": random(*size) for n in (1, 2) for end, size in (("a", (out, rank)), ("b", (rank, into)))
    }


def lokr(shape: Sequence[int], random: Any, rank: int = RANK) -> Factors:
    """The first factor whole, the second one of two; each side is divided by 2 where it can be."""
    by_out, by_in = (2 if side % 2 == 0 else 1 for side in shape[:2])
    width = shape[1] // by_in * _prod(shape[2:])
    return {
        "lokr_w1": random(by_out, by_in),
        "lokr_w2_a": random(shape[0] // by_out, rank),
        "lokr_w2_b": random(rank, width),
    }


KINDS: Mapping[str, Callable[..., Factors]] = {"lora": lora, "loha": loha, "lokr": lokr}


def kohya(part: str, name: str, role: str, unet: Any = None) -> str:
    """As sd-scripts calls a tensor. unet: then by the paths of the original layout, as for Stable Diffusion XL."""
    path = (original_path(name, unet.config.layers_per_block, unet) or name) if unet is not None else name
    if part != "lora_unet" and not path.startswith("text_model."):
        path = f"text_model.{path}"
    ending = {"down": "lora_down.weight", "up": "lora_up.weight", "mid": "lora_mid.weight"}.get(role, role)
    return f"{part}_{path.replace('.', '_')}.{ending}"


def peft(part: str, name: str, role: str, unet: Any = None) -> str:
    """As diffusers' save_lora_weights calls it."""
    return f"{part}.{name}.{ {'down': 'lora_A.weight', 'up': 'lora_B.weight'}.get(role, role) }"


def processor(part: str, name: str, role: str, unet: Any = None) -> str:
    """As diffusers called it before PEFT."""
    attention, _, layer = name.removesuffix(".0").rpartition(".")
    return f"{part}.{attention}.processor.{layer}_lora.{role}.weight"


def save(
    file: Path,
    layers: Mapping[tuple[str, str], Any],
    *,
    naming: Callable[..., str] = kohya,
    kind: str = "lora",
    alpha: float | None = 1.0,
    seed: int = 0,
    strength: float = 0.2,
    unet: Any = None,
    metadata: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """layers: modules by (part, name). strength: of the numbers. more: further tensors."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Any:
        return (torch.randn(shape, generator=generator) * strength).half()

    tensors = dict(more or {})
    for (part, name), module in layers.items():
        factors = dict(KINDS[kind](tuple(module.weight.shape), random))
        if alpha is not None:
            factors["alpha"] = torch.tensor(alpha)
        tensors |= {naming(part, name, role, unet): tensor for role, tensor in factors.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file, {**(metadata or {})} or None)
    return file


def of_unet(pipe: Any, endings: Sequence[str] = ATTENTION, part: str = "lora_unet") -> dict[tuple[str, str], Any]:
    return {(part, name): module for name, module in targets(pipe.unet, endings).items()}


def of_text(pipe: Any, part: str = "lora_te", component: str = "text_encoder") -> dict[tuple[str, str], Any]:
    return {(part, name): module for name, module in targets(getattr(pipe, component), OF_TEXT).items()}


def configuration(**values: Any) -> dict[str, str]:
    """As diffusers keeps PEFT's configuration."""
    return {"lora_adapter_metadata": json.dumps(values)}


def _prod(sides: Sequence[int]) -> int:
    found = 1
    for side in sides:
        found *= side
    return found
