"""What an ONNX file takes and returns, told without loading it, and whether all of it is in this one file.

The fields of onnx.proto3 that matter are read one after the other; weights are skipped. OpenCV, which runs the network,
also opens other files that it names, anywhere on the disk, so a file that names any is refused here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.engine.models.header import Damaged
from core.files import open_regular, why

ENDING = ".onnx"

MAX_BYTES = 2**30
"""The largest published removers and upscalers have 210 MB. All of it is held in memory when it is loaded."""

MAX_FIELDS = 2_000_000
"""A real file of 30 MB has some 20,000; more only cost time."""

MAX_DEPTH = 8
"""Graphs inside of graphs, as loops and conditions have them."""

DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64", 16: "bfloat16"}
"""By the numbers of onnx.proto3 (TensorProto.DataType)."""

VARINT, EIGHT_BYTES, MESSAGE, FOUR_BYTES = 0, 1, 2, 5
"""How a field of protobuf is stored."""

EXTERNAL = 1
"""Of TensorProto.data_location."""


@dataclass(frozen=True, slots=True)
class Value:
    """An input or an output. shape: None for a side of any size, or one that is not told; empty if none is."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """inputs: without those that the file gives values for. size: bytes of the whole file."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    size: int


def read(path: Path) -> Network:
    """Raises Damaged."""
    try:
        with open_regular(path) as file:
            return of(file)
    except OSError as error:
        raise Damaged(f"cannot be read ({why(error)})") from error


def of(file: BinaryIO) -> Network:
    """The same of an open file. Raises Damaged, OSError."""
    size = file.seek(0, os.SEEK_END)
    if size > MAX_BYTES:
        raise Damaged(f"is larger than {MAX_BYTES // 2**30} GiB, which no remover or upscaler is")
    return _Reader(file).network(size)


Span = tuple[int, int]
"""Where a message begins and ends in the file."""


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MAX_FIELDS

    def network(self, size: int) -> Network:
        # Protobuf takes a message that is there several times for one with all their fields.
        graphs = []
        for number, held in self._fields((0, size)):
            if number == 7:
                graphs.append(_span(held))
            elif number == 25:
                self._nodes(_span(held), 7, 0)
        if not graphs:
            raise Damaged("is damaged: not an ONNX file")
        constants: set[str] = set()
        inputs, outputs = [], []
        for number, held in (field for graph in graphs for field in self._fields(graph)):
            if number == 5:
                constants.add(self._tensor(_span(held)))
            elif number == 11:
                inputs.append(self._value(_span(held)))
            elif number == 12:
                outputs.append(self._value(_span(held)))
        for graph in graphs:
            self._graph(graph, 0)
        return Network(tuple(one for one in inputs if one.name not in constants), tuple(outputs), size)

    def _graph(self, span: Span, depth: int) -> None:
        """Look through all tensors of a graph."""
        if depth > MAX_DEPTH:
            raise Damaged("is damaged: its graphs are nested too deeply")
        for number, held in self._fields(span):
            if number == 5:
                self._tensor(_span(held))
            elif number == 15:
                self._sparse(_span(held))
        self._nodes(span, 1, depth)

    def _nodes(self, span: Span, field: int, depth: int) -> None:
        for number, held in self._fields(span):
            if number != field:
                continue
            for of_node, attribute in self._fields(_span(held)):
                if of_node == 5:
                    self._attribute(_span(attribute), depth)

    def _attribute(self, span: Span, depth: int) -> None:
        for number, held in self._fields(span):
            if number in (5, 10):
                self._tensor(_span(held))
            elif number in (6, 11):
                self._graph(_span(held), depth + 1)
            elif number in (22, 23):
                self._sparse(_span(held))

    def _sparse(self, span: Span) -> None:
        for number, held in self._fields(span):
            if number in (1, 2):
                self._tensor(_span(held))

    def _tensor(self, span: Span) -> str:
        """Its name. Raises Damaged if its content is in another file."""
        name = ""
        for number, held in self._fields(span):
            if number == 13 or (number == 14 and held == EXTERNAL):
                raise Damaged("keeps its weights in another file, which is never opened: it must be one file")
            if number == 8:
                name = self._text(_span(held))
        return name

    def _value(self, span: Span) -> Value:
        name, dtype, shape = "", "", list[int | None]()
        for number, held in self._fields(span):
            if number == 1:
                name = self._text(_span(held))
            elif number == 2:
                for kind, of_kind in self._fields(_span(held)):
                    if kind == 1:
                        dtype, shape = self._tensor_type(_span(of_kind))
        return Value(name, dtype, tuple(shape))

    def _tensor_type(self, span: Span) -> tuple[str, list[int | None]]:
        dtype, shape = "", list[int | None]()
        for number, held in self._fields(span):
            if number == 1 and isinstance(held, int):
                dtype = DTYPES.get(held, "another type")
            elif number == 2:
                for _, dimension in self._fields(_span(held)):
                    sides = [value for n, value in self._fields(_span(dimension)) if n == 1]
                    shape.append(sides[0] if sides and isinstance(sides[0], int) else None)
        return dtype, shape

    def _fields(self, span: Span) -> Iterator[tuple[int, int | Span]]:
        """The number of each field, and what it holds: a number, or where its message, text or bytes are."""
        at, end = span
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Damaged("is damaged: it has more parts than any network")
            key, at = self._varint(at, end)
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                held, at = self._varint(at, end)
                yield number, held
            elif kind == MESSAGE:
                length, at = self._varint(at, end)
                if length > end - at:
                    raise Damaged("is damaged or cut off: not an ONNX file")
                yield number, (at, at + length)
                at += length
            elif kind in (EIGHT_BYTES, FOUR_BYTES):
                at += 8 if kind == EIGHT_BYTES else 4
            else:
                raise Damaged("is damaged: not an ONNX file")
        if at != end:
            raise Damaged("is damaged or cut off: not an ONNX file")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        self._file.seek(at)
        value = 0
        for nth, byte in enumerate(self._file.read(min(10, end - at))):
            value |= (byte & 127) << 7 * nth
            if byte < 128:
                return value, at + nth + 1
        raise Damaged("is damaged or cut off: not an ONNX file")

    def _text(self, span: Span) -> str:
        self._file.seek(span[0])
        return self._file.read(min(span[1] - span[0], 300)).decode("utf-8", "replace")


def _span(held: int | Span) -> Span:
    if isinstance(held, int):
        raise Damaged("is damaged: not an ONNX file")
    return held
