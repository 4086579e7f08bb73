"""Small ControlNets for the tiny pipelines, as files of either layout; a new one is nothing but zeros at its ends."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.engine import ldm


def net_for(unet: Any, seed: int = 1) -> Any:
    """A ControlNet of the UNet's architecture that changes the picture: random where a new one has zeros."""
    import torch
    from diffusers import ControlNetModel

    settings = {**unet.config, "in_channels": 4}
    known = inspect.signature(ControlNetModel.__init__).parameters
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = ControlNetModel(**{name: value for name, value in settings.items() if name in known})
        for end in (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out):
            torch.nn.init.normal_(end.weight, std=0.3)
    return net


def write(path: Path, net: Any, *, layout: str = "ldm", dtype: Any = None) -> Path:
    """layout: "ldm" as control_v11p_sd15_canny.pth was, "bare" the same without its prefix, or "diffusers"."""
    from safetensors.torch import save_file

    state = net.state_dict() if dtype is None else {key: value.to(dtype) for key, value in net.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    named = state if layout == "diffusers" else original(state, "control_model." if layout == "ldm" else "")
    save_file({key: value.contiguous() for key, value in named.items()}, path)
    return path


def original(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    own = {key: value for key, value in state.items() if not key.startswith("controlnet_")}
    named = ldm.unet(own, prefix)
    for key, value in state.items():
        if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(\w+)", key):
            named[f"{prefix}zero_convs.{match[1]}.0.{match[2]}"] = value
        elif match := re.fullmatch(r"controlnet_mid_block\.(\w+)", key):
            named[f"{prefix}middle_block_out.0.{match[1]}"] = value
        elif match := re.fullmatch(r"controlnet_cond_embedding\.(.+)\.(\w+)", key):
            named[f"{prefix}input_hint_block.{_of_hint(match[1])}.{match[2]}"] = value
    return named


def _of_hint(layer: str) -> int:
    """Each convolution is followed by an activation."""
    if layer == "conv_in":
        return 0
    return 14 if layer == "conv_out" else 2 * (int(layer.removeprefix("blocks.")) + 1)
