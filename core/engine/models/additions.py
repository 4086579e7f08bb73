"""What can be downloaded and added to models: LoRAs of few steps, and small autoencoders, which *Draft* uses.

Sizes are rough, by the pages of their makers; what arrives is checked by the hash that the hub states. Which steps,
scheduler and guidance each wants is in core/domain/speed.py, which finds them by the names of their files.
"""

from __future__ import annotations

from core.domain.model import ModelSpec, PinnedFile

WEIGHTS = "pytorch_lora_weights.safetensors"
SMALL_VAE = "diffusion_pytorch_model.safetensors"
OPENRAIL = "OpenRAIL++-M"


def _lora(key: str, title: str, repository: str, file: str, px: int, licence: str, gb: float, name: str) -> ModelSpec:
    """name: of the file, without its ending, once it is here."""
    return ModelSpec(
        key=key,
        title=title,
        description="A LoRA with which Draft needs few steps and no guidance. Its file goes to models/loras.",
        native_px=px,
        repository=repository,
        pinned=PinnedFile(file),
        licence=licence,
        licence_url=f"https://huggingface.co/{repository}",
        download_gb=gb,
        place=f"loras/{name}.safetensors",
    )


def _small_vae(key: str, title: str, px: int) -> ModelSpec:
    return ModelSpec(
        key=key,
        title=title,
        description="A small autoencoder, with which Draft needs less time. Its file goes to models/vae.",
        native_px=px,
        repository=f"madebyollin/{key}",
        pinned=PinnedFile(SMALL_VAE),
        licence="MIT",
        licence_url=f"https://huggingface.co/madebyollin/{key}",
        download_gb=0.01,
        place=f"vae/{key}.safetensors",
    )


ADDITIONS: tuple[ModelSpec, ...] = (
    _lora(
        "lcm-lora-sd15",
        "LCM-LoRA for Stable Diffusion 1",
        "latent-consistency/lcm-lora-sdv1-5",
        WEIGHTS,
        512,
        OPENRAIL,
        0.135,
        "lcm-lora-sdv1-5",
    ),
    _lora(
        "lcm-lora-sdxl",
        "LCM-LoRA for Stable Diffusion XL",
        "latent-consistency/lcm-lora-sdxl",
        WEIGHTS,
        1024,
        OPENRAIL,
        0.394,
        "lcm-lora-sdxl",
    ),
    _lora(
        "hyper-sd15",
        "Hyper-SD, 8 steps, for Stable Diffusion 1",
        "ByteDance/Hyper-SD",
        "Hyper-SD15-8steps-lora.safetensors",
        512,
        OPENRAIL,
        0.269,
        "Hyper-SD15-8steps-lora",
    ),
    _lora(
        "hyper-sdxl",
        "Hyper-SD, 8 steps, for Stable Diffusion XL",
        "ByteDance/Hyper-SD",
        "Hyper-SDXL-8steps-lora.safetensors",
        1024,
        OPENRAIL,
        0.787,
        "Hyper-SDXL-8steps-lora",
    ),
    _lora(
        "sdxl-lightning",
        "SDXL-Lightning, 4 steps",
        "ByteDance/SDXL-Lightning",
        "sdxl_lightning_4step_lora.safetensors",
        1024,
        OPENRAIL,
        0.394,
        "sdxl_lightning_4step_lora",
    ),
    _lora("tcd-sd15", "TCD for Stable Diffusion 1", "h1t/TCD-SD15-LoRA", WEIGHTS, 512, "MIT", 0.135, "tcd-sd15-lora"),
    _lora("tcd-sdxl", "TCD for Stable Diffusion XL", "h1t/TCD-SDXL-LoRA", WEIGHTS, 1024, "MIT", 0.394, "tcd-sdxl-lora"),
    _small_vae("taesd", "TAESD for Stable Diffusion 1", 512),
    _small_vae("taesdxl", "TAESD for Stable Diffusion XL", 1024),
)
