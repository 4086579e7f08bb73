"""From the LoRAs that are asked for to their files: by their names, and by the hashes of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.domain.errors import InvalidLora
from core.domain.lora import Lora, LoraFile
from core.engine.lora.added import Addition
from core.engine.models import fingerprint
from core.ports import LoraLibrary

RECORDED = "loras"
"""The field of an inpainter's record."""


def additions(loras: Sequence[Lora], library: LoraLibrary, recorded: Mapping[str, Any]) -> list[Addition]:
    """recorded: what the inpainter recorded of an earlier run; then it must be the same files, whatever they are called
    now. Raises InvalidLora.
    """
    earlier = recorded.get(RECORDED)
    if not isinstance(earlier, list) or len(earlier) != len(loras):
        return [_addition(lora, library.find(lora.name)) for lora in loras]
    return [_same_as(then, lora, library) for then, lora in zip(earlier, loras, strict=True)]


def _addition(lora: Lora, file: LoraFile) -> Addition:
    return Addition(file, _sha256(file.path), lora.weight)


def _same_as(then: Any, lora: Lora, library: LoraLibrary) -> Addition:
    wanted = then.get("sha256") if isinstance(then, Mapping) else None
    try:
        named = library.find(lora.name)
        if wanted is None or _sha256(named.path) == wanted:
            return _addition(lora, named)
        problem = InvalidLora(
            f"LoRA: {named.path.name} is another file now than the one that this was painted with. Put that one back: "
            f"its sha256 begins with {str(wanted).removeprefix('sha256:')[:10]}."
        )
    except InvalidLora as error:
        problem = error
    size = then.get("bytes") if isinstance(then, Mapping) else None
    same = (path for path in library.paths().values() if _size(path) == size and _sha256(path) == wanted)
    if (found := next(same, None)) is None:
        raise problem
    return _addition(lora, library.find(str(found.absolute())))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sha256(path: Path) -> str:
    return fingerprint.of_files({"": path})[""]
