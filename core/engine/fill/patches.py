"""The field of patches at one level: for each place that touches the hole, the place that looks most like it.

PatchMatch (Barnes, Shechtman, Finkelstein and Goldman, SIGGRAPH 2009): what suits a place suits its neighbour, shifted
alike; and around what suits, something better is looked for by chance. Here all places try a neighbour's at once, from
steps of 4, 2 and 1 pixels ("jump flooding"), and only where it differs from their own: mostly there is nothing to do,
which makes it fast without a compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import cv2
import numpy as np
from numpy.typing import NDArray

from core.engine.fill.picture import CHANNELS, REACH, Bools, Floats, depth, shifts

Places = NDArray[np.intp]
"""Numbers of pixels of the padded picture, row by row."""

DIRECTIONS = ((-1, 0), (0, -1), (1, 0), (0, 1))

FADE, LEAST_TRUST = 1.3, 0.08
"""A pixel of the hole is trusted by so much less for each pixel from the border, and at least so much of a known one
(Wexler, Shechtman and Irani 2007): the border decides, and the middle follows."""

AT_ONCE = 512
"""Patches compared, and pixels voted for, in one piece: a piece stays in the processor's cache. Pieces are what is
shared among threads, and each is computed alike whoever does it."""


class Field:
    """Targets: places whose patch touches the hole. source, cost: for each target, what it is to be copied from.

    guided: for each padded pixel how far the guide counts there, which is in the channels after CHANNELS; None without.
    dislike: likewise what it costs to copy from there, whatever it looks like.

    dense: compare every pixel of two patches, else every second one.
    """

    def __init__(self, hole: Bools, usable: Bools, threads: Executor | None, *, dense: bool) -> None:
        """hole, usable: (H, W). usable: places whose patch may be copied, at least one."""
        self.hole, self._threads = hole, threads
        self.width = hole.shape[1] + 2 * REACH
        touches = touching(hole)
        self.targets = self.numbered(np.argwhere(touches))
        self.pixels = self.numbered(np.argwhere(hole))
        self.usable = np.pad(usable, REACH).ravel()
        self._patch = np.array([dy * self.width + dx for dy, dx in shifts()], np.intp)
        self._compared = self._patch if dense else self._patch[::2]
        self.trust = np.pad(_trust(hole), REACH).ravel()
        self._nth_target = np.full(self.trust.size, -1, np.intp)
        self._nth_target[self.targets] = np.arange(self.targets.size)
        self.guided: Floats | None = None
        self.dislike: Floats | None = None
        self.source = np.zeros_like(self.targets)
        self.cost = np.ones(self.targets.size, np.float32)

    def numbered(self, at: NDArray[np.intp]) -> Places:
        """at: (n, 2), rows and columns of the picture."""
        places: Places = (at[:, 0] + REACH) * self.width + at[:, 1] + REACH
        return places

    def rows_and_columns(self, places: Places) -> NDArray[np.intp]:
        """(n, 2)."""
        return np.stack([places // self.width - REACH, places % self.width - REACH], axis=1)

    def padded(self, channels: Floats) -> Floats:
        """(number of padded pixels, K)."""
        around = ((REACH, REACH), (REACH, REACH), (0, 0))
        return np.pad(channels, around).reshape(-1, channels.shape[2])

    def search(self, channels: Floats, chance: np.random.Generator, steps: Sequence[int], radii: Sequence[int]) -> None:
        """One round for all targets. channels: as padded makes them. radii: pixels around a source, for chance."""
        everyone = np.arange(self.targets.size)
        self.cost[:] = self._costs(channels, everyone, self.source)
        for step in steps:
            for dy, dx in DIRECTIONS:
                self._try_neighbours(channels, (dy * self.width + dx) * step)
        rows = self.usable.size // self.width
        for radius in radii:
            moved = chance.integers(-radius, radius + 1, (2, self.targets.size), dtype=np.int32)
            row, column = self.source // self.width + moved[0], self.source % self.width + moved[1]
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < self.width)
            self._try(channels, everyone[inside], (row * self.width + column)[inside])

    def _try_neighbours(self, channels: Floats, shift: int) -> None:
        neighbours = self.targets + shift
        inside = (neighbours >= 0) & (neighbours < self._nth_target.size)
        nth = self._nth_target[np.where(inside, neighbours, 0)]
        candidates = self.source[np.maximum(nth, 0)] - shift
        new = inside & (nth >= 0) & (candidates != self.source)
        new &= (candidates >= 0) & (candidates < self.usable.size)
        which = np.flatnonzero(new)
        self._try(channels, which, candidates[which])

    def _try(self, channels: Floats, which: Places, candidates: Places) -> None:
        """Take these sources for these targets (numbers of them), where they may be copied and cost less."""
        allowed = self.usable[candidates]
        which, candidates = which[allowed], candidates[allowed]
        costs = self._costs(channels, which, candidates)
        better = costs < self.cost[which]
        self.source[which[better]] = candidates[better]
        self.cost[which[better]] = costs[better]

    def _costs(self, channels: Floats, which: Places, sources: Places) -> Floats:
        """Mean squared distance of the patches, weighted by how far each pixel of the target is trusted."""
        found = np.empty(which.size, np.float32)

        def compare(piece: slice) -> None:
            at = self.targets[which[piece]] + self._compared[:, None]
            apart = channels.take(at, axis=0)
            apart -= channels.take(sources[piece] + self._compared[:, None], axis=0)
            apart *= apart
            total = _summed(apart, 0, CHANNELS)
            trust = self.trust.take(at)
            total *= trust
            if self.guided is not None:
                total += _summed(apart, CHANNELS, apart.shape[2]) * self.guided.take(at)
            found[piece] = total.sum(axis=0) / trust.sum(axis=0)
            if self.dislike is not None:
                found[piece] += self.dislike.take(sources[piece])

        self._in_pieces(compare, which.size)
        return found

    def vote(self, values: Floats, tolerance: float, count: int) -> Floats:
        """(pixels of the hole, count): each pixel as the mean of what all patches over it say (Wexler et al.).

        values: (padded pixels, K) of the picture. tolerance: how much worse a patch may be than the best one and still
        count, in shares of the mean cost there. Near 0 the best one alone keeps the grain. count: the first channels.
        """
        flat, found = values.reshape(-1), np.empty((self.pixels.size, count), np.float32)
        costs = np.full(self.trust.size, np.inf, np.float32)
        costs[self.targets] = self.cost
        sources = np.zeros(self.trust.size, np.intp)
        sources[self.targets] = self.source

        def decide(piece: slice) -> None:
            targets = self.pixels[piece] - self._patch[:, None]
            cost = costs.take(targets)
            covers = np.isfinite(cost)
            mean = np.where(covers, cost, 0).sum(axis=0) / covers.sum(axis=0, dtype=np.float32)
            weights = falling((cost - cost.min(axis=0)) / (np.maximum(mean, np.float32(1e-3)) * np.float32(tolerance)))
            weights *= self.trust.take(targets)
            weights /= weights.sum(axis=0)
            at = (sources.take(targets) + self._patch[:, None]) * values.shape[1]
            for channel in range(count):
                found[piece, channel] = (flat.take(at) * weights).sum(axis=0)
                at += 1

        self._in_pieces(decide, self.pixels.size)
        return found

    def best_shift(self) -> Places:
        """(pixels of the hole,): how far away the pixel is that the cheapest patch over each of them copies there."""
        costs = np.full(self.trust.size, np.inf, np.float32)
        costs[self.targets] = self.cost
        away = np.zeros(self.trust.size, np.intp)
        away[self.targets] = self.source - self.targets
        found, least = np.zeros_like(self.pixels), np.full(self.pixels.size, np.inf, np.float32)
        for (dy, dx), shift in zip(shifts(), self._patch, strict=True):
            # Rather the middle of a patch than its edge, where they cost the same.
            cost = costs.take(self.pixels - shift) * np.float32(1 + 0.02 * (dy * dy + dx * dx))
            better = cost < least
            least[better] = cost[better]
            found[better] = away.take(self.pixels - shift)[better]
        return found

    def _in_pieces(self, do: Callable[[slice], None], count: int) -> None:
        pieces = [slice(start, start + AT_ONCE) for start in range(0, count, AT_ONCE)]
        if self._threads is None or len(pieces) < 4:
            for piece in pieces:
                do(piece)
            return
        for _ in self._threads.map(do, pieces):
            pass


def _summed(channels: Floats, start: int, end: int) -> Floats:
    total = channels[..., start] + channels[..., start + 1]
    for channel in range(start + 2, end):
        total += channels[..., channel]
    return np.asarray(total, np.float32)


def falling(x: Floats) -> Floats:
    """About exp(-x / 2), for x from 0 to infinity. exp itself is rounded otherwise on other processors."""
    y = np.float32(1) / (np.float32(1) + x * np.float32(1 / 32))
    for _ in range(4):
        y *= y
    return np.asarray(y, np.float32)


def touching(hole: Bools) -> Bools:
    """Places whose patch has a pixel of the hole."""
    side = 2 * REACH + 1
    return cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _trust(hole: Bools) -> Floats:
    by_depth = np.float32(1) / np.cumprod(np.full(16, FADE, np.float32))
    at = np.minimum(depth(hole).astype(np.intp), by_depth.size) - 1
    return np.where(hole, np.maximum(by_depth[np.maximum(at, 0)], np.float32(LEAST_TRUST)), np.float32(1))
