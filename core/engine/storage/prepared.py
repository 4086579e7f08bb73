"""Weights as the memory plan wants them, kept in the data folder: made once, and from then on mapped to be read.

What is mapped so lies in memory only as long as the system has room for it, counts against no limit on the data of the
process, and is there at once. A file is complete or not there: written beside, synced, then renamed. Its checksum is
compared each time that it is opened, and a damaged one is made anew.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import mmap
import os
import shutil
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from core.engine.models import header
from core.files import open_regular, sync_folder, why

log = logging.getLogger(__name__)

ENDING, UNFINISHED = ".safetensors", ".part"

LEFT_FREE = 2 * 10**9
"""Bytes of the disk that are left to the gallery."""

OLD_S = 3600.0
"""An unfinished file that was not written for so long belongs to a process that was killed."""

CHUNK = 8 * 2**20

TYPES = {"I8": "int8", "BF16": "bfloat16"}
"""What is kept, as safetensors and torch call it."""

Layout = Mapping[str, tuple[str, tuple[int, ...]]]
"""The tensors by name, those of larger numbers first: the type, a key of TYPES, and the shape."""

Make = Callable[[], Iterable[tuple[str, Any]]]
"""Makes each tensor of a layout, in any order."""


def tensors(layout: Layout, make: Make, file: Path | None) -> Mapping[str, Any]:
    """Those of a layout: from this file, which is made if it is not there, or is damaged. Nobody writes to them.

    In memory where there is no file, or no room for it. Raises what make raises.
    """
    if file is not None:
        if (found := _opened(file, layout)) is not None:
            return found
        try:
            _save(file, layout, make)
            found = _opened(file, layout)
        except OSError as error:
            log.warning("%s is not kept: %s", file.name, why(error))
        if found is not None:
            return found
    return _in_memory(layout, make)


def files(folder: Path) -> Sequence[Path]:
    """Those that are kept there."""
    return sorted(folder.glob(f"*{ENDING}"))


def remove(folder: Path) -> int:
    """All of them, of which the next load makes those that it needs again. Returns their bytes. Raises OSError."""
    freed = 0
    for file in [*files(folder), *folder.glob(f"*{UNFINISHED}")]:
        size = file.stat().st_size
        file.unlink()
        freed += size
    return freed


def _in_memory(layout: Layout, make: Make) -> Mapping[str, Any]:
    """One block for all: freed pieces of many would lie between what stays."""
    import torch

    spans = _spans(layout)
    block = torch.empty(_size(layout), dtype=torch.uint8)
    found = {
        name: block[start:end].view(getattr(torch, TYPES[layout[name][0]])).view(layout[name][1])
        for name, (start, end) in spans.items()
    }
    for name, values in make():
        found[name].copy_(values)
    return found


def _opened(file: Path, layout: Layout) -> Mapping[str, Any] | None:
    """The tensors of this file, mapped; None if it is not there, of another layout, or damaged."""
    import torch

    if not file.exists():
        return None
    try:
        head = header.read(file)
        start = head.size - _size(layout)
        same = {name: (one.dtype, one.shape) for name, one in head.tensors.items()} == dict(layout)
        with open_regular(file) as opened:
            if not same or head.metadata.get("crc32") != _checksum(opened, start):
                raise header.Damaged("is damaged")
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, header.Damaged) as error:
        log.warning("%s %s, and is made anew", file.name, why(error) if isinstance(error, OSError) else error)
        return None
    with warnings.catch_warnings():
        # torch has no tensors that may only be read.
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return {
            name: torch.frombuffer(
                mapped, dtype=getattr(torch, TYPES[one.dtype]), count=math.prod(one.shape), offset=start + one.start
            ).view(one.shape)
            for name, one in head.tensors.items()
        }


def _save(file: Path, layout: Layout, make: Make) -> None:
    """Raises OSError, also where the disk has no room to spare for it."""
    import torch

    folder = file.parent
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.glob(f"*{UNFINISHED}"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > OLD_S:
                other.unlink()
    if shutil.disk_usage(folder).free < _size(layout) + LEFT_FREE:
        raise OSError(errno.ENOSPC, "the disk has too little room to spare")
    part = folder / f"{file.stem}-{os.getpid()}{UNFINISHED}"
    spans = _spans(layout)
    try:
        with part.open("w+b") as written:
            start = written.write(_head(layout, "0" * 8))
            for name, values in make():
                written.seek(start + spans[name][0])
                written.write(values.contiguous().view(torch.uint8).numpy().data)
            checksum = _checksum(written, start)
            written.seek(0)
            written.write(_head(layout, checksum))
            written.flush()
            os.fsync(written.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(folder)


def _head(layout: Layout, checksum: str) -> bytes:
    """Of a safetensors file with these tensors. It is as long for every checksum."""
    about = {
        name: {"dtype": layout[name][0], "shape": list(layout[name][1]), "data_offsets": list(span)}
        for name, span in _spans(layout).items()
    }
    text = json.dumps({"__metadata__": {"crc32": checksum}, **about}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _spans(layout: Layout) -> Mapping[str, tuple[int, int]]:
    """Where each tensor begins and ends behind the header."""
    spans, at = {}, 0
    for name, (dtype, shape) in layout.items():
        size = math.prod(shape) * header.BITS[dtype] // 8
        spans[name] = (at, at + size)
        at += size
    return spans


def _size(layout: Layout) -> int:
    return max(end for _, end in _spans(layout).values())


def _checksum(file: BinaryIO, start: int) -> str:
    """Of all that lies behind start, as eight digits."""
    file.seek(start)
    checksum = 0
    while chunk := file.read(CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return f"{checksum:08x}"
