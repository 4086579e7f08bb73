"""The header of a safetensors file: which tensors follow, told without reading any of them.

No library of machine learning is needed for it, so that a page can ask.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.files import open_regular, why

MAX_HEADER = 100 * 2**20
"""As the safetensors library."""

MAX_DIMENSIONS = 64
LONGEST_SIDE = 2**63 - 1
"""Of a tensor; what is beyond is no number of anything, and takes long to multiply."""

BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E8M0": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
    "C64": 64,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
"""Of one number, by the name of its type in a safetensors file."""

DTYPES: Mapping[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""Types of weights, by torch's names; other types hold counts, or weights in a method's own way."""


class Damaged(Exception):
    """What is wrong with a file, to follow its name."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """start, end: where its bytes lie, counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """metadata: texts that whoever saved the file has added. size: bytes of the whole file."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    size: int


def read(path: Path) -> Header:
    """Raises Damaged, also if the header does not describe each byte that follows it exactly once."""
    try:
        with open_regular(path) as file:
            return _read(file)
    except OSError as error:
        raise Damaged(f"cannot be read ({why(error)})") from error


def _read(file: BinaryIO) -> Header:
    start = file.read(200)
    whole = file.seek(0, os.SEEK_END)
    size = int.from_bytes(start[:8], "little")
    rest = whole - 8 - size
    if size > MAX_HEADER or rest < 0:
        raise Damaged(_not_safetensors(start))
    file.seek(8)
    try:
        content = json.loads(file.read(size).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged("is damaged: not a safetensors file") from error
    if not isinstance(content, dict):
        raise Damaged("is damaged: not a safetensors file")
    metadata = content.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Damaged("is damaged: its metadata are not texts")
    tensors = {name: _tensor(name, about) for name, about in content.items()}
    _check_spans(tensors, rest)
    return Header(tensors, metadata, whole)


def _not_safetensors(start: bytes) -> str:
    """What stands in the place of the weights, where that can be said."""
    if not start:
        return "is empty"
    if start.startswith(b"version https://git-lfs"):
        return "is only a Git LFS pointer, not the weights themselves (git lfs pull fetches them)"
    if start.lstrip()[:15].lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not the weights themselves"
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04")):
        return "is a pickle under another name, which can run code when it is loaded"
    return "is damaged or cut off: not a safetensors file"


def _tensor(name: str, about: Any) -> Tensor:
    try:
        dtype, shape, (start, end) = about["dtype"], tuple(about["shape"]), about["data_offsets"]
        bits = BITS[dtype]
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"is damaged: its header does not describe {name[:80]!r} in a known way") from error
    numbers = (*shape, start, end)
    is_counted = len(shape) <= MAX_DIMENSIONS and all(type(n) is int and 0 <= n <= LONGEST_SIDE for n in numbers)
    if not is_counted or (end - start) * 8 != bits * math.prod(shape):
        raise Damaged(f"is damaged: its header gives {name[:80]!r} another size than its shape")
    return Tensor(dtype, shape, start, end)


def _check_spans(tensors: Mapping[str, Tensor], rest: int) -> None:
    """rest: bytes that follow the header."""
    spans = sorted((tensor.start, tensor.end) for tensor in tensors.values())
    if not spans:
        raise Damaged("holds no weights")
    at = 0
    for start, end in spans:
        if start != at:
            raise Damaged("is damaged: its header does not describe what follows")
        at = end
    if at != rest:
        raise Damaged(f"is {'cut off' if rest < at else 'damaged'}: {rest} bytes of weights instead of {at}")
