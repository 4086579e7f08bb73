"""Lines and curves of the drawing, as arrays of points: flattened, simplified, stroked, mapped by a matrix."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.1
"""Canvas pixels by which a line may leave its curve: a tenth of what a mouse can tell apart."""

SIMPLIFIED_AT_ONCE = 200
"""Points of a line: the method takes the square of their number where a line goes to and fro."""

Points = NDArray[np.float64]
Matrix = NDArray[np.float64]
"""2 x 3: x' = m[0, 0] x + m[0, 1] y + m[0, 2]."""


def cubic(at: list[float], letter: str, numbers: list[float]) -> list[float]:
    """The piece as a cubic curve, four points in a row: every line and every lesser curve is one too."""
    if letter == "C":
        return at + numbers
    end = numbers[-2:]
    if letter == "L":
        return at + at + end + end
    control = numbers[:2]
    return (
        at
        + [(a + 2 * c) / 3 for a, c in zip(at, control, strict=True)]
        + [(e + 2 * c) / 3 for e, c in zip(end, control, strict=True)]
        + end
    )


def flattened(curves: Points) -> Points:
    """The curves, (n, 4, 2), as one line whose points are close enough together."""
    straight = (curves[:, 0] == curves[:, 1]).all(axis=1) & (curves[:, 2] == curves[:, 3]).all(axis=1)
    bend = np.hypot(*np.moveaxis(np.diff(curves, n=2, axis=1), 2, 0)).max(axis=1)
    # The chord of 1 / n of a cubic leaves it by at most 3 / 4 of its bend over n squared.
    steps = np.where(straight, 1, np.clip(np.ceil(np.sqrt(bend * 0.75 / TOLERANCE)), 1, 64)).astype(np.int64)
    curve = np.repeat(np.arange(len(curves)), steps)
    nth = np.arange(len(curve)) - (np.cumsum(steps) - steps)[curve] + 1
    return np.vstack([curves[:1, 0], _at(curves[curve], nth / steps[curve])])


def _at(curves: Points, t: NDArray[np.float64]) -> Points:
    """The point of each curve at its own t."""
    t = t[:, None]
    u = 1 - t
    return u**3 * curves[:, 0] + 3 * u * u * t * curves[:, 1] + 3 * u * t * t * curves[:, 2] + t**3 * curves[:, 3]


def extremes(curves: Points) -> Points:
    """The ends of the curves, and where they turn back left, right, up or down."""
    a = -curves[:, 0] + 3 * curves[:, 1] - 3 * curves[:, 2] + curves[:, 3]
    b = 2 * (curves[:, 0] - 2 * curves[:, 1] + curves[:, 2])
    c = curves[:, 1] - curves[:, 0]
    found = [curves[:, 0], curves[:, 3]]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(b * b - 4 * a * c)
        flat = np.abs(a) < 1e-9
        for t in (np.where(flat, -c / b, (-b + root) / (2 * a)), np.where(flat, -1, (-b - root) / (2 * a))):
            for axis in range(2):
                inside = (t[:, axis] > 0) & (t[:, axis] < 1)
                found.append(_at(curves[inside], t[inside, axis]))
    return np.vstack(found)


def bounding_box(points: Points) -> tuple[Points, Points]:
    """Centre and size of the box around the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, high - low


def simplified(line: Points) -> Points:
    """With fewer points, none of the others further off than the tolerance (Ramer, Douglas and Peucker)."""
    ends = [*range(0, len(line) - 1, SIMPLIFIED_AT_ONCE), len(line) - 1]
    keep = np.zeros(len(line), bool)
    keep[ends] = True
    open_parts = list(zip(ends[:-1], ends[1:], strict=True))
    while open_parts:
        first, last = open_parts.pop()
        if last - first < 2:
            continue
        start, along = line[first], line[last] - line[first]
        length2 = float(along @ along)
        between = line[first + 1 : last] - start
        t = np.clip(between @ along / length2, 0, 1)[:, None] if length2 else 0
        off = ((between - t * along) ** 2).sum(axis=1)
        worst = int(off.argmax())
        if off[worst] > TOLERANCE**2:
            middle = first + 1 + worst
            keep[middle] = True
            open_parts += [(first, middle), (middle, last)]
    return line[keep]


def capsules(line: Points, radius: float, scale: float = 1.0) -> Points:
    """(n, k, 2): the outline of each piece of the line under a round pen. Together they are the stroke."""
    if len(line) == 1:
        line = np.vstack([line, line])
    start, end = line[:-1], line[1:]
    along = end - start
    direction = np.arctan2(along[:, 1], along[:, 0])[:, None]
    half_turn = np.linspace(-math.pi / 2, math.pi / 2, arc_steps(radius * scale) + 1)[None]
    ahead, behind = direction + half_turn, direction + half_turn + math.pi
    front = np.stack([np.cos(ahead), np.sin(ahead)], axis=2) * radius + end[:, None]
    back = np.stack([np.cos(behind), np.sin(behind)], axis=2) * radius + start[:, None]
    return np.concatenate([front, back], axis=1)


def circle(radius: float, steps: int) -> Points:
    angles = np.arange(steps) * (2 * math.pi / steps)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius


def arc_steps(radius_px: float) -> int:
    """Pieces of a half circle that leave it by at most a tenth of a pixel."""
    return int(min(256, max(4, math.ceil(math.pi / 2 / math.acos(1 - min(0.5, 0.1 / max(radius_px, 0.1)))))))


def mapped(points: Points, matrix: Matrix) -> Points:
    return points @ matrix[:, :2].T + matrix[:, 2]


def product(outer: Matrix, inner: Matrix) -> Matrix:
    square = outer[:, :2]
    return np.column_stack([square @ inner[:, :2], square @ inner[:, 2] + outer[:, 2]])


def area_scale(matrix: Matrix) -> float:
    """How many times larger areas become."""
    return max(1e-12, abs(float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])))
