"""Outlines as rows of pixels: where they cross the centres of rows, and what lies between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.domain.errors import InvalidMask
from core.domain.geometry import Size
from core.domain.pixels.curves import Points

MAX_POINTS = 200_000
MAX_CROSSINGS = 60_000_000
"""Edges times rows of one drawing: about five seconds. A hundred long strokes on 24 megapixels need 5 million."""

CHUNK_CROSSINGS = 4_000_000


@dataclass(slots=True)
class Budget:
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


@dataclass(frozen=True, slots=True)
class Crossings:
    """Where outlines cross the centres of rows: column is the first pixel right of it, turn is +1 or -1."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    turn: NDArray[np.int64]


def crossings_of(contours: list[Points] | Points, picture: Size, budget: Budget) -> Iterator[Crossings]:
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
) -> Crossings:
    edge = np.repeat(np.arange(len(rows)), rows)
    before = np.cumsum(rows) - rows
    row = np.arange(len(edge)) - before[edge] + first[edge]
    rise = end[:, 1] - start[:, 1]
    slope = (end[:, 0] - start[:, 0]) / np.where(rise == 0, 1, rise)
    x = start[edge, 0] + (row + 0.5 - start[edge, 1]) * slope[edge]
    column = np.clip(np.ceil(x - 0.5), 0, picture.width).astype(np.int64)
    return Crossings(row, column, np.where(rise > 0, 1, -1)[edge])


def fill_crossings(pixels: NDArray[np.uint8], crossings: Crossings, value: int) -> None:
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
