"""The method: a hole is completed at a small size first; each larger size begins with the patches of the one before.

Wexler, Shechtman and Irani, Space-Time Completion of Video (PAMI 2007): search for each patch the one most like it,
let all patches vote for the pixels, again and again, from coarse to fine. Barnes et al., PatchMatch (2009), makes the
search fast; Newson et al., Video Inpainting of Complex Scenes (2014), compares texture as well; Perez et al., Poisson
Image Editing (2003), the seam. Schedule and weights: docs/decisions/0029-content-fill-2.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, takewhile

import cv2
import numpy as np

from core.engine.fill.lines import Sketch, sketched
from core.engine.fill.patches import Field, Places, touching
from core.engine.fill.picture import CHANNELS, COLOURS, REACH, Bools, Bytes, Floats, Level, channels_of, pyramid
from core.engine.fill.seam import meet, membrane
from core.engine.fill.sources import allowed_around

ENOUGH_SOURCES = 30
"""Fewer allowed patches say nothing about the surroundings; then all known ones are."""

FEWEST_SOURCES = 10

TOLERANT, STRICT = 0.5, 0.08
"""Of Field.vote: between rounds, and in the last one."""

SKETCHED_PX = 128
"""Longer side of the hole at the level that lines are found at: there they are a few pixels wide."""

GUIDED = 0.5
"""What the sketch counts beside what is known for certain."""

DISLIKED, BLOCK = 60.0, 6
"""What is added at most to the squared distance of patches from one place, the same for so many pixels a side, at the
coarsest level. Without it all seeds find nearly the same; so the fillings of two differ by a third more, and are as
near to the truth."""

FINEST_GUIDED = 1
"""Full size is not guided: a sketch has no grain."""


@dataclass(frozen=True, slots=True)
class Effort:
    """rounds of search and vote. steps, radii, searches: of the search in each round. dense: of the comparison."""

    rounds: int
    searches: int
    steps: Sequence[int]
    radii: Sequence[int]
    dense: bool


def _effort(nth: int, of: int, longer_side: int) -> Effort:
    """nth: of so many levels, 0 being full size. What is decided at the small sizes costs little and counts most."""
    far = [longer_side >> halvings for halvings in range(longer_side.bit_length())]
    rounds = 12 if nth == of - 1 else 2 if nth == 0 else 3
    if nth >= of - 2:
        return Effort(rounds, 2, (4, 2, 1), far, dense=True)
    if nth:
        return Effort(rounds, 1, (4, 2, 1), (max(1, longer_side // 8), 16, 4, 1), dense=False)
    return Effort(rounds, 1, (2, 1), (8, 1), dense=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One level, and what is done at it. guide: None where texture is decided, not shapes, or if no line was found."""

    level: Level
    effort: Effort
    guide: Sketch | None


class Completion:
    """One hole to be filled, once. rounds: how often report is called while it is."""

    def __init__(self, rgb: Bytes, hole: Bools) -> None:
        """rgb: (H, W, 3). hole: (H, W), with at least one pixel of it."""
        self._rgb = rgb
        self._stages = _stages(rgb, hole)
        self.rounds = sum(stage.effort.rounds for stage in self._stages) + 1

    @property
    def is_possible(self) -> bool:
        """Whether enough is known around the hole that can be copied."""
        return bool(self._stages)

    def run(self, seeds: Sequence[int], threads: int, report: Callable[[int], object]) -> Bytes:
        """The picture with its hole filled. report: called with the number of each round that is done, from 1 on.

        seeds: of what is tried by chance; others may find another filling. Raises ValueError if it is not possible.
        """
        chance, reports = np.random.default_rng(seeds), count(1)
        field: Field | None = None
        with ThreadPoolExecutor(threads) as pool:
            while self._stages:
                # Taken off, so that its memory is given back while the next, four times as large, is worked on.
                stage = self._stages.pop()
                field = _completed(stage, field, chance, pool if threads > 1 else None, lambda: report(next(reports)))
                del stage
            if field is None:
                raise ValueError("nothing is known that could be copied, or it was filled before")
            filled = self._rgb.copy()
            filled[field.hole] = self._colours(field)
            report(next(reports))
        return filled

    def _colours(self, field: Field) -> Bytes:
        """(n, 3): of the n pixels of the hole."""
        copied = field.vote(field.padded(self._rgb.astype(np.float32)), STRICT, 3)
        to = field.pixels + field.best_shift()
        away = field.rows_and_columns(to) - field.rows_and_columns(field.pixels)
        met = meet(self._rgb, field.hole, copied, away)
        return np.asarray(np.clip(np.rint(met), 0, 255), np.uint8)


def _completed(
    stage: Stage,
    coarser: Field | None,
    chance: np.random.Generator,
    pool: Executor | None,
    report: Callable[[], object],
) -> Field:
    """The field of a level, found from that of the coarser one, if there is one."""
    level, effort, guide = stage.level, stage.effort, stage.guide
    field = Field(level.hole, _usable(level), pool, dense=effort.dense)
    if coarser is None:
        level.channels[level.hole] = membrane(level.channels, level.hole)
        if guide is not None:
            level.channels[level.hole, COLOURS] = guide.colours[level.hole]
    channels = level.channels
    if guide is not None:
        channels = np.concatenate([channels, guide.colours], axis=2)
        field.guided = np.pad(guide.weight * np.float32(GUIDED), REACH).ravel()
    values = field.padded(channels)
    if coarser is None:
        field.dislike = _dislike(level.hole.shape, chance)
        field.source = chance.choice(np.flatnonzero(field.usable), field.targets.size)
    else:
        field.source = _doubled(coarser, field)
        values[field.pixels, :CHANNELS] = field.vote(values, 2 * TOLERANT, CHANNELS)
    for _ in range(effort.rounds):
        for _ in range(effort.searches):
            field.search(values, chance, effort.steps, effort.radii)
        values[field.pixels, :CHANNELS] = field.vote(values, TOLERANT, CHANNELS)
        report()
    return field


def _dislike(shape: tuple[int, ...], chance: np.random.Generator) -> Floats:
    """For each padded pixel what is added to the cost of copying from there: by chance, so that seeds differ."""
    rows, columns = (-(-side // BLOCK) for side in shape)
    blocks = chance.integers(0, 256, (rows, columns)).astype(np.float32) * np.float32(DISLIKED / 256)
    large = np.repeat(np.repeat(blocks, BLOCK, axis=0), BLOCK, axis=1)[: shape[0], : shape[1]]
    return np.pad(large, REACH).ravel()


def _stages(rgb: Bytes, hole: Bools) -> list[Stage]:
    """From full size to the coarsest; none if nothing is known that could be copied."""
    full = Level(channels_of(rgb, hole), hole, np.ones_like(hole))
    if not _can_be_filled(full):
        return []
    levels = pyramid(replace(full, allowed=allowed_around(full)))
    # A small one may have too few patches, or the hole may fall between its pixels.
    levels = [levels[0], *takewhile(_can_be_filled, levels[1:])]
    efforts = (_effort(nth, len(levels), max(hole.shape) >> nth) for nth in range(len(levels)))
    return [Stage(*parts) for parts in zip(levels, efforts, _guides(levels), strict=True)]


def _guides(levels: Sequence[Level]) -> list[Sketch | None]:
    """For each level its sketch of the lines that go on behind the hole."""
    first = next((nth for nth, level in enumerate(levels) if _longer_side(level.hole) <= SKETCHED_PX), len(levels) - 1)
    guides: list[Sketch | None] = [None] * len(levels)
    sketch = sketched(levels[first])
    for nth in range(first, len(levels)):
        guides[nth] = sketch if nth >= FINEST_GUIDED else None
        sketch = sketch.halved() if sketch else None
    return guides


def _longer_side(hole: Bools) -> int:
    return max(int(np.ptp(at)) + 1 for at in np.nonzero(hole))


def _known_patches(level: Level) -> Bools:
    """Places whose patch lies in the picture and does not touch the hole."""
    inside = np.zeros_like(level.hole)
    inside[REACH:-REACH, REACH:-REACH] = True
    return inside & ~touching(level.hole)


def _usable(level: Level) -> Bools:
    known = _known_patches(level)
    allowed = known & level.allowed
    return allowed if np.count_nonzero(allowed) >= ENOUGH_SOURCES else known


def _can_be_filled(level: Level) -> bool:
    return bool(level.hole.any() and np.count_nonzero(_known_patches(level)) >= FEWEST_SOURCES)


def _doubled(coarse: Field, fine: Field) -> Places:
    """For each target of the finer field a source: where its place of half the size, or the nearest, is copied from."""
    at = fine.rows_and_columns(fine.targets)
    nearest = _nearest_of(np.pad(touching(coarse.hole), REACH))
    place = coarse.numbered(np.minimum(at // 2, np.subtract(coarse.hole.shape, 1)))
    target = nearest[place]
    nth = np.zeros(nearest.size, np.intp)
    nth[coarse.targets] = np.arange(coarse.targets.size)
    source = coarse.rows_and_columns(coarse.source[nth[target]] + place - target)
    wanted = np.clip(2 * source + at % 2, REACH, np.subtract(fine.hole.shape, REACH + 1))
    return _nearest_of(fine.usable.reshape(-1, fine.width))[fine.numbered(wanted)]


def _nearest_of(places: Bools) -> Places:
    """For each pixel, row by row, the nearest one that is on; at least one is."""
    _, label = cv2.distanceTransformWithLabels(
        (~places).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    on = np.flatnonzero(places)
    of_label = np.zeros(int(label.max()) + 1, np.intp)
    of_label[label.ravel()[on]] = on
    return np.asarray(of_label[label.ravel()])
