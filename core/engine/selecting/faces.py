"""Faces, by MediaPipe's BlazeFace detectors (Bazarevsky et al., 2019): one for near faces, one for those further away.

They look at a square of 128 or 192 pixels, in which a face of a group is lost; so the second one also looks at parts of
the picture, each a half and a third of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.geometry import Bounds, Size
from core.engine.selecting.networks import FAR_FACES, NEAR_FACES, Network, Pinned, Values

SURE, SURE_IN_PART = 0.5, 0.7
"""Scores from which it is a face. The first is MediaPipe's. In parts, of ten photographs without anybody the surest
wrong one had 0.60, and a face of 21 pixels, the least sure right one, 0.80."""

SAME = 0.3
"""Share of two boxes' union, or 0.6 of the smaller, that they have in common when they are of one face (MediaPipe)."""
INSIDE = 0.6

PARTS = (2, 3)
"""Of a side. Parts overlap by half, so that no face is cut in all of them."""

LEAST_PART_PX = 192
"""Parts smaller than what the detector sees would only be enlarged."""

WIDER, HIGHER, UP = 1.05, 1.3, 0.06
"""The ellipse around the whole face, hair line to chin, in sides of the detected box, which ends at the brows, and how
far its centre lies above the box's."""


@dataclass(frozen=True, slots=True)
class Detector:
    """side: of the square that it sees, in pixels. layers: strides of its feature maps, and boxes in each cell."""

    network: Pinned
    side: int
    layers: tuple[tuple[int, int], ...]


NEAR = Detector(NEAR_FACES, 128, ((8, 2), (16, 6)))
FAR = Detector(FAR_FACES, 192, ((4, 1),))


@dataclass(frozen=True, slots=True)
class Face:
    """In pixels of the picture: the centre and the sides of the detected box, and the unit vector to the crown."""

    score: float
    centre: tuple[float, float]
    sides: tuple[float, float]
    up: tuple[float, float]

    def shares(self, other: Face) -> bool:
        """Whether both are the same face."""
        common = 1.0
        for at in (0, 1):
            low = max(self.centre[at] - self.sides[at] / 2, other.centre[at] - other.sides[at] / 2)
            high = min(self.centre[at] + self.sides[at] / 2, other.centre[at] + other.sides[at] / 2)
            common *= max(0.0, high - low)
        mine, its = (face.sides[0] * face.sides[1] for face in (self, other))
        return common > SAME * (mine + its - common) or common > INSIDE * min(mine, its)


def faces(picture: Image.Image) -> list[Face]:
    """picture: RGB. The surest first, each once."""
    whole = Bounds(0, 0, *picture.size)
    near, far = NEAR.network.load(), FAR.network.load()
    found = [*_detected(NEAR, near, picture, whole, SURE), *_detected(FAR, far, picture, whole, SURE)]
    for part in parts(Size(*picture.size)):
        found.extend(_detected(FAR, far, picture, part, SURE_IN_PART))
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if not any(face.shares(other) for other in kept):
            kept.append(face)
    return kept


def drawn(found: list[Face], size: Size) -> NDArray[np.uint8]:
    """(H, W), 255 in an ellipse around each face."""
    import cv2

    mask = np.zeros((size.height, size.width), np.uint8)
    for face in found:
        width, height = face.sides
        centre = tuple(round(at + height * UP * up) for at, up in zip(face.centre, face.up, strict=True))
        axes = round(width * WIDER / 2), round(height * HIGHER / 2)
        turned = float(np.degrees(np.arctan2(face.up[0], -face.up[1])))
        cv2.ellipse(mask, centre, axes, turned, 0, 360, 255, -1)
    return mask


def parts(size: Size) -> Iterator[Bounds]:
    """Squares, or nearly, that cover the picture with overlaps."""
    for count in PARTS:
        side = max(size) // count
        if side < LEAST_PART_PX:
            continue
        width, height = min(side, size.width), min(side, size.height)
        for top in _starts(size.height, height):
            for left in _starts(size.width, width):
                yield Bounds(left, top, left + width, top + height)


def _starts(length: int, part: int) -> list[int]:
    steps = max(1, -(-2 * (length - part) // part)) if length > part else 0
    return [(length - part) * nth // steps for nth in range(steps + 1)] if steps else [0]


def _detected(detector: Detector, network: Network, picture: Image.Image, part: Bounds, sure: float) -> Iterator[Face]:
    side, scale = detector.side, detector.side / max(part.size)
    size = tuple(max(1, round(length * scale)) for length in part.size)
    square = Image.new("RGB", (side, side))
    small = picture.resize((size[0], size[1]), Image.Resampling.BILINEAR, box=part.box, reducing_gap=2)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square.paste(small, (left, top))
    planes = np.asarray(square, np.float32).transpose(2, 0, 1)[None] / np.float32(127.5) - 1
    boxes, scores = network.run(planes)
    # Twelve numbers after the box are six points of the face: eyes, nose, mouth, ears.
    points = boxes[0].reshape(-1, 8, 2)
    certain = 1 / (1 + np.exp(-scores[0, :, 0].clip(-80, 80)))
    for at in np.flatnonzero(certain >= sure):
        anchor, values = anchors(detector)[at], points[at]
        x, y = ((values[0] + anchor - (left, top)) / scale).tolist()
        width, height = (values[1] / scale).tolist()
        if width > 0 and height > 0:
            eyes, mouth = values[2:4].mean(axis=0), values[5]
            up = eyes - mouth
            length = max(1e-3, float(np.hypot(*up)))
            yield Face(
                float(certain[at]),
                (part.left + x, part.top + y),
                (width, height),
                (float(up[0]) / length, float(up[1]) / length),
            )


@cache
def anchors(detector: Detector) -> Values:
    """(N, 2): the centre from which each box is told, x and y in pixels of the square."""
    centres = []
    for stride, boxes in detector.layers:
        middle = (np.arange(detector.side // stride, dtype=np.float32) + np.float32(0.5)) * stride
        y, x = np.meshgrid(middle, middle, indexing="ij")
        centres.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(boxes, axis=0))
    return np.concatenate(centres)
