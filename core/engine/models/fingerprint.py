"""Which bytes a model was loaded from: the hashes of its files, read anew only where a file has changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from core.domain.hashing import canonical_json, sha256_of
from core.domain.model_library import FileState
from core.files import open_regular
from core.ports import KeptHashes

STORED_BY_HASH = re.compile(r"[0-9a-f]{64}")

CHUNK = 8 * 2**20


class _InMemory:
    """What is known without any database. A ports.KeptHashes."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, FileState], str] = {}

    def known(self, path: Path, state: FileState) -> str | None:
        return self._known.get((path, state))

    def keep(self, path: Path, state: FileState, sha256: str) -> None:
        self._known[path, state] = sha256


_kept: KeptHashes = _InMemory()


def keep_in(kept: KeptHashes) -> None:
    """Where this process looks hashes up and keeps them from now on: 4 GB take 9 to 18 s to read."""
    global _kept
    _kept = kept


def of_files(files: Mapping[str, Path]) -> Mapping[str, str]:
    """The "sha256:..." of each file, by name."""
    return {name: of_file(files[name]) for name in sorted(files)}


def of_all(files: Mapping[str, str]) -> str:
    """One hash for all of them: over the sorted names and hashes."""
    return sha256_of(canonical_json(sorted(files.items())).encode())


def of_file(path: Path) -> str:
    """The "sha256:..." of a file; it is read only if it is another one than before, by its size, time and inode."""
    stored = path.resolve()
    # The hub's cache names large files by their hash, which was checked when they arrived.
    if stored.parent.name == "blobs" and STORED_BY_HASH.fullmatch(stored.name):
        return f"sha256:{stored.name}"
    state = FileState.of(stored)
    if (known := _kept.known(stored, state)) is not None:
        return known
    sha256 = read(stored)
    # What was changed while it was read has a hash that belongs to no file.
    if FileState.of(stored) == state:
        _kept.keep(stored, state, sha256)
    return sha256


def keep(path: Path, sha256: str) -> None:
    """Of a file that is known to have this one, as it was copied from one that has."""
    stored = path.resolve()
    _kept.keep(stored, FileState.of(stored), sha256)


def read(path: Path, on_progress: Callable[[int], object] = lambda done: None) -> str:
    """The "sha256:..." of all of its bytes, whatever is known. on_progress: is told how many are read; it may raise."""
    digest, done = hashlib.sha256(), 0
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            on_progress(done)
    return f"sha256:{digest.hexdigest()}"
