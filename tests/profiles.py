"""ICC profiles for tests, written byte by byte: matrix profiles of RGB, and grey ones (ICC.1:2001-04, version 2)."""

from __future__ import annotations

import struct

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PROPHOTO = ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105))
D65_XY, D50_XY = (0.3127, 0.3290), (0.3457, 0.3585)

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_profile(primaries=DISPLAY_P3, white=D65_XY, gamma: float = 2.2) -> bytes:
    """A matrix profile. primaries: x and y of red, green and blue. white: x and y; adapted to D50 by Bradford."""
    matrix = colorants(primaries, white)
    curve = _gamma(gamma)
    tags = {b"desc": _text(b"made up"), b"cprt": _words(b"none"), b"wtpt": _xyz(D50)}
    tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float = 1.8) -> bytes:
    return _profile(
        b"GRAY", {b"desc": _text(b"made up"), b"cprt": _words(b"none"), b"wtpt": _xyz(D50), b"kTRC": _gamma(gamma)}
    )


def colorants(primaries, white) -> np.ndarray:
    """The columns are the XYZ of red, green and blue, under D50."""
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    wanted = np.array([white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]])
    matrix = xyz * np.linalg.solve(xyz, wanted)
    cones = BRADFORD @ np.array(D50) / (BRADFORD @ wanted)
    return np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ matrix


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        tag += bytes(-len(tag) % 4)
        table += name + struct.pack(">II", offset + len(data), len(tag))
        data += tag
    size = offset + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += b"".join(struct.pack(">i", round(value * 65536)) for value in D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _words(words: bytes) -> bytes:
    return b"text\0\0\0\0" + words + b"\0"


def _text(words: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(words) + 1) + words + b"\0" + bytes(78)
