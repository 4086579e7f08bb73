"""Files of models as they may be named to anyone: without the folders of the machine where they are."""

from __future__ import annotations

from typing import Any

from core.domain.lora import shared_name
from core.domain.params import InpaintParams

OF_FILES = ("loras", "controlnet", "embeddings", "vae", "ip_adapter")
"""Fields of InpaintParams that name such files."""


def shared_files(params: InpaintParams) -> dict[str, Any]:
    """OF_FILES, as JSON values."""
    return {
        "loras": [{**lora.model_dump(), "name": shared_name(lora.name)} for lora in params.loras],
        "controlnet": [{**control.model_dump(), "name": shared_name(control.name)} for control in params.controlnet],
        "embeddings": [shared_name(name) for name in params.embeddings],
        "vae": shared_name(params.vae),
        "ip_adapter": shared_name(params.ip_adapter),
    }
