"""Lines that end at the hole's border and go on behind it: which belong together, and what they look like in between.

Edges that cross the border are paired where their sides have the same colours and one smooth arc joins them, without
crossing another pair. Between them the picture is sketched: the colours of both sides along the arc, and smooth colours
elsewhere. Search then prefers patches that also look like the sketch near an arc, at the sizes at which shapes are
decided. Completing structure before texture: Sun, Yuan, Jia and Shum, Image Completion with Structure Propagation
(SIGGRAPH 2005), where a person draws the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.engine.fill.picture import COLOURS, Bools, Floats, Level, smoothed
from core.engine.fill.seam import membrane

STRONG = 2.0
"""Units of Lab for each pixel across an edge, smoothed; less is texture."""

STANDS_OUT = 1.4
"""Of the mean along the border: among the stones of a wall no edge is a line that goes on."""

MOST = 40
"""Edges that are looked at, the strongest."""

BESIDE = 3
"""Pixels from the edge to where the colours of its sides are taken, and from one edge on the border to the next."""

FOLLOWED = 8
"""Pixels that an edge is followed outwards, to see where it comes from."""

CONTRAST = 14.0
"""Units of Lab between the two sides of an edge, at least: less is shading or texture."""

SLANTED = 0.35
"""Cosine between an edge and the way into the hole, at least: others run along its border."""

STEEPEST = np.deg2rad(75)
"""Between an arc and the chord of its ends."""

OUTSIDE = 24
"""Half pixels of an arc that may lie outside of the hole: at both ends it begins beside it."""

UNEVEN = np.deg2rad(15)
TURN = np.deg2rad(90)
"""What costs 1: a difference between the angles of arc and chord at both ends (of a circle there is none), and their
sum."""

UNLIKE, OTHER = 3.0, 0.2
"""Likewise what a difference in colour between the two ends costs, in shares of the contrast: of the side that changes
less, and of the other one, which is often that of something else behind. An edge belongs to what it ends."""

MOST_COST = 1.9
"""By the cases looked at: 0.2 to 1.9 of those that belong together, 2 and more of the others."""

NEAR = 6.0
"""Pixels from an arc, up to where its sketch counts."""

Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class End:
    """An edge at the border. place: along the border. at: (x, y). inwards: of length 1. left, right: colours, seen in
    that direction."""

    place: int
    at: Point
    inwards: Point
    left: Floats
    right: Floats

    @property
    def contrast(self) -> float:
        return float(np.linalg.norm(self.left - self.right))


@dataclass(frozen=True, slots=True)
class Arc:
    """first is where it begins. points: (n, 2), x and y, a pixel apart or less. cost: lower is more likely."""

    first: End
    last: End
    points: Point
    cost: float


@dataclass(frozen=True, slots=True)
class Sketch:
    """colours: (H, W, 3), the picture outside of the hole. weight: (H, W), 0..1, how far it counts."""

    colours: Floats
    weight: Floats

    def halved(self) -> Sketch:
        return Sketch(smoothed(self.colours)[::2, ::2], smoothed(self.weight[..., None])[::2, ::2, 0])


def sketched(level: Level) -> Sketch | None:
    """None if no lines belong together."""
    arcs = joined(level)
    if not arcs:
        return None
    colours = level.channels[..., COLOURS].copy()
    drawn = np.zeros((*level.hole.shape, 3), np.float32)
    times = np.zeros(level.hole.shape, np.float32)
    near = np.ones(level.hole.shape, np.uint8)
    for arc in arcs:
        _draw(arc, level.hole, drawn, times)
        columns, rows = np.rint(arc.points).astype(np.intp).T
        near[rows, columns] = 0
    is_drawn = times > 0
    colours[is_drawn] = drawn[is_drawn] / times[is_drawn, None]
    rest = level.hole & ~is_drawn
    colours[rest] = membrane(colours, rest)
    distance = cv2.distanceTransform(near, cv2.DIST_L2, 5)
    weight = np.clip(1 - distance / np.float32(NEAR), 0, 1) * level.hole
    return Sketch(colours, np.asarray(weight, np.float32))


def joined(level: Level) -> list[Arc]:
    """The arcs of pairs that belong together, most likely first; none crosses another."""
    chosen: list[Arc] = []
    for ends in _ends(level):
        arcs = [arc for pair in combinations(ends, 2) if (arc := _arc(*pair, level.hole)) is not None]
        here: list[Arc] = []
        for arc in sorted(arcs, key=lambda arc: (arc.cost, arc.first.place, arc.last.place)):
            if not any(_shares_or_crosses(arc, other) for other in here):
                here.append(arc)
        chosen += here
    return chosen


def _ends(level: Level) -> Iterator[list[End]]:
    """For each outer border of the hole the edges that cross it."""
    wide = cv2.dilate(level.hole.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    known = ~level.hole
    lab = np.where(known[..., None], level.channels[..., COLOURS], 0)
    tensor = _tensor(lab, known)
    inside = smoothed(smoothed(smoothed(level.hole[..., None].astype(np.float32))))[..., 0]
    down, right = np.gradient(inside)
    towards = np.stack([right, down], axis=-1)
    contours, _ = cv2.findContours(wide, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        line = contour[:, 0, :].astype(np.intp)
        yield list(_peaks(line, tensor, towards, lab, known))


def _tensor(lab: Floats, known: Bools) -> Floats:
    """(H, W, 3): xx, xy and yy of the structure tensor, of known pixels alone."""
    found = np.zeros((*known.shape, 3), np.float32)
    sure = np.zeros(known.shape, np.float32)
    dx, dy = np.zeros_like(lab), np.zeros_like(lab)
    dx[:, 1:-1], dy[1:-1] = (lab[:, 2:] - lab[:, :-2]) / 2, (lab[2:] - lab[:-2]) / 2
    all_known = np.zeros_like(known)
    all_known[1:-1, 1:-1] = known[1:-1, 1:-1] & known[1:-1, 2:] & known[1:-1, :-2] & known[2:, 1:-1] & known[:-2, 1:-1]
    sure[all_known] = 1
    for nth, (one, other) in enumerate(((dx, dx), (dx, dy), (dy, dy))):
        found[..., nth] = (one * other).sum(axis=2) * sure
    share = np.maximum(smoothed(smoothed(sure[..., None])), np.float32(0.05))
    return np.asarray(smoothed(smoothed(found)) / share, np.float32)


def _peaks(line: NDArray[np.intp], tensor: Floats, towards: Floats, lab: Floats, known: Bools) -> Iterator[End]:
    height, width = known.shape
    x, y = line.T
    xx, xy, yy = tensor[y, x].T.astype(np.float64)
    root = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    across = np.stack([xx - yy + root, 2 * xy], axis=1)
    across[np.abs(across).sum(axis=1) < 1e-9] = (0, 1)
    across /= np.linalg.norm(across, axis=1)[:, None]
    along = np.stack([-across[:, 1], across[:, 0]], axis=1)
    inwards = towards[y, x].astype(np.float64)
    inwards /= np.maximum(np.linalg.norm(inwards, axis=1), 1e-9)[:, None]
    crossing = (along * inwards).sum(axis=1)
    strength = np.sqrt(root)
    enough = max(STRONG, STANDS_OUT * float(strength.mean()))
    margin = BESIDE
    strength[(x < margin) | (y < margin) | (x >= width - margin) | (y >= height - margin)] = 0
    around = np.stack([np.roll(strength, by) for by in range(-BESIDE, BESIDE + 1)])
    tops = np.flatnonzero((strength >= enough) & (strength == around.max(axis=0)) & (np.abs(crossing) > SLANTED))
    tops = tops[np.argsort(-strength[tops], kind="stable")][:MOST]
    for top in np.sort(tops):
        way = along[top] * np.sign(crossing[top])
        yield from _end(int(top), line[top].astype(np.float64), way, lab, known, tensor, enough / 2)


def _end(
    place: int, at: Point, inwards: Point, lab: Floats, known: Bools, tensor: Floats, least: float
) -> Iterator[End]:
    """Followed outwards from the border, as long as it is at least so strong; nothing if that is not far."""
    points, way = [at], -inwards
    for _ in range(FOLLOWED):
        here = points[-1] + way
        column, row = np.rint(here).astype(int)
        if not (0 <= row < known.shape[0] and 0 <= column < known.shape[1] and known[row, column]):
            break
        xx, xy, yy = (float(v) for v in tensor[row, column])
        root = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
        if np.sqrt(root) < least:
            break
        along = np.array([-2 * xy, xx - yy + root])
        if np.abs(along).sum() < 1e-9:
            break
        along /= np.linalg.norm(along)
        way = way + along * np.sign(along @ way)
        way /= np.linalg.norm(way)
        points.append(here)
    if len(points) <= FOLLOWED * 3 // 4:
        return
    track = np.array(points)
    run = np.arange(len(track))
    slope = np.array([np.polyfit(run, track[:, axis], 2)[1] for axis in range(2)])
    inwards = -slope / max(float(np.linalg.norm(slope)), 1e-9)
    sides = []
    for turn in (np.array([inwards[1], -inwards[0]]), np.array([-inwards[1], inwards[0]])):
        columns, rows = np.rint(track + BESIDE * turn).astype(np.intp).T
        inside = (rows >= 0) & (columns >= 0) & (rows < known.shape[0]) & (columns < known.shape[1])
        columns, rows = columns[inside], rows[inside]
        columns, rows = columns[known[rows, columns]], rows[known[rows, columns]]
        if not rows.size:
            return
        sides.append(lab[rows, columns].mean(axis=0))
    yield End(place, at, inwards, *sides)


def _arc(first: End, last: End, hole: Bools) -> Arc | None:
    chord = last.at - first.at
    length = float(np.linalg.norm(chord))
    if length < 2 * BESIDE:
        return None
    begins, ends = _turn(chord, first.inwards), _turn(chord, -last.inwards)
    if max(abs(begins), abs(ends)) > STEEPEST:
        return None
    # What is on the left going in is on the right for who comes in from the other end.
    apart = [float(np.linalg.norm(first.left - last.right)), float(np.linalg.norm(first.right - last.left))]
    contrast = min(first.contrast, last.contrast)
    cost = UNLIKE * min(apart) / contrast + OTHER * min(1.0, max(apart) / contrast)
    cost += abs(begins + ends) / UNEVEN + (abs(begins) + abs(ends)) / TURN
    if contrast < CONTRAST or cost > MOST_COST:
        return None
    pull = 2 * length / (1 + np.cos((abs(begins) + abs(ends)) / 2))
    t = np.linspace(0, 1, round(2 * pull) + 2)[:, None]
    points = (
        (2 * t**3 - 3 * t**2 + 1) * first.at
        + (t**3 - 2 * t**2 + t) * pull * first.inwards
        + (3 * t**2 - 2 * t**3) * last.at
        + (t**2 - t**3) * pull * last.inwards
    )
    columns, rows = np.rint(points).astype(np.intp).T
    inside = (rows >= 0) & (columns >= 0) & (rows < hole.shape[0]) & (columns < hole.shape[1])
    if not inside.all() or np.count_nonzero(~hole[rows, columns]) > OUTSIDE:
        return None
    return Arc(first, last, points, cost)


def _turn(chord: Point, way: Point) -> float:
    return float(np.arctan2(chord[0] * way[1] - chord[1] * way[0], chord @ way))


def _shares_or_crosses(arc: Arc, other: Arc) -> bool:
    """first.place < last.place in each: pairs on one closed line cross where they interleave."""
    a, b, c, d = arc.first.place, arc.last.place, other.first.place, other.last.place
    return a in (c, d) or b in (c, d) or (c < a < d) != (c < b < d)


def _draw(arc: Arc, hole: Bools, drawn: Floats, times: Floats) -> None:
    """Add the colours of its sides, a pixel to the left and to the right of it."""
    way = np.gradient(arc.points, axis=0)
    way /= np.maximum(np.linalg.norm(way, axis=1), 1e-9)[:, None]
    left = np.stack([way[:, 1], -way[:, 0]], axis=1)
    done = np.linspace(0, 1, len(arc.points), dtype=np.float32)[:, None]
    of_left = (1 - done) * arc.first.left + done * arc.last.right
    of_right = (1 - done) * arc.first.right + done * arc.last.left
    for colours, side in ((of_left, left), (of_right, -left)):
        columns, rows = np.rint(arc.points + side).astype(np.intp).T
        ok = (rows >= 0) & (columns >= 0) & (rows < hole.shape[0]) & (columns < hole.shape[1])
        ok[ok] = hole[rows[ok], columns[ok]]
        np.add.at(drawn, (rows[ok], columns[ok]), colours[ok])
        np.add.at(times, (rows[ok], columns[ok]), 1)
