"""The hashes of files of models, kept in the database: what one process has read, no other one needs to read again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.domain.errors import StudioError
from core.domain.model_library import FileHash, FileState
from db.model_files import ModelFileRepo


@dataclass(frozen=True, slots=True)
class FileHashes:
    """A ports.KeptHashes. Where the database cannot be used, files are read as if nothing was known."""

    repo: ModelFileRepo
    now: Callable[[], datetime]

    def known(self, path: Path, state: FileState) -> str | None:
        with suppress(StudioError):
            hashed = self.repo.hashed(str(path))
            if hashed is not None and hashed.state.is_like(state):
                return hashed.sha256
        return None

    def keep(self, path: Path, state: FileState, sha256: str) -> None:
        with suppress(StudioError):
            self.repo.keep_hash(str(path), FileHash(sha256, state, self.now()))
