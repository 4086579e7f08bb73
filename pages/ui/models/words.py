"""What models are called on the screen."""

from __future__ import annotations

from core.domain.model_library import KindFilter, ModelEntry

KINDS = {
    KindFilter.CHECKPOINT: "Checkpoint",
    KindFilter.LORA: "LoRA",
    KindFilter.EMBEDDING: "Embedding",
    KindFilter.VAE: "VAE",
    KindFilter.CONTROLNET: "ControlNet",
    KindFilter.IP_ADAPTER: "IP-Adapter",
    KindFilter.IMAGE_ENCODER: "Image encoder",
    KindFilter.REMOVER: "Remover",
    KindFilter.CONTENT_FILL: "Content fill",
    KindFilter.UPSCALER: "Upscaler",
    KindFilter.OTHER: "Other",
}


def title_of(entry: ModelEntry) -> str:
    """What it is: such as "LoRA for Stable Diffusion XL"."""
    if entry.told.about is not None:
        title = entry.told.about.title
    else:
        title = f"{KINDS[entry.kind]} for {entry.told.family}" if entry.told.family else KINDS[entry.kind]
    return title[:1].upper() + title[1:]
