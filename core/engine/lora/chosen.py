"""From the LoRAs that are asked for to their files: by their names, and by the hashes of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.lora import Lora
from core.engine.lora.added import Addition
from core.engine.models.hashed_files import hashed_files
from core.ports import FileLibrary

RECORDED = "loras"
"""The field of an inpainter's record."""


def additions(loras: Sequence[Lora], library: FileLibrary, recorded: Mapping[str, Any]) -> list[Addition]:
    """recorded: what the inpainter recorded of an earlier run. Raises InvalidLora."""
    files = hashed_files([lora.name for lora in loras], library, recorded.get(RECORDED))
    return [
        Addition(found.file, found.sha256, lora.weight, lora.text_encoder_weight)
        for lora, found in zip(loras, files, strict=True)
    ]
