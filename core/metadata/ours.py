"""Our own record in a picture: what it holds, what it must never hold, and reading it back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core import __version__
from core.domain.generation import Generation
from core.domain.hashing import canonical_json
from core.domain.imported import Imported, as_text
from core.domain.shared_files import shared_files
from core.domain.upscale import LANCZOS, PREFIX
from core.metadata.carriers import Carried
from core.metadata.json_text import json_object
from core.metadata.xmp import record_in

TOOL = "inpaint-studio"
PROGRAM = "Inpaint Studio"
CHUNK = "inpaint_studio"
SCHEMA = 1
"""One golden file per schema in tests/data/metadata must load for ever."""

PRIVATE_NAMES = re.compile(
    r"(?:^|_)(?:path|folder|dir|directory|cache|session|host|hostname|user|username|worker|file|filename|source_name"
    r"|token|secret|password)$",
    re.IGNORECASE,
)
PATH = re.compile(r"""^(?:[~/\\]|\.{1,2}[/\\]|[A-Za-z]:[\\/])|\\|://|(?:^|[\s"'=:(,])(?:/[\w.~-]+){2,}""")
"""A file path or an address, at the start or inside of a text."""

ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@[\w.-]+)?", re.ASCII)


def record_of(generation: Generation) -> dict[str, Any]:
    """All that decides the pixels, as JSON values that may be shown to anyone.

    No file paths and addresses, no names of files, machines, users and sessions.
    """
    recorded, model = generation.record.raw, generation.record.model
    record = {
        "schema": SCHEMA,
        "program": {"name": PROGRAM, "version": version_of(generation)},
        "params": {
            **generation.params.to_dict(),
            "model": shared_model(generation),
            **shared_files(generation.params),
        },
        "width": generation.width,
        "height": generation.height,
        "hashes": {"source": generation.source, "mask": generation.mask, "pixels": generation.pixels_sha256},
        **({"guides": [guide.to_dict() for guide in generation.guides]} if generation.guides else {}),
        "model": {**model.raw, "key": shared_model(generation), "revision": generation.model_revision},
        "device": generation.device,
        "dtype": generation.dtype,
        "created_at": generation.created_at.isoformat(),
        "runtime_s": generation.runtime_s,
        "environment": dict(generation.environment),
        "run": {name: value for name, value in recorded.items() if name != "model"},
    }
    return {name: value if name == "params" else _shareable(value) for name, value in record.items()}


def version_of(generation: Generation) -> str:
    """Of the program that painted it, as far as it is known; else of this one."""
    facts = generation.environment
    return facts.get("app_version") or (facts.get("app_commit") or "")[:12] or __version__


def shared_model(generation: Generation) -> str:
    """The model's key; of a model in a local folder only the folder's name, of an upscaler's file the file's."""
    if upscale := generation.params.upscale:
        return replace(upscale, method=_last_part(upscale.method)).key
    key = generation.params.model.strip()
    ran = generation.record.model
    is_local = bool(ran.raw) and not ran.repository
    if is_local and "/" in key:
        return _last_part(key) or "local folder"
    return model_name(key) or "local folder"


def model_name(text: str) -> str:
    """The name of a model as it may be shown and kept: of what could be a folder only the last part."""
    return text if _names_a_model(text) else _last_part(text)


def upscaler_name(method: str) -> str:
    """Of a file the name without its ending, as other tools list them."""
    return "Lanczos" if method == LANCZOS else _last_part(method).removesuffix(".onnx")


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1].lstrip("~.")


def _names_a_model(key: str) -> bool:
    """Whether this is a key or a hub id, and not the path of a folder, nor what only enlarges."""
    if key.startswith(PREFIX):
        return False
    if "/" not in key and "\\" not in key:
        return not key.startswith(("~", ".")) and not _is_path(key)
    return HUB_ID.fullmatch(key) is not None and ".." not in key


def _shareable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {as_text(k): _shareable(v) for k, v in value.items() if not _is_private(k) and not _is_path(v)}
    if isinstance(value, list | tuple):
        return [_shareable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return None if _is_path(value) else as_text(value) if isinstance(value, str) else value


def _is_private(name: Any) -> bool:
    return PRIVATE_NAMES.search(str(name)) is not None or _is_path(name)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and PATH.search(value) is not None


# Reading -------------------------------------------------------------------------------------------------------


def read(carried: Carried) -> Imported | None:
    """The chunk of a PNG, or the XMP of any other file. Of a newer schema, what is still understood."""
    texts = (carried.texts.get(CHUNK), record_in(carried.xmp), record_in(carried.xmp_extension))
    records = [*map(json_object, texts), *(value for _, value in carried.objects if "schema" in value)]
    return next((imported_from(record) for record in records if record and _is_whole(record)), None)


def imported_from(record: Mapping[str, Any]) -> Imported:
    # By which rules it was painted is told, and not taken over: what is asked for now is painted by the newest.
    found = {name: value for name, value in record["params"].items() if name not in ("schema", "processing")}
    model = found.get("model")
    if not isinstance(model, str) or not _names_a_model(model):
        # Not from us: a stranger's file must not name a folder of this machine.
        return Imported.of(TOOL, {**found, "model": None}, record=record, raw={"model": model})
    return Imported.of(TOOL, found, record=record)


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether it is a record, and has a spelling that files and databases take."""
    if not isinstance(record.get("schema"), int) or not isinstance(record.get("params"), dict):
        return False
    try:
        text = canonical_json(record)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return ESCAPED_NUL.search(text) is None
