"""ControlNets from their files: of diffusers' layout and of the original one, for the UNet that they are to guide."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.domain.control import problem_of
from core.domain.errors import InvalidControlNet
from core.domain.model_file import NamedFile
from core.engine.models.integrity import read_object
from core.engine.quiet import quiet_libraries

CONFIG = "config.json"
CLASS = "ControlNetModel"
SAVED = "diffusion_pytorch_model"
"""What the name of the file in a folder of diffusers begins with."""

OF_ITS_OWN = ("in_channels", "conditioning_channels", "conditioning_embedding_out_channels")
"""Settings that a ControlNet does not share with its UNet: it reads plain latents also beside one for inpainting."""


def load(file: NamedFile, unet: Any, dtype: Any) -> Any:
    """The ControlNet on the CPU, with all of its weights. dtype: of torch.

    Needs no more memory than the net itself; where the file has this dtype, its weights stay in it and are mapped.
    Raises InvalidControlNet, in words, for one that was made for another architecture, or lacks something.
    """
    import diffusers
    from accelerate import init_empty_weights
    from safetensors.torch import load_file

    name = file.path.name
    if problem := problem_of(file.about, name):
        raise InvalidControlNet(f"ControlNet: {problem}")
    try:
        with quiet_libraries(), init_empty_weights():
            net = diffusers.ControlNetModel.from_config(_config(file.path, unet))
        found = _by_diffusers_names(load_file(file.path), net.config.layers_per_block)
    except Exception as error:  # whatever a file that is not what it seems makes of the library
        raise InvalidControlNet(f"ControlNet: {name} cannot be read. Download or copy it again.") from error
    wanted = net.state_dict()
    _check(name, found, wanted)
    state = {key: found.pop(key).to(dtype) for key in wanted}
    net.load_state_dict(state, assign=True)
    return net.requires_grad_(False).eval()


def _config(path: Path, unet: Any) -> dict[str, Any]:
    """What stands beside the file in a folder of diffusers; else the UNet's, whose first half it is a copy of."""
    import diffusers

    beside = (read_object(path.with_name(CONFIG)) if path.name.startswith(SAVED) else None) or {}
    if beside.get("_class_name") == CLASS:
        return beside
    known = set(inspect.signature(diffusers.ControlNetModel.__init__).parameters).difference(OF_ITS_OWN)
    return {key: value for key, value in unet.config.items() if key in known}


def _by_diffusers_names(weights: Mapping[str, Any], layers_per_block: int) -> dict[str, Any]:
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    converted = convert_controlnet_checkpoint(weights, {"layers_per_block": layers_per_block})
    return {key: tensor for key, tensor in converted.items() if tensor is not None}


def _check(name: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, empty in wanted.items():
        tensor = found.get(key)
        if tensor is None:
            raise InvalidControlNet(
                f"ControlNet: {name} lacks some of the weights that this model's ControlNets have ({key}). Choose one "
                "that was made for this model."
            )
        if tensor.shape != empty.shape:
            raise InvalidControlNet(
                f"ControlNet: {name} was made for another model: {key} is {tuple(tensor.shape)}, and here it is "
                f"{tuple(empty.shape)}. Choose one that was made for this model."
            )
    if further := sorted(set(found) - set(wanted)):
        raise InvalidControlNet(
            f"ControlNet: {name} holds what is not understood ({further[0]}). Choose a plain ControlNet."
        )
