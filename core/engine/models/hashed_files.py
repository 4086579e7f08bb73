"""Files that are asked for by name, with their hashes; of an earlier run the very same files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import InvalidParams
from core.domain.model_file import NamedFile
from core.engine.models import fingerprint
from core.engine.models.named_files import refused, title_of
from core.ports import FileLibrary


@dataclass(frozen=True, slots=True)
class HashedFile:
    """sha256: of its bytes."""

    file: NamedFile
    sha256: str

    @property
    def record(self) -> Mapping[str, Any]:
        """What decides pixels, and what finds the file again under another name."""
        return {
            "name": title_of(self.file.path),
            "sha256": self.sha256,
            "bytes": self.file.about.size,
            **self.details,
        }

    @property
    def details(self) -> Mapping[str, Any]:
        """What decides pixels beside the file."""
        return {}


def hashed_files(names: Sequence[str], library: FileLibrary, recorded: Any) -> list[HashedFile]:
    """The files of these names. Raises InvalidParams, such as InvalidLora.

    recorded: their records in an earlier run, if there was one; then it must be the same files, whatever they are
    called now.
    """
    earlier = recorded if isinstance(recorded, list) and len(recorded) == len(names) else [None] * len(names)
    return [_hashed_file(name, library, then) for name, then in zip(names, earlier, strict=True)]


def _hashed_file(name: str, library: FileLibrary, then: Any) -> HashedFile:
    wanted = then.get("sha256") if isinstance(then, Mapping) else None
    try:
        named = library.find(name)
        sha256 = _sha256(named.path)
        if wanted is None or sha256 == wanted:
            return HashedFile(named, sha256)
        problem = refused(
            named.about.kind,
            f"{named.path.name} is another file now than the one that this was painted with. Put that one back: its "
            f"sha256 begins with {str(wanted).removeprefix('sha256:')[:10]}.",
        )
    except InvalidParams as error:
        problem = error
    size = then.get("bytes") if isinstance(then, Mapping) else None
    same = (path for path in library.paths().values() if _size(path) == size and _sha256(path) == wanted)
    if (found := next(same, None)) is None:
        raise problem
    return HashedFile(library.find(str(found.absolute())), str(wanted))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sha256(path: Path) -> str:
    return fingerprint.of_file(path)
