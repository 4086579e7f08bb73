"""The mask: which pixels may change. White (255) is repainted and black (0) is kept, as in diffusers.

Grey values say how much of the repainted pixel is laid over the original when the result is composited.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.errors import InvalidMask, SizeMismatch
from core.domain.geometry import Bounds, Size
from core.domain.hashing import pixels_sha256

ON = 128
"""From this value on a pixel counts as repainted where a yes or no is needed, as diffusers binarises at 0.5."""

FAINT = 8
"""Values below it are black, in a hard mask and in a soft one: scanners, screenshots and JPEG leave such greys where
nobody sees anything painted."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """(H, W) uint8, 255 = repaint, 0 = keep. Immutable; two masks are equal when their pixels are."""

    pixels: Pixels

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or self.pixels.size == 0:
            raise InvalidMask(f"a mask is one channel of 8 bits, not {self.pixels.dtype} {self.pixels.shape}")
        frozen = self.pixels.copy() if self.pixels.flags.writeable else self.pixels
        frozen.flags.writeable = False
        object.__setattr__(self, "pixels", frozen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash((self.pixels.shape, self.pixels.tobytes()))

    # Made from ...

    @classmethod
    def empty(cls, size: Size) -> Mask:
        return cls(np.zeros((size.height, size.width), np.uint8))

    @classmethod
    def from_image(cls, image: Image.Image) -> Mask:
        """A stored mask, as it counts: brightness, with what is nearly black as black."""
        return cls.stored(image).visible

    @classmethod
    def stored(cls, image: Image.Image) -> Mask:
        """A stored mask to the bit, also its values below FAINT. What files of strangers mean: given_mask.py."""
        if has_transparency(image):
            rgba = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
        elif image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
        return cls(np.asarray(image.convert("L")))

    @classmethod
    def from_transparency(cls, image: Image.Image) -> Mask:
        """What is more transparent than opaque is repainted; empty for a picture without transparency."""
        if not has_transparency(image):
            return cls.empty(Size(*image.size))
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        return cls(np.where(alpha < ON, 255, 0).astype(np.uint8))

    def to_image(self) -> Image.Image:
        return Image.fromarray(self.pixels)

    # Facts about it

    @property
    def size(self) -> Size:
        height, width = self.pixels.shape
        return Size(width, height)

    @property
    def is_empty(self) -> bool:
        return not self.pixels.any()

    @property
    def bounds(self) -> Bounds | None:
        """The smallest box around every pixel that is not 0, or None when there is none."""
        rows = np.flatnonzero(self.pixels.any(axis=1))
        if rows.size == 0:
            return None
        columns = np.flatnonzero(self.pixels.any(axis=0))
        return Bounds(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    @property
    def coverage(self) -> float:
        """The share of pixels that are not 0, from 0 to 1."""
        return float(np.count_nonzero(self.pixels) / self.pixels.size)

    @property
    def is_hard(self) -> bool:
        """Whether it is black and white only."""
        return bool(((self.pixels == 0) | (self.pixels == 255)).all())

    @property
    def sha256(self) -> str:
        return pixels_sha256(self.to_image())

    # Other masks made from it

    @property
    def visible(self) -> Mask:
        """With every value below FAINT as 0."""
        faint = (self.pixels > 0) & (self.pixels < FAINT)
        return Mask(np.where(faint, np.uint8(0), self.pixels)) if faint.any() else self

    @property
    def inverted(self) -> Mask:
        return Mask(255 - self.pixels)

    @property
    def hard(self) -> Mask:
        """In black and white: what is repainted by half or more, is repainted."""
        return Mask(np.where(self.pixels >= ON, 255, 0).astype(np.uint8))

    def union(self, other: Mask) -> Mask:
        self._check_same_size(other)
        return Mask(np.maximum(self.pixels, other.pixels))

    def without(self, other: Mask) -> Mask:
        """This mask with the other one erased from it."""
        self._check_same_size(other)
        return Mask(np.minimum(self.pixels, 255 - other.pixels))

    def resized(self, size: Size) -> Mask:
        """At another size; a mask of pure black and white stays one."""
        if size == self.size:
            return self
        resized = Mask(np.asarray(self.to_image().resize(size.sides, Image.Resampling.BILINEAR)))
        return resized.hard if self.is_hard else resized

    def grown(self, px: int) -> Mask:
        """Widened by px in every direction (a disc); what was on keeps its value."""
        bounds = self.hard.bounds if px else None
        if bounds is None:
            return self
        where = bounds.grown(px, within=self.size).slices
        near = _squared_distance(self.pixels[where] >= ON, px) <= px * px
        pixels = self.pixels.copy()
        pixels[where] = np.where(near, np.uint8(255), pixels[where])
        return Mask(pixels)

    def grown_bounds(self, px: int) -> Bounds | None:
        """The bounds of grown(px), which is not made for it."""
        bounds, hard = self.bounds, self.hard.bounds if px else None
        return bounds if bounds is None or hard is None else bounds.union(hard.grown(px, within=self.size))

    def shrunk(self, px: int) -> Mask:
        """Narrowed by px on every side (a disc); the rest keeps its value. The picture's border is no edge."""
        bounds = self.bounds if px else None
        if bounds is None:
            return self
        where = bounds.grown(1, within=self.size).slices
        near_the_edge = _squared_distance(self.pixels[where] < ON, px) <= px * px
        pixels = self.pixels.copy()
        pixels[where] = np.where(near_the_edge, np.uint8(0), pixels[where])
        return Mask(pixels)

    @property
    def holes_filled(self) -> Mask:
        """With every hole repainted: what is kept, but cut off from the picture's border by the mask."""
        bounds = self.bounds
        if bounds is None:
            return self
        kept, areas = areas_of(self.pixels[bounds.slices] < ON)
        is_hole = np.ones(areas + 1, bool)
        # 0 is what is on. Beyond the box around the mask everything is kept, so what reaches its sides is no hole.
        is_hole[np.concatenate([[0], kept[0], kept[-1], kept[:, 0], kept[:, -1]])] = False
        pixels = self.pixels.copy()
        pixels[bounds.slices][is_hole[kept]] = 255
        return Mask(pixels)

    def without_specks(self, pixels: int) -> Mask:
        """Without the areas, apart from all others, of fewer pixels than this: what a slip of the hand leaves."""
        bounds = self.bounds
        if bounds is None:
            return self
        areas, count = areas_of(self.pixels[bounds.slices] > 0, diagonals=True)
        is_speck = np.bincount(areas.ravel(), minlength=count + 1) < pixels
        is_speck[0] = False
        cleaned = self.pixels.copy()
        cleaned[bounds.slices][is_speck[areas]] = 0
        return Mask(cleaned)

    def feathered(self, px: int) -> Mask:
        """With an edge that fades over px, inside the mask: what was 0 stays 0. The picture's border is no edge."""
        bounds = self.bounds
        if px == 0 or bounds is None:
            return self
        where = bounds.grown(1, within=self.size).slices
        distance = np.sqrt(_squared_distance(self.pixels[where] == 0, px + 1))
        fade = np.minimum(1.0, distance / (px + 1))
        pixels = self.pixels.copy()
        # At least 1, so that the feathered mask covers exactly what the mask did.
        faded = np.maximum(1, np.rint(pixels[where] * fade)).astype(np.uint8)
        pixels[where] = np.where(pixels[where] > 0, faded, 0)
        return Mask(pixels)

    def for_model(self, bounds: Bounds, working: Size, cell: int) -> Mask:
        """The part inside bounds at the model's working size, black and white, in whole latent cells.

        cell: pixels a side that share one latent. A cell that the mask touches anywhere is repainted whole: the
        pipeline samples one pixel in each cell, so a stroke thinner than a cell would otherwise be lost. Every pixel
        that the composite takes from the repainted picture has therefore been repainted.
        """
        rows, columns = -(-working.height // cell), -(-working.width // cell)
        cells = touched_cells(self.pixels[bounds.slices] > 0, rows, columns)
        blocks = cells.repeat(cell, axis=0).repeat(cell, axis=1)[: working.height, : working.width]
        return Mask(np.where(blocks, 255, 0).astype(np.uint8))

    def _check_same_size(self, other: Mask) -> None:
        if self.size != other.size:
            raise SizeMismatch(f"These masks have different sizes: {self.size} and {other.size}.")


def has_transparency(image: Image.Image) -> bool:
    """Whether the picture has an alpha channel or a transparent colour, whether or not it uses them."""
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def areas_of(on: NDArray[np.bool_], *, diagonals: bool = False) -> tuple[NDArray[np.int32], int]:
    """The areas of pixels that hang together, numbered from 1 on (0: not on), and how many there are.

    diagonals: whether pixels that only touch at a corner hang together. Where a line does, what it encloses does not.
    """
    # Imported here: a quarter of a second that most starts do not need.
    from scipy import ndimage

    areas = np.empty(on.shape, np.int32)
    count = ndimage.label(on, np.ones((3, 3), bool) if diagonals else None, output=areas)
    return areas, count


def touched_cells(on: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """(H, W) -> (rows, columns): which of so many equal cells overlap, however little, with a pixel that is on."""
    return _touched(_touched(on, columns).T, rows).T


def _touched(on: NDArray[np.bool_], columns: int) -> NDArray[np.bool_]:
    """(H, W) -> (H, columns): which of so many equal columns overlap, however little, with a pixel that is on."""
    width = on.shape[1]
    so_far = np.pad(np.cumsum(on, axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    nth = np.arange(columns)
    return so_far[:, -(-(nth + 1) * width // columns)] > so_far[:, nth * width // columns]


def _squared_distance(on: NDArray[np.bool_], limit: int) -> NDArray[np.int32]:
    """For each pixel the squared distance to the nearest pixel that is on; exact up to the limit, larger beyond it.

    Separable: first along rows, then the lower envelope of 2 * limit + 1 shifted parabolas down the columns
    (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012, without their search: a limit
    of some dozens of pixels makes the plain minimum fast enough and easy to trust).
    """
    height, width = on.shape
    far = limit + 1
    x = np.arange(width, dtype=np.int32)
    last = np.maximum.accumulate(np.where(on, x, -far - 1), axis=1)
    following = np.minimum.accumulate(np.where(on, x, width + far + 1)[:, ::-1], axis=1)[:, ::-1]
    along_row = np.minimum(np.minimum(x - last, following - x), far).astype(np.int32) ** 2
    nearest = along_row.copy()
    for dy in range(1, min(limit, height - 1) + 1):
        np.minimum(nearest[dy:], along_row[:-dy] + dy * dy, out=nearest[dy:])
        np.minimum(nearest[:-dy], along_row[dy:] + dy * dy, out=nearest[:-dy])
    return nearest
