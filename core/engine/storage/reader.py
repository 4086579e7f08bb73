"""Tensors of safetensors files, read when they are needed, with plain reads.

A file that is mapped counts against a limit on a process's data, and its pages against its peak. Of what is read here
nothing stays in memory but what is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import DamagedModel
from core.engine.models import header
from core.engine.models.header import DTYPES
from core.files import open_regular, why


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file. dtype: as torch calls it. start: of its bytes in the file. of_file: size and time of change
    in ns of the file when its header was read."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int
    of_file: tuple[int, int]

    def read(self) -> Any:
        """The tensor, of its type, on the CPU. Raises DamagedModel, also if the file has changed since."""
        return self._read(self.start, self.size, self.shape)

    def rows(self, first: int, last: int) -> Any:
        """A part of it along its first side, without the last. Raises as read does."""
        of_row = self.size // self.shape[0]
        return self._read(self.start + first * of_row, (last - first) * of_row, (last - first, *self.shape[1:]))

    def to(self, dtype: Any) -> Any:
        """As of a tensor: a copy in this type of torch. Raises as read does."""
        return self.read().to(dtype)

    def _read(self, start: int, size: int, shape: tuple[int, ...]) -> Any:
        import torch

        content = bytearray(size)
        try:
            with open_regular(self.path) as file:
                file.seek(start)
                is_whole = file.readinto(content) == size  # type: ignore[attr-defined]
                is_same = _state(self.path) == self.of_file
        except OSError as error:
            raise DamagedModel(f"The file {self.path.name} cannot be read ({why(error)}).") from error
        if not (is_whole and is_same):
            raise DamagedModel(f"The file {self.path.name} was changed after it was opened. Load the model again.")
        if not size:
            return torch.empty(shape, dtype=getattr(torch, self.dtype))
        return torch.frombuffer(content, dtype=getattr(torch, self.dtype)).view(shape)


def stored(path: Path) -> Mapping[str, Stored]:
    """The weights in a file, by name; what is of a type that none are stored in is left out. Raises DamagedModel."""
    try:
        of_file = _state(path)
        head = header.read(path)
    except (OSError, header.Damaged) as error:
        about = f"cannot be read ({why(error)})" if isinstance(error, OSError) else str(error)
        raise DamagedModel(f"The file {path.name} {about}. Download or copy it again.") from error
    start = head.size - max(tensor.end for tensor in head.tensors.values())
    return {
        name: Stored(path, DTYPES[t.dtype], t.shape, start + t.start, t.end - t.start, of_file)
        for name, t in head.tensors.items()
        if t.dtype in DTYPES
    }


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
