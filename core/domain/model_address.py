"""The address of a model's page on the hub, which people paste where a hub id is asked for."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

HOSTS = ("huggingface.co", "hf.co")
ADDRESS = re.compile(r"https?://|(www\.)?(huggingface\.co|hf\.co)/", re.IGNORECASE)
ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)
NO_MODELS = ("datasets", "spaces", "collections", "docs", "papers", "blog", "models", "settings", "api")
SINGLE_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")


def is_address(text: str) -> bool:
    return ADDRESS.match(text.strip()) is not None


def id_of(text: str) -> str | None:
    """ "owner/name", or "owner/name@revision", of a page that belongs to a model; None of anything else."""
    parts = _parts(text)
    if parts is None or len(parts) < 2 or parts[0] in NO_MODELS:
        return None
    owner, name, *rest = parts
    revision = rest[1] if len(rest) > 1 and rest[0] in ("tree", "blob", "resolve", "commit") else "main"
    repository = f"{owner}/{name.removesuffix('.git')}"
    id = repository if revision == "main" else f"{repository}@{revision}"
    return id if ID.fullmatch(id) else None


def names_single_file(text: str) -> bool:
    """Whether it leads to one file with weights at the top of a repository: a checkpoint of its own."""
    parts = _parts(text) or []
    return len(parts) == 5 and parts[2] in ("blob", "resolve") and parts[4].endswith(SINGLE_FILES)


def _parts(text: str) -> list[str] | None:
    """Of the path; None if it is no address on the hub."""
    text = text.strip()
    if not is_address(text):
        return None
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
        host = (address.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    return [unquote(part) for part in address.path.split("/") if part] if host in HOSTS else None
