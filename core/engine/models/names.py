"""What a model may be called: a file or folder of this machine, a hub id, or the address of its page on the hub."""

from __future__ import annotations

import re
from pathlib import Path

from core.domain import model_address
from core.domain.errors import UnknownModel
from core.engine.models import onnx_header
from core.engine.models.weights import INDEX, UNSAFE

HUB_ID = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
LONGEST_ID = 96
"""As the hub's own library checks it."""

ENDINGS = (".safetensors", ".gguf", onnx_header.ENDING, *UNSAFE)
FILE = re.compile(rf"(?P<file>.*(?i:{'|'.join(map(re.escape, ENDINGS))}))(?:@(?P<chosen>[^@]+))?", re.DOTALL)
"""A file of weights. What may stand after its name: what the model predicts, where the file does not tell; of a
transformer alone, the model that everything else is taken from."""


def checked(key: str) -> str:
    """The text, without space around it. Raises UnknownModel if it holds what is no text."""
    if any(c < " " or "\ud800" <= c <= "\udfff" for c in key.strip()):
        raise UnknownModel("The name of this model contains invalid characters. Enter it again.")
    if not key.strip():
        raise UnknownModel
    return key.strip()


def folder_of(key: str) -> Path | None:
    """The model's folder, if the text names one that is there; None if it can only be meant as a hub id.

    Raises UnknownModel where it can only be meant as something on this machine that is no model.
    """
    try:
        path = Path(key).expanduser()
        if (path / INDEX).is_file():
            return path.absolute()
        is_folder, is_file = path.is_dir(), path.exists() and not path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        # Too long, not allowed to be looked at, no such user, or holding what no name can.
        if _is_path(key) or isinstance(error, PermissionError):
            raise UnknownModel(f"The folder {_short(key)} cannot be accessed. Check the path.") from error
        raise UnknownModel from error
    if is_file:
        raise UnknownModel(f"{key} is a file. Choose the folder of a diffusers pipeline, which holds a {INDEX}.")
    if is_folder:
        raise UnknownModel(f"The folder {key} has no {INDEX}. Choose a folder that contains a diffusers pipeline.")
    if _is_path(key):
        kind = "file" if FILE.fullmatch(key) else "folder"
        raise UnknownModel(
            f"The {kind} {_short(key)} does not exist. Choose a folder that contains a diffusers pipeline, or a "
            "checkpoint in the safetensors format."
        )
    return None


def file_of(key: str) -> tuple[Path, str | None] | None:
    """The file of weights that the text names, if it is there, and what stands behind its name, if anything."""
    named = FILE.fullmatch(key)
    if named is None:
        return None
    try:
        path = Path(named["file"]).expanduser()
        return (path.absolute(), named["chosen"]) if path.exists() and not path.is_dir() else None
    except (OSError, RuntimeError, ValueError):
        return None  # folder_of tells why


def as_hub_id(key: str) -> str:
    """The text itself, or the hub id that an address on the hub means. Raises UnknownModel of another address."""
    if not model_address.is_address(key):
        return key
    id = model_address.id_of(key)
    if id is None:
        raise UnknownModel(
            "This address is not a model page on the Hugging Face hub. Enter a hub id such as owner/name, or a "
            "folder that contains a diffusers pipeline."
        )
    if model_address.names_single_file(key):
        raise UnknownModel(
            "This address leads to one file, which is not downloaded from here. Download it and give its path; or, "
            f"if the repository also holds a diffusers pipeline, its id: {id}."
        )
    return id


def _is_path(key: str) -> bool:
    too_deep_for_an_id = key.count("/") > 1 and "@" not in key
    return key.startswith((".", "/", "~")) or "\\" in key or key[1:2] == ":" or too_deep_for_an_id


def _short(key: str) -> str:
    return key if len(key) <= 80 else f"{key[:80]}…"
