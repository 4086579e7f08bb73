"""The seam: what was copied is shifted in tone so that it meets the border, and its pieces each other, without a step.

Perez, Gangnet and Blake, Poisson Image Editing (SIGGRAPH 2003): differences between neighbours are kept as they were
where they were copied from, and the border as it is. Softened: where the border and what was copied differ so much that
it must be an edge, the edge stays, rather than that its colour bleeds into the hole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg
from numpy.typing import NDArray

from core.engine.fill.picture import Bools, Bytes, Floats

Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]

EDGE = 28.0
"""Of 255: a step of so much at the border is rather an edge than a difference in tone. Nothing is shifted further."""

STAY = 2e-4
"""How strongly everything is held at what was copied, so that a shift fades with the distance from the border."""

SOLVED_AT_ONCE = 60_000
"""Pixels. More are solved at half the size first: time and memory of a factorization grow faster than its size."""

RELAXATIONS = 24
"""Jacobi iterations after each doubling; what is still wrong then is less than a pixel's worth of a slope."""


def meet(rgb: Bytes, hole: Bools, filled: Floats, away: NDArray[np.intp]) -> Floats:
    """(n, 3): the n pixels of the hole, row by row, shifted in tone.

    rgb: (H, W, 3) with the known pixels. filled: (n, 3). away: (n, 2), rows and columns to where each was copied from.
    """
    picture = rgb.astype(np.float32)
    picture[hole] = filled
    at = np.argwhere(hole)
    offsets = np.zeros((*hole.shape, 2), np.intp)
    offsets[hole] = away
    diagonal, right = np.full(len(at), STAY), np.zeros((len(at), 3))
    links = []
    for here, q, within in _neighbours(hole, at):
        p = at[here]
        wanted, is_known = _copied_difference(rgb, hole, offsets, p, q)
        is_now = picture[q[:, 0], q[:, 1]] - picture[p[:, 0], p[:, 1]]
        apart = np.where(is_known[:, None], wanted - is_now, 0).astype(np.float64)
        # A border that is not known where this was copied from says nothing of tone.
        is_tone = np.where(is_known, np.exp(-((np.abs(apart).max(axis=1) / EDGE) ** 2)), 0)
        weight = np.where(within, 1.0, is_tone)
        diagonal[here] += weight
        right[here] -= apart * weight[:, None]
        links.append((here[within], q[within]))
    matrix = _laplacian(hole, links, diagonal)
    shift = _solved(matrix, right, at)
    return np.asarray(filled + np.clip(shift, -EDGE, EDGE), np.float32)


def _copied_difference(rgb: Bytes, hole: Bools, offsets: Indices, p: Indices, q: Indices) -> tuple[Floats, Bools]:
    """(n, 3): value at q minus value at p, where p was copied from and where q was, on average; and whether known."""
    total, count = np.zeros((len(p), 3), np.float32), np.zeros(len(p), np.float32)
    for one in (p, q):
        away = offsets[one[:, 0], one[:, 1]]
        first, second = p + away, q + away
        counts = hole[one[:, 0], one[:, 1]] & _is_known(hole, first) & _is_known(hole, second)
        first, second = first[counts], second[counts]
        total[counts] += rgb[second[:, 0], second[:, 1]].astype(np.float32) - rgb[first[:, 0], first[:, 1]]
        count += counts
    return np.asarray(total / np.maximum(count, 1)[:, None], np.float32), np.asarray(count > 0)


def _is_known(hole: Bools, at: Indices) -> Bools:
    inside = np.asarray((at >= 0).all(axis=1) & (at < hole.shape).all(axis=1))
    clipped = np.where(inside[:, None], at, 0)
    return np.asarray(inside & ~hole[clipped[:, 0], clipped[:, 1]])


def _solved(matrix: sparse.csr_array, right: Doubles, at: Indices) -> Doubles:
    """matrix @ result = right. at: (n, 2), rows and columns of the unknowns."""
    if len(at) <= SOLVED_AT_ONCE:
        factors = linalg.splu(
            matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
        return np.stack([factors.solve(np.ascontiguousarray(column)) for column in right.T], axis=1)
    half = at // 2
    blocks = np.zeros(half.max(axis=0) + 1, bool)
    blocks[half[:, 0], half[:, 1]] = True
    halved = np.argwhere(blocks)
    nth = (np.cumsum(blocks) - 1).reshape(blocks.shape)[half[:, 0], half[:, 1]]
    gather = sparse.csr_array((np.ones(len(at)), (np.arange(len(at)), nth)), shape=(len(at), len(halved)))
    small = sparse.csr_array(gather.T @ matrix @ gather)
    result: Doubles = np.asarray(gather @ _solved(small, np.asarray(gather.T @ right), halved))
    damped = 0.8 / matrix.diagonal()[:, None]
    for _ in range(RELAXATIONS):
        result = result + damped * (right - np.asarray(matrix @ result))
    return result


def membrane(values: Floats, hole: Bools) -> Floats:
    """(n, K): harmonic values for the n pixels of the hole, between those around it. values: (H, W, K).

    In sixteenths: the search begins with them, and the last bits of a factorization are not the same everywhere.
    """
    at = np.argwhere(hole)
    diagonal, right = np.full(len(at), 1e-9), np.zeros((len(at), values.shape[2]))
    links = []
    for here, q, within in _neighbours(hole, at):
        diagonal[here] += 1
        right[here[~within]] += values[q[~within, 0], q[~within, 1]]
        links.append((here[within], q[within]))
    solved = _solved(_laplacian(hole, links, diagonal), right, at)
    return np.asarray(np.rint(solved * 16) / 16, np.float32)


def _neighbours(hole: Bools, at: Indices) -> Iterator[tuple[Indices, Indices, Bools]]:
    """For each of four directions: which of the pixels have a neighbour there, where it is, and whether it is of the
    hole too. at: (n, 2), the pixels of the hole, row by row."""
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        beside = at + step
        here = np.flatnonzero((beside >= 0).all(axis=1) & (beside < hole.shape).all(axis=1))
        beside = beside[here]
        yield here, beside, hole[beside[:, 0], beside[:, 1]]


def _laplacian(hole: Bools, links: Sequence[tuple[Indices, Indices]], diagonal: Doubles) -> sparse.csr_array:
    """diagonal, and -1 for each link: from pixels of the hole by number, row by row, to others by place."""
    count = len(diagonal)
    number = np.full(hole.shape, -1, np.int32)
    number[hole] = np.arange(count)
    everyone = np.arange(count, dtype=np.int32)
    rows = np.concatenate([*(here.astype(np.int32) for here, _ in links), everyone])
    columns = np.concatenate([*(number[q[:, 0], q[:, 1]] for _, q in links), everyone])
    values = np.concatenate([np.full(len(rows) - count, -1.0), diagonal])
    return sparse.csr_array((values, (rows, columns)), shape=(count, count))
