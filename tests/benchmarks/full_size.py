"""Stable Diffusion 1.5 inpainting at full size, with random weights: what a run costs does not depend on their values.

The configurations are those of assets/single-file, with the nine channels of an inpainting model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parents[2] / "assets" / "single-file"
MEAN_SQUARE_OF_UNIFORM = 3.0
"""Values between -a and a have the variance a * a / 3."""


def save(folder: Path) -> Path:
    """A diffusers folder in float32, about 4.3 GB: U-Net, VAE, text encoder, tokenizer, scheduler; no safety checker.

    One that is there already is left as it is. Returns the folder.
    """
    if (folder / "model_index.json").exists():
        return folder
    import diffusers
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    layout = ASSETS / "sd1"
    _save(folder / "unet", lambda: UNet2DConditionModel(**config(layout / "unet", in_channels=9)))
    _save(folder / "vae", lambda: AutoencoderKL(**config(layout / "vae")))
    _save(folder / "text_encoder", lambda: CLIPTextModel(CLIPTextConfig(**config(layout / "text_encoder"))))
    shutil.copytree(layout / "scheduler", folder / "scheduler", dirs_exist_ok=True)
    shutil.copytree(ASSETS / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    index = json.loads((layout / "model_index.json").read_text("utf-8"))
    kind = {"_class_name": "StableDiffusionInpaintPipeline", "_diffusers_version": diffusers.__version__}
    # Last: what is broken off before is made again.
    (folder / "model_index.json").write_text(json.dumps({**index, **kind}), "utf-8")
    return folder


def save_tiny_autoencoder(file: Path) -> Path:
    """One of the shapes of TAESD, in diffusers' layout. Returns the file."""
    from diffusers import AutoencoderTiny
    from safetensors.torch import save_file

    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(filled(lambda: AutoencoderTiny(latent_channels=4)).state_dict(), file)
    return file


def config(folder: Path, **changes: Any) -> dict[str, Any]:
    return {**json.loads((folder / "config.json").read_text("utf-8")), **changes}


def _save(folder: Path, make: Callable[[], Any]) -> None:
    filled(make).save_pretrained(folder)


def filled(make: Callable[[], Any], dtype: str = "float32", device: str = "cpu") -> Any:
    """Values of about the size that a new model has, so that nothing overflows on its way through."""
    import torch

    with torch.random.fork_rng(), torch.device("meta"):
        module = make().to(getattr(torch, dtype))
    module = module.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, values in module.named_parameters():
            if values.dim() > 1:
                most = (MEAN_SQUARE_OF_UNIFORM / values[0].numel()) ** 0.5
                values.uniform_(-most, most, generator=generator)
            else:
                values.fill_(1.0 if name.endswith("weight") else 0.0)
        for name, values in module.named_buffers():
            if name.endswith("position_ids"):
                values.copy_(torch.arange(values.shape[-1]).expand(values.shape))
            elif values.is_floating_point():
                values.uniform_(-1, 1, generator=generator)
    return module.eval().requires_grad_(False)
