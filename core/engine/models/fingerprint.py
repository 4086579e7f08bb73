"""Which bytes a model was loaded from: the hashes of its files, kept in memory while the files stay as they are."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from core.domain.hashing import canonical_json, sha256_of

STORED_BY_HASH = re.compile(r"[0-9a-f]{64}")


def of_files(files: Mapping[str, Path]) -> Mapping[str, str]:
    """The "sha256:..." of each file, by name."""
    return {name: _of_file(files[name]) for name in sorted(files)}


def of_all(files: Mapping[str, str]) -> str:
    """One hash for all of them: over the sorted names and hashes."""
    return sha256_of(canonical_json(sorted(files.items())).encode())


def _of_file(path: Path) -> str:
    stored = path.resolve()
    # The hub's cache names large files by their hash, which was checked when they arrived.
    if stored.parent.name == "blobs" and STORED_BY_HASH.fullmatch(stored.name):
        return f"sha256:{stored.name}"
    about = stored.stat()
    return _hashed(stored, about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _hashed(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
