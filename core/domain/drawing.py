"""The drawing: what was painted on the canvas, as Fabric 7 writes it, and the mask it makes in a picture.

Objects are applied in the order in which they were drawn: one in the paint colour repaints, one in the erase colour
keeps. The drawing is in pixels of the canvas, the mask in pixels of the picture, with hard edges at any size.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain.errors import InvalidMask
from core.domain.geometry import Size
from core.domain.hashing import canonical_json
from core.domain.mask import Mask

PAINT = "rgba(225, 29, 116, 0.5)"
ERASED = [255.0, 255.0, 255.0]
ERASE = "rgba(255, 255, 255, 0.8)"
"""Half transparent, so that the picture stays visible. Whatever is not in the erase colour paints."""

LASSO = "rgba(225, 29, 117, 0.9)"
"""A line of this colour repaints what it goes around."""

MAX_TEXT = 20_000_000
MAX_OBJECTS = 5_000
MAX_POINTS = 200_000
MAX_COORDINATE = 100_000.0
MAX_CROSSINGS = 60_000_000
"""Edges times rows of one drawing: about five seconds. A hundred long strokes on 24 megapixels need 5 million."""

TOLERANCE = 0.1
"""Canvas pixels by which a line may leave its curve: a tenth of what a mouse can tell apart."""

SIMPLIFIED_AT_ONCE = 200
"""Points of a line: the method takes the square of their number where a line goes to and fro."""

CHUNK_CROSSINGS = 4_000_000
Points = NDArray[np.float64]
Matrix = NDArray[np.float64]
"""2 x 3: x' = m[0, 0] x + m[0, 1] y + m[0, 2]."""

ORIGIN = {"left": -0.5, "top": -0.5, "center": 0.0, "right": 0.5, "bottom": 0.5}


def canvas_size(picture: Size, width: int) -> Size:
    """The canvas of this width that has the picture's shape."""
    return Size(width, max(1, round(picture.height * width / picture.width)))


@dataclass(frozen=True, slots=True)
class Drawing:
    """objects: as in the canvas's JSON. canvas: its size in pixels, the unit of the objects."""

    objects: tuple[Mapping[str, Any], ...]
    canvas: Size

    def __post_init__(self) -> None:
        if len(self.objects) > MAX_OBJECTS:
            raise InvalidMask(f"This drawing has {len(self.objects)} strokes; the limit is {MAX_OBJECTS}.")
        if not all(isinstance(item, Mapping) for item in self.objects):
            raise InvalidMask("This drawing cannot be read. Clear it and paint again.")

    @classmethod
    def from_canvas(cls, data: Any, canvas: Size) -> Drawing:
        """data: what the canvas sends; None before the first stroke. Raises InvalidMask."""
        objects = data.get("objects", []) if isinstance(data, Mapping) else [] if data is None else data
        if not isinstance(objects, Sequence) or isinstance(objects, str | bytes):
            raise InvalidMask("This drawing cannot be read. Clear it and paint again.")
        return cls(tuple(objects), canvas)

    @classmethod
    def from_json(cls, text: str | None, canvas: Size) -> Drawing:
        """Raises InvalidMask if the text is not a drawing."""
        if text is None:
            return cls((), canvas)
        if len(text) > MAX_TEXT:
            raise InvalidMask("This drawing is too large. Clear it and paint again.")
        try:
            return cls.from_canvas(json.loads(text), canvas)
        except (ValueError, RecursionError) as error:
            raise InvalidMask("This drawing cannot be read. Clear it and paint again.") from error

    def to_json(self) -> str:
        return canonical_json({"objects": [dict(item) for item in self.objects]})

    @property
    def is_empty(self) -> bool:
        return not self.objects

    @property
    def without_last(self) -> Drawing:
        return Drawing(self.objects[:-1], self.canvas)

    def scaled_to(self, canvas: Size) -> Drawing:
        """The same drawing for a canvas of another size: the component itself does not rescale."""
        factor = canvas.width / self.canvas.width
        if factor == 1:
            return Drawing(self.objects, canvas)
        return Drawing(tuple(_scaled(item, factor) for item in self.objects), canvas)

    def mask(self, picture: Size, base: Mask | None = None) -> Mask:
        """What is to be repainted in a picture of this size. base: a mask of that size that lies below the drawing.

        Raises InvalidMask if an object cannot be understood, or if there is too much of them.
        """
        pixels = np.zeros((picture.height, picture.width), np.uint8) if base is None else base.pixels.copy()
        if pixels.shape != (picture.height, picture.width):
            raise InvalidMask("The mask below the drawing has another size than the picture.")
        to_picture = np.array(
            [[picture.width / self.canvas.width, 0, 0], [0, picture.height / self.canvas.height, 0]], np.float64
        )
        budget = _Budget()
        for item in self.objects:
            shape = _Shape.of(item)
            budget.spend_points(shape.points)
            matrix = _product(to_picture, shape.matrix)
            for value, contours in shape.painted(matrix):
                for crossings in _crossings(contours, picture, budget):
                    _fill(pixels, crossings, value)
        return Mask(pixels)


@dataclass(slots=True)
class _Budget:
    points: int = MAX_POINTS
    crossings: int = MAX_CROSSINGS

    def spend_points(self, count: int) -> None:
        self.points -= count
        if self.points < 0:
            raise InvalidMask(f"This drawing has more than {MAX_POINTS} points. Clear it and paint with fewer strokes.")

    def spend_crossings(self, count: int) -> None:
        self.crossings -= count
        if self.crossings < 0:
            raise InvalidMask("This drawing is too detailed. Clear it and paint with fewer strokes.")


# One object --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """lines: in the object's own coordinates, around its centre. matrix: from there to the canvas.

    fill, stroke: 255 to repaint, 0 to keep, None where there is none. pen: of the object's own coordinates, or,
    if it is uniform, of the canvas.
    """

    lines: tuple[Points, ...]
    is_closed: bool
    fill: int | None
    stroke: int | None
    pen: float
    is_uniform: bool
    matrix: Matrix

    @property
    def points(self) -> int:
        return sum(len(line) for line in self.lines)

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> _Shape:
        kind = str(item.get("type", "")).lower()
        read = READERS.get(kind)
        if read is None:
            raise InvalidMask(f"This drawing holds “{kind[:40]}”, which cannot be painted. Clear it and paint again.")
        lines, size, is_closed = read(item)
        pen = abs(_number(item, "strokeWidth", 1))
        hidden = item.get("visible") is False or _number(item, "opacity", 1) <= 0
        fill = None if hidden or kind == "line" else _value_of(item.get("fill"))
        stroke = None if hidden or pen == 0 else _value_of(item.get("stroke"))
        if item.get("stroke") == LASSO and kind == "path":
            fill, is_closed = 255, True
        uniform = bool(item.get("strokeUniform"))
        return cls(lines, is_closed, fill, stroke, pen, uniform, _matrix_of(item, size, pen, uniform))

    def painted(self, matrix: Matrix) -> Iterator[tuple[int, list[Points] | Points]]:
        """The value and the outlines of what is laid down, in pixels of the picture; fill before stroke."""
        if self.fill is not None:
            yield self.fill, [_mapped(line, matrix) for line in self.lines if len(line) > 2]
        if self.stroke is None:
            return
        for line in self.lines:
            line = _simplified(np.vstack([line, line[:1]]) if self.is_closed else line)
            if self.is_uniform:
                # The pen was not stretched with the object: stroke the line where it lies on the canvas.
                own = self.matrix
                stretch = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]) / _area_of(own))
                yield self.stroke, _capsules(_mapped(line, matrix), self.pen / 2 * stretch)
            else:
                capsules = _capsules(line, self.pen / 2, scale=math.sqrt(_area_of(matrix)))
                yield self.stroke, _mapped(capsules, matrix)


def _read_path(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    commands = item.get("path")
    if not isinstance(commands, list) or len(commands) > MAX_POINTS:
        raise InvalidMask("A stroke of this drawing cannot be read. Clear it and paint again.")
    lines: list[list[list[float]]] = []
    start = at = [0.0, 0.0]
    is_closed = False
    for command in commands:
        letter, numbers = _command(command)
        if letter == "M":
            start = at = numbers
            lines.append([_cubic(at, "L", at)])
            continue
        if letter == "Z":
            is_closed, letter, numbers = True, "L", start
        if not lines:
            lines.append([_cubic(at, "L", at)])
        lines[-1].append(_cubic(at, letter, numbers))
        at = numbers[-2:]
    if not lines:
        return (), np.zeros(2), False
    curves = [np.array(line).reshape(-1, 4, 2) for line in lines]
    # Fabric places a path by the exact box of its curves.
    centre, size = _box(np.vstack([_extremes(line) for line in curves]))
    return tuple(_flattened(line) - centre for line in curves), size, is_closed and len(lines) == 1


def _read_rect(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    half = np.array([_length(item, "width"), _length(item, "height")]) / 2
    return (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half,), half * 2, True


def _read_circle(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    radius = _length(item, "radius")
    return (_circle(radius, _arc_steps(radius * 16) * 2),), np.full(2, radius * 2), True


def _read_polygon(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    given = item.get("points")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_POINTS:
        raise InvalidMask("A polygon of this drawing cannot be read. Clear it and paint again.")
    if not all(isinstance(point, Mapping) for point in given):
        raise InvalidMask("A polygon of this drawing cannot be read. Clear it and paint again.")
    points = np.array([(_number(point, "x"), _number(point, "y")) for point in given])
    centre, size = _box(points)
    return (points - centre,), size, str(item.get("type", "")).lower() == "polygon"


def _read_line(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    points = np.array([[_number(item, f"{axis}{end}") for axis in "xy"] for end in "12"])
    centre, size = _box(points)
    return (points - centre,), size, False


READERS = {
    "path": _read_path,
    "rect": _read_rect,
    "labeledrect": _read_rect,
    "circle": _read_circle,
    "polygon": _read_polygon,
    "polyline": _read_polygon,
    "line": _read_line,
}


def _matrix_of(item: Mapping[str, Any], size: Points, pen: float, uniform: bool) -> Matrix:
    """Where Fabric puts an object: FabricObject.calcOwnMatrix and translateToCenterPoint.

    left and top name the point that originX and originY say, of the box around the object with its stroke.
    """
    scale = np.array([_number(item, "scaleX", 1), _number(item, "scaleY", 1)])
    flip = np.array([-1 if item.get("flipX") else 1, -1 if item.get("flipY") else 1])
    skew_x, skew_y = (math.tan(math.radians(_number(item, name))) for name in ("skewX", "skewY"))
    own = np.diag(scale * flip) @ np.array([[1, skew_x], [0, 1]]) @ np.array([[1, 0], [skew_y, 1]])
    box = np.abs(own) @ (size + (0 if uniform else pen)) + (pen if uniform else 0)
    angle = math.radians(_number(item, "angle"))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    to_centre = -box * [_origin(item, "originX"), _origin(item, "originY")]
    centre = np.array([_number(item, "left"), _number(item, "top")]) + turn @ to_centre
    return np.column_stack([turn @ own, centre])


def _origin(item: Mapping[str, Any], name: str) -> float:
    value = item.get(name, "center")  # the default of Fabric 7; earlier versions had left and top
    if isinstance(value, str) and value in ORIGIN:
        return ORIGIN[value]
    return _number(item, name, 0.5) - 0.5


def _value_of(colour: Any) -> int | None:
    """What a colour does: 255 repaints, 0 keeps, None is no colour at all."""
    if not isinstance(colour, str) or colour.strip().lower() in ("", "none", "transparent"):
        return None
    numbers = _channels(colour)
    if numbers is not None and len(numbers) == 4 and numbers[3] == 0:
        return None
    return 0 if numbers is not None and numbers[:3] == ERASED else 255


def _channels(colour: str) -> list[float] | None:
    if re.fullmatch(r"\s*#[0-9a-fA-F]{6}\s*", colour):
        return [float(int(colour.strip()[i : i + 2], 16)) for i in (1, 3, 5)]
    match = re.fullmatch(r"\s*rgba?\(([\d.,\s]{1,60})\)\s*", colour)
    try:
        return [float(part) for part in match[1].split(",")] if match else None
    except ValueError:
        return None


def _scaled(item: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    changed = dict(item)
    for name, default in (("left", 0), ("top", 0), ("scaleX", 1), ("scaleY", 1)):
        changed[name] = _number(item, name, default) * factor
    if item.get("strokeUniform"):
        changed["strokeWidth"] = _number(item, "strokeWidth", 1) * factor
    return changed


def _number(item: Mapping[str, Any], name: str, default: float = 0) -> float:
    return _checked(item.get(name, default))


def _length(item: Mapping[str, Any], name: str) -> float:
    return abs(_number(item, name))


def _checked(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_COORDINATE:
        raise InvalidMask("A number in this drawing cannot be a place on the canvas. Clear it and paint again.")
    return float(value)


# Lines and curves --------------------------------------------------------------------------------------------


def _command(command: Any) -> tuple[str, list[float]]:
    letter = command[0] if isinstance(command, list) and command else None
    letter = letter.upper() if isinstance(letter, str) else ""
    count = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}.get(letter)
    if count is None or len(command) != 1 + count:
        raise InvalidMask("A stroke of this drawing cannot be read. Clear it and paint again.")
    return letter, [_checked(value) for value in command[1:]]


def _cubic(at: list[float], letter: str, numbers: list[float]) -> list[float]:
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


def _flattened(curves: Points) -> Points:
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


def _extremes(curves: Points) -> Points:
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


def _box(points: Points) -> tuple[Points, Points]:
    """Centre and size of the box around the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, high - low


def _simplified(line: Points) -> Points:
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


def _capsules(line: Points, radius: float, scale: float = 1.0) -> Points:
    """(n, k, 2): the outline of each piece of the line under a round pen. Together they are the stroke."""
    if len(line) == 1:
        line = np.vstack([line, line])
    start, end = line[:-1], line[1:]
    along = end - start
    direction = np.arctan2(along[:, 1], along[:, 0])[:, None]
    half_turn = np.linspace(-math.pi / 2, math.pi / 2, _arc_steps(radius * scale) + 1)[None]
    ahead, behind = direction + half_turn, direction + half_turn + math.pi
    front = np.stack([np.cos(ahead), np.sin(ahead)], axis=2) * radius + end[:, None]
    back = np.stack([np.cos(behind), np.sin(behind)], axis=2) * radius + start[:, None]
    return np.concatenate([front, back], axis=1)


def _circle(radius: float, steps: int) -> Points:
    angles = np.arange(steps) * (2 * math.pi / steps)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius


def _arc_steps(radius_px: float) -> int:
    """Pieces of a half circle that leave it by at most a tenth of a pixel."""
    return int(min(256, max(4, math.ceil(math.pi / 2 / math.acos(1 - min(0.5, 0.1 / max(radius_px, 0.1)))))))


def _mapped(points: Points, matrix: Matrix) -> Points:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _product(outer: Matrix, inner: Matrix) -> Matrix:
    square = outer[:, :2]
    return np.column_stack([square @ inner[:, :2], square @ inner[:, 2] + outer[:, 2]])


def _area_of(matrix: Matrix) -> float:
    """How many times larger areas become."""
    return max(1e-12, abs(float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])))


# Rows of pixels ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Crossings:
    """Where outlines cross the centres of rows: column is the first pixel right of it, turn is +1 or -1."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    turn: NDArray[np.int64]


def _crossings(contours: list[Points] | Points, picture: Size, budget: _Budget) -> Iterator[_Crossings]:
    """In portions that fit into memory: an outline is never divided, and outlines do not cancel each other out."""
    if isinstance(contours, np.ndarray):
        start = contours.reshape(-1, 2)
        end = np.roll(contours, -1, axis=1).reshape(-1, 2)
        outline_edges = contours.shape[1]
    elif contours:
        start = np.vstack(contours)
        end = np.vstack([np.roll(contour, -1, axis=0) for contour in contours])
        outline_edges = len(start)
    else:
        return
    # A pixel is inside if its centre is; a centre on the edge belongs to the side below and to the right.
    first = np.clip(np.ceil(np.minimum(start[:, 1], end[:, 1]) - 0.5), 0, picture.height).astype(np.int64)
    after = np.clip(np.ceil(np.maximum(start[:, 1], end[:, 1]) - 0.5), 0, picture.height).astype(np.int64)
    rows = after - first
    budget.spend_crossings(int(rows.sum()))
    portion = max(1, CHUNK_CROSSINGS // max(1, int(rows.max()) * outline_edges)) * outline_edges
    for low in range(0, len(rows), portion):
        part = slice(low, low + portion)
        yield _of_edges(start[part], end[part], first[part], rows[part], picture)


def _of_edges(
    start: Points, end: Points, first: NDArray[np.int64], rows: NDArray[np.int64], picture: Size
) -> _Crossings:
    edge = np.repeat(np.arange(len(rows)), rows)
    before = np.cumsum(rows) - rows
    row = np.arange(len(edge)) - before[edge] + first[edge]
    rise = end[:, 1] - start[:, 1]
    slope = (end[:, 0] - start[:, 0]) / np.where(rise == 0, 1, rise)
    x = start[edge, 0] + (row + 0.5 - start[edge, 1]) * slope[edge]
    column = np.clip(np.ceil(x - 0.5), 0, picture.width).astype(np.int64)
    return _Crossings(row, column, np.where(rise > 0, 1, -1)[edge])


def _fill(pixels: NDArray[np.uint8], crossings: _Crossings, value: int) -> None:
    """Fill what the outlines go round (the nonzero winding rule, as canvases do)."""
    height, width = pixels.shape
    # One sort by row, column and turn; rows are whole, as every outline that enters one leaves it again.
    key = np.sort(((crossings.row * (width + 1) + crossings.column) << 1) | (crossings.turn > 0))
    inside = np.cumsum((key & 1) * 2 - 1) != 0
    place = key >> 1
    was_inside = np.concatenate([[False], inside[:-1]])
    starts, stops = place[inside & ~was_inside], place[was_inside & ~inside]
    row = starts // (width + 1)
    flat = pixels.reshape(-1)
    # Rows here have one column more than the picture: a run may end after its last pixel.
    for low, high in zip((starts - row).tolist(), (stops - row).tolist(), strict=True):
        flat[low:high] = value
