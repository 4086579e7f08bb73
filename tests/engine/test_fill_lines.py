"""Lines that go on behind a hole: which are found to belong together, and that the filling follows them."""

from __future__ import annotations

import numpy as np
import pytest

from core.engine.fill.completion import Completion
from core.engine.fill.lines import joined, sketched
from core.engine.fill.picture import Level, channels_of

SIDE = 120


def a_hole(radius: float = 26) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (x - SIDE / 2) ** 2 + (y - SIDE / 2) ** 2 < radius**2


def two_halves(boundary: np.ndarray) -> np.ndarray:
    """Orange under the boundary, (SIDE,) rows for each column, dark blue above, both with grain."""
    rows = np.arange(SIDE)[:, None]
    share = np.clip(rows - boundary[None] + 0.5, 0, 1)[..., None]
    plain = share * np.float64([220, 120, 40]) + (1 - share) * np.float64([30, 50, 90])
    grain = np.random.default_rng(4).normal(0, 3, (SIDE, SIDE, 1))
    return np.clip(np.rint(plain + grain), 0, 255).astype(np.uint8)


STRAIGHT = SIDE / 2 + 6 + 0.2 * (np.arange(SIDE) - SIDE / 2)
ROUND = SIDE / 2 + 70 - np.sqrt(80.0**2 - (np.arange(SIDE) - SIDE / 2) ** 2)


def level_of(rgb: np.ndarray, hole: np.ndarray) -> Level:
    painted = rgb.copy()
    painted[hole] = (0, 255, 0)
    return Level(channels_of(painted, hole), hole, np.ones_like(hole))


@pytest.mark.parametrize("boundary", [STRAIGHT, ROUND])
def test_a_line_is_joined_across_the_hole_where_it_was(boundary):
    [arc] = joined(level_of(two_halves(boundary), a_hole()))

    x, y = arc.points.T
    assert np.abs(y - np.interp(x, np.arange(SIDE), boundary)).max() < 2


def test_the_sketch_has_the_colour_of_each_side_along_the_line():
    rgb, hole = two_halves(ROUND), a_hole()

    sketch = sketched(level_of(rgb, hole))

    truth = channels_of(rgb, np.zeros_like(hole))[..., :3]
    near = sketch.weight > 0.4
    apart = np.linalg.norm(sketch.colours - truth, axis=2)
    assert near.any()
    assert not near[~hole].any()
    assert np.median(apart[near]) < 6


def test_grain_and_a_lone_edge_are_no_lines():
    noise = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    ends_here = two_halves(STRAIGHT)
    ends_here[:, SIDE // 2 :] = (120, 120, 120)

    assert joined(level_of(noise, a_hole())) == []
    assert sketched(level_of(noise, a_hole())) is None
    assert all(arc.last.place != arc.first.place for arc in joined(level_of(ends_here, a_hole())))


def test_of_lines_that_would_cross_the_likelier_is_joined():
    rgb = two_halves(STRAIGHT)
    rows = np.arange(SIDE)[:, None]
    column = SIDE / 2 + 0.9 * (rows - SIDE / 2)
    rgb[np.abs(np.arange(SIDE)[None] - column) < 6] = (250, 250, 250)

    arcs = joined(level_of(rgb, a_hole()))

    places = [(arc.first.place, arc.last.place) for arc in arcs]
    assert places
    for a, b in places:
        assert not any(c < a < d < b or a < c < b < d for c, d in places)


def test_a_round_edge_goes_on_in_the_filling():
    rgb, hole = two_halves(ROUND), a_hole()
    painted = rgb.copy()
    painted[hole] = (0, 255, 0)

    filled = Completion(painted, hole).run([1], 1, lambda done: None)

    wrong = np.abs(filled.astype(int) - rgb).max(axis=2) > 40
    assert np.count_nonzero(wrong & hole) < 0.06 * np.count_nonzero(hole)
