"""From the LoRAs that are asked for to their files: by their names, and by the hashes of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.lora import Lora
from core.engine.lora.added import Addition
from core.engine.models.hashed_files import hashed_file
from core.ports import FileLibrary

RECORDED = "loras"
"""The field of an inpainter's record."""


def additions(loras: Sequence[Lora], library: FileLibrary, recorded: Mapping[str, Any]) -> list[Addition]:
    """recorded: what the inpainter recorded of an earlier run; then it must be the same files, whatever they are called
    now. Raises InvalidLora.
    """
    earlier = recorded.get(RECORDED)
    if not isinstance(earlier, list) or len(earlier) != len(loras):
        earlier = [None] * len(loras)
    files = (hashed_file(lora.name, library, then) for lora, then in zip(loras, earlier, strict=True))
    return [
        Addition(file, sha256, lora.weight, lora.text_encoder_weight)
        for lora, (file, sha256) in zip(loras, files, strict=True)
    ]
