"""Fooocus, its own scheme: a flat JSON object where others have A1111's text. The other scheme is read there."""

from __future__ import annotations

from typing import Any

from core.domain.imported import Imported
from core.metadata import flat
from core.metadata.carriers import Carried

TOOL = "fooocus"


def read(carried: Carried) -> Imported | None:
    for _, metadata in carried.objects:
        if _is_fooocus(metadata, carried) and "prompt" in metadata:
            return flat.imported(TOOL, metadata)
    return None


def _is_fooocus(metadata: dict[str, Any], carried: Carried) -> bool:
    scheme = carried.texts.get("fooocus_scheme", carried.exif("MakerNote"))
    return scheme == "fooocus" or "metadata_scheme" in metadata or {"performance", "base_model"} <= metadata.keys()
