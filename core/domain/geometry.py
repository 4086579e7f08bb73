"""Sizes, boxes, and the crop around the mask that is sent through the model. All in whole pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MULTIPLE = 8
"""Latent diffusion pipelines of the Stable Diffusion family take sides divisible by this many pixels."""

MIN_CONTEXT_SHARE = 1 / 8
"""Context kept on each side of the mask, as a share of the mask's longer side.

With it the mask fills at most four fifths of the crop, so the model always sees what it must continue,
also when a mask of 1,500 px meets a padding of 32 px.
"""


WIDE_CONTEXT_SHARE = 1.5
"""Context for the first of two passes, likewise: the mask then fills about a quarter of the crop's side.

More would leave too few latents inside the mask: of a small mask in a large photo not one.
"""


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size must be positive, not {self.width} x {self.height}")

    def __iter__(self) -> Iterator[int]:
        return iter(self.sides)

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"

    @property
    def sides(self) -> tuple[int, int]:
        """As Pillow has it."""
        return self.width, self.height

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def fitted(self, box: Size) -> Size:
        """The largest size of the same shape that fits into the box; never larger than this one."""
        scale = min(1.0, box.width / self.width, box.height / self.height)
        return Size(max(1, round(self.width * scale)), max(1, round(self.height * scale)))


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box of pixels: left and top inside, right and bottom just outside, as Pillow counts."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.right <= self.left or self.bottom <= self.top:
            raise ValueError(f"an empty or inverted box: {self.box}")

    @property
    def box(self) -> tuple[int, int, int, int]:
        return (self.left, self.top, self.right, self.bottom)

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an (H, W) array."""
        return (slice(self.top, self.bottom), slice(self.left, self.right))

    def contains(self, other: Bounds) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def union(self, other: Bounds) -> Bounds:
        """The smallest box around both."""
        return Bounds(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def scaled(self, of: Size, to: Size) -> Bounds:
        """The same part of a picture of one size, in another size of it; a pixel that it cuts is in it."""
        return Bounds(
            self.left * to.width // of.width,
            self.top * to.height // of.height,
            -(-self.right * to.width // of.width),
            -(-self.bottom * to.height // of.height),
        )

    def grown(self, px: int, within: Size) -> Bounds:
        return Bounds(
            max(0, self.left - px),
            max(0, self.top - px),
            min(within.width, self.right + px),
            min(within.height, self.bottom + px),
        )


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of the picture that goes through the model, and the size at which it does."""

    bounds: Bounds
    working: Size


def crop_around(mask: Bounds, picture: Size, *, padding_px: int, native_px: int, cell: int = MULTIPLE) -> Crop:
    """The crop that shows the model the mask and its surroundings at the size it was trained on.

    mask: the box around everything that is repainted. padding_px: context wanted on each side of it, in pixels of
    the picture. native_px: the longer side of the working size; a multiple of MULTIPLE. cell: pixels a side that the
    model cannot divide.

    The box is padded, made as square as the picture allows (models know squares best), and then scaled so
    that its longer side is native_px: the model's work does not depend on the picture's size.
    """
    context = max(padding_px, round(max(mask.size) * MIN_CONTEXT_SHARE))
    padded = mask.grown(context, within=picture)
    side = max(padded.size)
    left, right = _widened(padded.left, padded.right, side, picture.width)
    top, bottom = _widened(padded.top, padded.bottom, side, picture.height)
    return crop_of(Bounds(left, top, right, bottom), native_px=native_px, cell=cell)


def wide_crop_around(mask: Bounds, picture: Size, *, padding_px: int, native_px: int, cell: int = MULTIPLE) -> Crop:
    """The crop that shows the model much of the scene, for the first of two passes."""
    wide = round(max(mask.size) * WIDE_CONTEXT_SHARE)
    return crop_around(mask, picture, padding_px=max(padding_px, wide), native_px=native_px, cell=cell)


def crop_of(bounds: Bounds, *, native_px: int, cell: int = MULTIPLE) -> Crop:
    """This part of the picture at a working size whose longer side is native_px, or next to it.

    Both sides are multiples of MULTIPLE and of cell, one of which divides the other.
    """
    if native_px % MULTIPLE:
        raise ValueError(f"the working size must be a multiple of {MULTIPLE}, not {native_px}")
    scale = native_px / max(bounds.size)
    step = max(MULTIPLE, cell)
    return Crop(bounds, Size(*(max(step, round(side * scale / step) * step) for side in bounds.size)))


def frame_around(box: Bounds, picture: Size, shape: Size, *, context: float = 0, least: float = 0) -> Bounds:
    """The part of a picture that is shown in a tile of this shape: centred on the box, as far as the picture goes.

    context: room on each side of the box, as a share of the box. least: how much of the largest such part there must be
    in each direction, from 0 to 1; 1 is all that fits.
    """
    largest = min(picture.width / shape.width, picture.height / shape.height)
    needed = max(box.size.width / shape.width, box.size.height / shape.height) * (1 + 2 * context)
    scale = min(largest, max(needed, least * largest))
    left, right = _widened(box.left, box.right, max(1, round(shape.width * scale)), picture.width)
    top, bottom = _widened(box.top, box.bottom, max(1, round(shape.height * scale)), picture.height)
    return Bounds(left, top, right, bottom)


def _widened(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    """Widen (or narrow) low..high to the length, evenly, shifted back where it would leave 0..limit."""
    length = min(length, limit)
    start = low - (length - (high - low)) // 2
    start = min(max(0, start), limit - length)
    return start, start + length
