"""Tiny ONNX files with the inputs and outputs of real removers and upscalers, written as protobuf by hand.

Fields are numbered as in onnx.proto3. Each network paints something that a test can foretell.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FLOAT, UINT8, INT64 = 1, 2, 7
DTYPES = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): INT64}

Dims = Sequence[int | str]
Attributes = Mapping[str, int | str | Sequence[int]]


def lama(path: Path, side: int | str = 512, *, scale: float = 255.0) -> Path:
    """What is masked becomes the mean of the picture. scale: 255 as published files return it, or 1."""
    nodes = [
        node("GlobalAveragePool", ["image"], ["mean"]),
        node("Sub", ["one", "mask"], ["keep"]),
        node("Mul", ["image", "keep"], ["kept"]),
        node("Mul", ["mean", "mask"], ["filled"]),
        node("Add", ["kept", "filled"], ["composed"]),
        node("Mul", ["composed", "scale"], ["output"]),
    ]
    return write(
        path,
        nodes,
        [value("image", FLOAT, (1, 3, side, side)), value("mask", FLOAT, (1, 1, side, side))],
        [value("output", FLOAT, (1, 3, side, side))],
        {"one": np.float32([1.0]), "scale": np.float32([scale])},
    )


def migan_pipeline(path: Path) -> Path:
    """8-bit picture and mask of any size, 255 where the picture is kept; the rest becomes the picture's mean."""
    nodes = [
        node("Cast", ["image"], ["rgb"], to=FLOAT),
        node("Cast", ["mask"], ["levels"], to=FLOAT),
        node("Div", ["levels", "full"], ["keep"]),
        node("Sub", ["one", "keep"], ["hole"]),
        node("GlobalAveragePool", ["rgb"], ["mean"]),
        node("Mul", ["rgb", "keep"], ["kept"]),
        node("Mul", ["mean", "hole"], ["filled"]),
        node("Add", ["kept", "filled"], ["composed"]),
        node("Cast", ["composed"], ["result"], to=UINT8),
    ]
    shape = ("batch_size", 3, "height", "width")
    return write(
        path,
        nodes,
        [value("image", UINT8, shape), value("mask", UINT8, ("batch_size", 1, "height", "width"))],
        [value("result", UINT8, shape)],
        {"one": np.float32([1.0]), "full": np.float32([255.0])},
    )


def migan(path: Path, side: int = 512, *, inputs: int = 4) -> Path:
    """The network alone: four channels in (what is known - 0.5, and the known colours from -1 to 1), colours out.

    What is masked becomes 0.5 on that scale, as the mask's channel alone is seen there.
    """
    weights = np.zeros((3, inputs, 1, 1), np.float32)
    weights[:, 0], weights[range(3), range(inputs - 3, inputs)] = -1.0, 1.0
    nodes = [node("Conv", ["input", "weights"], ["output"], kernel_shape=[1, 1])]
    return write(
        path,
        nodes,
        [value("input", FLOAT, (1, inputs, side, side))],
        [value("output", FLOAT, (1, 3, side, side))],
        {"weights": weights},
    )


def upscaler(path: Path, factor: int = 2, *, side: int | str = "size") -> Path:
    """Each pixel becomes factor x factor of its like, a quarter darker: so it is told from any resampling."""
    count = factor * factor
    weights = np.zeros((3 * count, 3, 1, 1), np.float32)
    for channel in range(3):
        weights[channel * count : (channel + 1) * count, channel] = 0.75
    nodes = [
        node("Conv", ["input", "weights"], ["many"], kernel_shape=[1, 1]),
        node("DepthToSpace", ["many"], ["output"], blocksize=factor, mode="CRD"),
    ]
    larger = side * factor if isinstance(side, int) else "larger"
    return write(
        path,
        nodes,
        [value("input", FLOAT, (1, 3, side, side))],
        [value("output", FLOAT, (1, 3, larger, larger))],
        {"weights": weights},
    )


def classifier(path: Path) -> Path:
    """A picture in, numbers out: nothing that paints."""
    nodes = [node("GlobalAveragePool", ["input"], ["output"])]
    return write(path, nodes, [value("input", FLOAT, (1, 3, 64, 64))], [value("output", FLOAT, (1, 3, 1, 1))], {})


def with_external_data(path: Path, location: str) -> Path:
    """A LaMa whose one constant is said to lie in another file."""
    tensor = varint_field(1, 1) + varint_field(2, FLOAT) + field(8, b"scale")
    tensor += field(13, field(1, b"location") + field(2, location.encode())) + varint_field(14, 1)
    nodes = [node("Mul", ["image", "scale"], ["output"])]
    shapes = [value("image", FLOAT, (1, 3, 512, 512)), value("mask", FLOAT, (1, 1, 512, 512))]
    return write(path, nodes, shapes, [value("output", FLOAT, (1, 3, 512, 512))], {}, further=[field(5, tensor)])


def write(
    path: Path,
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    constants: Mapping[str, np.ndarray],
    *,
    further: Sequence[bytes] = (),
) -> Path:
    parts = [field(1, one) for one in nodes] + [field(2, b"tiny")]
    parts += [field(5, _tensor(name, values)) for name, values in constants.items()] + list(further)
    parts += [field(11, one) for one in inputs] + [field(12, one) for one in outputs]
    model = varint_field(1, 8) + field(7, b"".join(parts)) + field(8, field(1, b"") + varint_field(2, 13))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model)
    return path


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | str | Sequence[int]) -> bytes:
    parts = [field(1, name.encode()) for name in inputs] + [field(2, name.encode()) for name in outputs]
    parts += [field(3, outputs[0].encode()), field(4, kind.encode())]
    parts += [field(5, _attribute(name, given)) for name, given in attributes.items()]
    return b"".join(parts)


def value(name: str, dtype: int, dims: Dims) -> bytes:
    shape = b"".join(field(1, varint_field(1, dim) if isinstance(dim, int) else field(2, dim.encode())) for dim in dims)
    return field(1, name.encode()) + field(2, field(1, varint_field(1, dtype) + field(2, shape)))


def _attribute(name: str, given: int | str | Sequence[int]) -> bytes:
    start = field(1, name.encode())
    if isinstance(given, int):
        return start + varint_field(3, given) + varint_field(20, 2)
    if isinstance(given, str):
        return start + field(4, given.encode()) + varint_field(20, 3)
    return start + b"".join(varint_field(8, one) for one in given) + varint_field(20, 7)


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(varint_field(1, side) for side in values.shape)
    return dims + varint_field(2, DTYPES[values.dtype]) + field(8, name.encode()) + field(9, values.tobytes())


def field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def varint_field(number: int, amount: int) -> bytes:
    return _varint(number << 3) + _varint(amount)


def _varint(amount: int) -> bytes:
    out = bytearray()
    while amount > 127:
        out.append(amount & 127 | 128)
        amount >>= 7
    return bytes(out) + struct.pack("B", amount)
