"""Files that are asked for by name, with their hashes; of an earlier run the very same files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.domain.errors import InvalidParams
from core.domain.model_file import NamedFile
from core.engine.models import fingerprint
from core.engine.models.named_files import refused
from core.ports import FileLibrary


def hashed_file(name: str, library: FileLibrary, then: Any = None) -> tuple[NamedFile, str]:
    """The file of this name and its "sha256:...". Raises InvalidParams, such as InvalidLora.

    then: what was recorded of it in an earlier run, at least its sha256 and bytes; then it must be the same file,
    whatever it is called now.
    """
    wanted = then.get("sha256") if isinstance(then, Mapping) else None
    try:
        named = library.find(name)
        sha256 = _sha256(named.path)
        if wanted is None or sha256 == wanted:
            return named, sha256
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
    return library.find(str(found.absolute())), str(wanted)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sha256(path: Path) -> str:
    return fingerprint.of_file(path)
