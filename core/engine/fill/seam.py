"""The seam: what was copied is shifted in tone so that it meets the border, and its pieces each other, without a step.

Perez, Gangnet and Blake, Poisson Image Editing (SIGGRAPH 2003): differences between neighbours are kept as they were
where they were copied from, and the border as it is. Softened: where the border and what was copied differ so much that
it must be an edge, the edge stays, rather than that its colour bleeds into the hole.
"""

from __future__ import annotations

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
    number = np.full(hole.shape, -1, np.int32)
    number[hole] = np.arange(len(at))
    offsets = np.zeros((*hole.shape, 2), np.intp)
    offsets[hole] = away
    diagonal, right = np.full(len(at), STAY), np.zeros((len(at), 3))
    rows: list[NDArray[np.int32]] = []
    columns: list[NDArray[np.int32]] = []
    values: list[Doubles] = []
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        beside = at + step
        here = np.flatnonzero((beside >= 0).all(axis=1) & (beside < hole.shape).all(axis=1))
        p, q = at[here], beside[here]
        within = hole[q[:, 0], q[:, 1]]
        wanted, is_known = _copied_difference(rgb, hole, offsets, p, q)
        is_now = picture[q[:, 0], q[:, 1]] - picture[p[:, 0], p[:, 1]]
        apart = np.where(is_known[:, None], wanted - is_now, 0).astype(np.float64)
        # A border that is not known where this was copied from says nothing of tone.
        is_tone = np.where(is_known, np.exp(-((np.abs(apart).max(axis=1) / EDGE) ** 2)), 0)
        weight = np.where(within, 1.0, is_tone)
        diagonal[here] += weight
        right[here] -= apart * weight[:, None]
        rows.append(here[within].astype(np.int32))
        columns.append(number[q[within, 0], q[within, 1]])
        values.append(-weight[within])
    everyone = np.arange(len(at), dtype=np.int32)
    entries = (np.concatenate([*rows, everyone]), np.concatenate([*columns, everyone]))
    matrix = sparse.csr_array((np.concatenate([*values, diagonal]), entries), shape=(len(at), len(at)))
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
    number = np.full(hole.shape, -1, np.intp)
    number[hole] = np.arange(len(at))
    diagonal, right = np.full(len(at), 1e-9), np.zeros((len(at), values.shape[2]))
    entries = []
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        beside = at + step
        here = np.flatnonzero((beside >= 0).all(axis=1) & (beside < hole.shape).all(axis=1))
        q = beside[here]
        within = hole[q[:, 0], q[:, 1]]
        diagonal[here] += 1
        right[here[~within]] += values[q[~within, 0], q[~within, 1]]
        entries.append((here[within], number[q[within, 0], q[within, 1]]))
    rows, columns = (np.concatenate([pair[nth] for pair in entries]) for nth in range(2))
    everyone = np.arange(len(at))
    matrix = sparse.csr_array(
        (
            np.concatenate([-np.ones(len(rows)), diagonal]),
            (np.concatenate([rows, everyone]), np.concatenate([columns, everyone])),
        ),
        shape=(len(at), len(at)),
    )
    return np.asarray(np.rint(_solved(matrix, right, at) * 16) / 16, np.float32)
