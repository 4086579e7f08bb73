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

from core.domain.errors import InvalidMask
from core.domain.geometry import Size
from core.domain.hashing import canonical_json
from core.domain.pixels.curves import (
    Matrix,
    Points,
    arc_steps,
    area_scale,
    bounding_box,
    capsules,
    circle,
    cubic,
    extremes,
    flattened,
    mapped,
    product,
    simplified,
)
from core.domain.pixels.mask import Mask
from core.domain.pixels.scanlines import MAX_POINTS, Budget, crossings_of, fill_crossings

PAINT = "rgba(225, 29, 116, 0.5)"
ERASED = [255.0, 255.0, 255.0]
ERASE = "rgba(255, 255, 255, 0.8)"
"""Half transparent, so that the picture stays visible. Whatever is not in the erase colour paints."""

LASSO = "rgba(225, 29, 117, 0.9)"
"""A line of this colour repaints what it goes around."""

MAX_TEXT = 20_000_000
MAX_OBJECTS = 5_000
MAX_COORDINATE = 100_000.0


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
        budget = Budget()
        for item in self.objects:
            shape = _Shape.of(item)
            budget.spend_points(shape.points)
            matrix = product(to_picture, shape.matrix)
            for value, contours in shape.painted(matrix):
                for crossings in crossings_of(contours, picture, budget):
                    fill_crossings(pixels, crossings, value)
        return Mask(pixels)


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
            yield self.fill, [mapped(line, matrix) for line in self.lines if len(line) > 2]
        if self.stroke is None:
            return
        for line in self.lines:
            line = simplified(np.vstack([line, line[:1]]) if self.is_closed else line)
            if self.is_uniform:
                # The pen was not stretched with the object: stroke the line where it lies on the canvas.
                own = self.matrix
                stretch = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]) / area_scale(own))
                yield self.stroke, capsules(mapped(line, matrix), self.pen / 2 * stretch)
            else:
                outlines = capsules(line, self.pen / 2, scale=math.sqrt(area_scale(matrix)))
                yield self.stroke, mapped(outlines, matrix)


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
            lines.append([cubic(at, "L", at)])
            continue
        if letter == "Z":
            is_closed, letter, numbers = True, "L", start
        if not lines:
            lines.append([cubic(at, "L", at)])
        lines[-1].append(cubic(at, letter, numbers))
        at = numbers[-2:]
    if not lines:
        return (), np.zeros(2), False
    curves = [np.array(line).reshape(-1, 4, 2) for line in lines]
    # Fabric places a path by the exact box of its curves.
    centre, size = bounding_box(np.vstack([extremes(line) for line in curves]))
    return tuple(flattened(line) - centre for line in curves), size, is_closed and len(lines) == 1


def _read_rect(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    half = np.array([_length(item, "width"), _length(item, "height")]) / 2
    return (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half,), half * 2, True


def _read_circle(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    radius = _length(item, "radius")
    return (circle(radius, arc_steps(radius * 16) * 2),), np.full(2, radius * 2), True


def _read_polygon(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    given = item.get("points")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_POINTS:
        raise InvalidMask("A polygon of this drawing cannot be read. Clear it and paint again.")
    if not all(isinstance(point, Mapping) for point in given):
        raise InvalidMask("A polygon of this drawing cannot be read. Clear it and paint again.")
    points = np.array([(_number(point, "x"), _number(point, "y")) for point in given])
    centre, size = bounding_box(points)
    return (points - centre,), size, str(item.get("type", "")).lower() == "polygon"


def _read_line(item: Mapping[str, Any]) -> tuple[tuple[Points, ...], Points, bool]:
    points = np.array([[_number(item, f"{axis}{end}") for axis in "xy"] for end in "12"])
    centre, size = bounding_box(points)
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


def _command(command: Any) -> tuple[str, list[float]]:
    letter = command[0] if isinstance(command, list) and command else None
    letter = letter.upper() if isinstance(letter, str) else ""
    count = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}.get(letter)
    if count is None or len(command) != 1 + count:
        raise InvalidMask("A stroke of this drawing cannot be read. Clear it and paint again.")
    return letter, [_checked(value) for value in command[1:]]
