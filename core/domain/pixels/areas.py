"""Parts of a mask that lie far apart: each can be painted in a crop of its own, where it gets the model's detail.

One crop of two small ones in a large picture leaves each a few pixels (docs/decisions/0016-masks-and-colour.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.domain.crops import crop_for, whole_crop
from core.domain.geometry import Bounds, Crop, Size
from core.domain.params import AREAS, MASKED, SEPARATE, WHOLE, InpaintParams
from core.domain.pixels.mask import Mask, areas_of, touched_cells

FINEST = 64
"""Cells along the mask's longer side. What lies closer together than one of them is one part."""

MOST = 8
"""Parts. Of more, those that lie closest are painted together."""

FEW_SHARE = 1 / 6
"""Of the working size: a part of the mask that gets less of it has no room for detail. In its own crop with the usual
context only a mask of a dozen pixels gets so little."""

WORTH = 1.5
"""So many times more pixels are worth a pass of their own."""

SOFT = 4.0
"""So many pixels of the picture for one of the model, along a side, are seen as blur beside the picture's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """cells: (rows, columns) of equal cells over the mask, the number of the part in each, from 1; 0 is none.

    bounds: of each part, in order, in pixels of the mask; parts are numbered from top to bottom.
    """

    cells: NDArray[np.int32]
    bounds: tuple[Bounds, ...]

    @classmethod
    def of(cls, mask: Mask, shown: Callable[[Bounds], Bounds]) -> Parts:
        """shown: the crop around such bounds. What the crop of one part shows whole anyway belongs to that part."""
        cells = _apart(mask.pixels > 0, mask.size)
        bounds = [_bounds(mask, cells, nth) for nth in range(1, int(cells.max()) + 1)]
        nth = 0
        while nth < len(bounds):
            crop = shown(bounds[nth])
            other = next((n for n, box in enumerate(bounds) if n != nth and crop.contains(box)), None)
            if other is None:
                nth += 1
                continue
            first, second = sorted((nth, other))
            cells[cells == second + 1] = first + 1
            cells[cells > second + 1] -= 1
            bounds[first] = bounds[first].union(bounds.pop(second))
            nth = 0
        return cls(cells, tuple(bounds))

    def __len__(self) -> int:
        return len(self.bounds)

    def within(self, mask: Mask, nth: int) -> Mask:
        """What of the mask, of the size that these were found in, belongs to a part, counted from 0."""
        where = self.bounds[nth].slices
        pixels = np.zeros_like(mask.pixels)
        pixels[where] = np.where(_members(self.cells, mask.size, where) == nth + 1, mask.pixels[where], 0)
        return Mask(pixels)


@dataclass(frozen=True, slots=True)
class Share:
    """How many pixels of the model a part of the mask gets: now: as the parameters are; alone: in its own crop.

    enlarged: pixels of the picture for one of the model, along a side, as the parameters are.
    """

    now: Size
    alone: Size
    enlarged: float = 1.0

    def is_few(self, params: InpaintParams) -> bool:
        # At the picture's own resolution it has all the pixels that there are.
        return not params.is_at_own_resolution and max(self.now) < params.size * FEW_SHARE

    @property
    def gains(self) -> bool:
        return max(self.alone) >= WORTH * max(self.now)


def shares(mask: Mask, picture: Size, params: InpaintParams) -> tuple[Share, ...]:
    """Of each part. mask: of the picture's shape, at any size."""
    mask = mask.visible
    painted = mask.bounds
    if painted is None:
        return ()

    def large(bounds: Bounds) -> Bounds:
        return bounds.scaled(mask.size, picture).grown(params.mask_grow_px, within=picture)

    def crop(bounds: Bounds) -> Crop:
        return crop_for(bounds, picture, params)

    parts = Parts.of(mask, lambda bounds: crop(large(bounds)).bounds.scaled(picture, mask.size))
    together = crop(large(painted))
    if params.area == WHOLE:
        together = whole_crop(picture, params)
    found = []
    for box in map(large, parts.bounds):
        now = crop(box) if params.area == SEPARATE else together
        enlarged = now.bounds.size.width / now.working.width
        found.append(Share(_in_model(box, now), _in_model(box, crop(box)), enlarged))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Advice:
    """words: what the artist is told. area: what to choose instead, None if nothing would help."""

    words: str
    area: str | None


def advice(found: tuple[Share, ...], params: InpaintParams) -> Advice | None:
    """For a mask of which a part gets too few pixels for any detail, or comes out blurred; None if each gets enough."""
    few = [share for share in found if share.is_few(params)]
    if not few:
        return _softness(found)
    least = min(few, key=lambda share: max(share.now))
    which = f"The mask has {len(found)} parts far apart: the smallest" if len(found) > 1 else "The masked area"
    words = f"{which} gets {least.now} pixels in the model's input, too few for detail."
    if not least.gains:
        return Advice(f"{words} Less context or a higher processing resolution gives it more.", None)
    instead = SEPARATE if len(found) > 1 else MASKED
    return Advice(f"{words} With “{AREAS[instead]}” it gets {least.alone}.", instead)


def _softness(found: tuple[Share, ...]) -> Advice | None:
    times = max((share.enlarged for share in found), default=1.0)
    if times < SOFT:
        return None
    return Advice(
        f"What the model paints here is enlarged {times:.0f} times, so it will be softer than the picture around it. "
        "A smaller mask or a higher processing resolution makes it sharper.",
        None,
    )


def _in_model(bounds: Bounds, crop: Crop) -> Size:
    scale = crop.working.width / crop.bounds.size.width, crop.working.height / crop.bounds.size.height
    return Size(*(max(1, round(side * by)) for side, by in zip(bounds.size, scale, strict=True)))


def _apart(on: NDArray[np.bool_], size: Size) -> NDArray[np.int32]:
    """Cells with their part's number, of as fine a grid as leaves at most MOST parts."""
    along = FINEST
    while True:
        rows, columns = (max(1, min(side, round(along * side / max(size)))) for side in (size.height, size.width))
        cells, count = areas_of(touched_cells(on, rows, columns), diagonals=True)
        if count <= MOST:
            return cells
        along //= 2


def _bounds(mask: Mask, cells: NDArray[np.int32], number: int) -> Bounds:
    rows, columns = (
        slice(-(-int(at.min()) * side // count), -(-(int(at.max()) + 1) * side // count))
        for at, side, count in zip(np.nonzero(cells == number), mask.pixels.shape, cells.shape, strict=True)
    )
    within = rows, columns
    belongs = (_members(cells, mask.size, within) == number) & (mask.pixels[within] > 0)
    inner = Mask(belongs.view(np.uint8)).bounds
    if inner is None:
        raise ValueError(f"there is no part {number}")
    top, left = rows.start, columns.start
    return Bounds(inner.left + left, inner.top + top, inner.right + left, inner.bottom + top)


def _members(cells: NDArray[np.int32], size: Size, where: tuple[slice, slice]) -> NDArray[np.int32]:
    """For each pixel of a part of the mask the number in its cell."""
    rows = np.arange(size.height)[where[0]] * cells.shape[0] // size.height
    columns = np.arange(size.width)[where[1]] * cells.shape[1] // size.width
    members: NDArray[np.int32] = cells[rows[:, None], columns]
    return members
