"""Fooocus, its own scheme: a flat JSON object where others have A1111's text. The other scheme is read there."""

from __future__ import annotations

import re
from typing import Any

from core.domain.imported import Imported
from core.metadata.carriers import USER_COMMENT, Carried, json_object
from core.metadata.samplers import scheduler_of

TOOL = "fooocus"

FIELDS = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "steps": "num_inference_steps",
    "guidance_scale": "guidance_scale",
    "seed": "seed",
}
RESOLUTION = re.compile(r"\(\s*(\d{1,6})\s*,\s*(\d{1,6})\s*\)")


def read(carried: Carried) -> Imported | None:
    metadata = json_object(carried.texts.get("parameters")) or json_object(carried.exif(USER_COMMENT))
    if not metadata or not _is_fooocus(metadata, carried):
        return None
    rest = {name: value for name, value in metadata.items() if name not in FIELDS}
    found = {field: metadata.get(name) for name, field in FIELDS.items()}
    found["scheduler"] = scheduler_of(rest.get("sampler"), rest.get("scheduler"))
    if found["scheduler"]:
        rest = {name: value for name, value in rest.items() if name not in ("sampler", "scheduler")}
    size = RESOLUTION.fullmatch(str(rest.get("resolution", "")).strip())
    if size:
        del rest["resolution"]
    rest["model"] = rest.pop("base_model", None)
    return Imported.of(TOOL, found, size=size.groups() if size else None, raw=rest)


def _is_fooocus(metadata: dict[str, Any], carried: Carried) -> bool:
    scheme = carried.texts.get("fooocus_scheme", carried.exif("MakerNote"))
    return scheme == "fooocus" or "metadata_scheme" in metadata or {"performance", "base_model"} <= metadata.keys()
