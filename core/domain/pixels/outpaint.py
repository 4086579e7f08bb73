"""Outpainting: more canvas around a picture, and the mask that has it painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from PIL import Image

from core.domain.errors import ImageTooLarge, InvalidInput
from core.domain.geometry import Bounds, Size
from core.domain.pixels.fill import pull_push_fill
from core.domain.pixels.mask import Mask

MAX_PX = 4096
"""More on one side is a matter of doing it again: a model continues what it sees, and sees only the border."""

OVERLAP_PX = 32
"""How far the mask reaches into the picture, unless said otherwise: the model needs room to continue its lines."""

FILLED_AT_PX = 512
"""The new part is filled with flowing colours, which need no more than this on the longer side."""

MOST_TIMES = 32
"""Extended so often before anything is painted; each time the picture is made anew when its chain is replayed."""


@dataclass(frozen=True, slots=True)
class CanvasExtension:
    """How many pixels are added on each side. Raises InvalidInput if none, fewer than none, or more than MAX_PX."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        sides = [getattr(self, side.name) for side in fields(self)]
        if not any(sides):
            raise InvalidInput("Nothing is added on any side. Say how many pixels, or which shape.")
        if min(sides) < 0 or max(sides) > MAX_PX:
            raise InvalidInput(
                f"On each side 0 to {MAX_PX} pixels can be added at once, not {min(sides)}, {max(sides)}."
            )

    @classmethod
    def to_ratio(cls, size: Size, width: float, height: float) -> CanvasExtension:
        """As little as gives the shape width : height, evenly on both sides. Raises InvalidInput."""
        if not (width > 0 and height > 0):
            raise InvalidInput("A shape is two positive numbers, such as 16:9.")
        missing_width = round(size.height * width / height) - size.width
        missing_height = round(size.width * height / width) - size.height
        if max(missing_width, missing_height) <= 0:
            raise InvalidInput("The picture has this shape already. Choose another one, or say how many pixels.")
        if missing_width > 0:
            return cls(left=missing_width // 2, right=missing_width - missing_width // 2)
        return cls(top=missing_height // 2, bottom=missing_height - missing_height // 2)

    def of(self, size: Size) -> Size:
        """The size of a picture of this size, extended."""
        return Size(size.width + self.left + self.right, size.height + self.top + self.bottom)

    def place(self, size: Size) -> Bounds:
        """Where the picture of this size lies in the extended one."""
        return Bounds(self.left, self.top, self.left + size.width, self.top + size.height)


@dataclass(frozen=True, slots=True)
class ExtensionHistory:
    """How a picture came about: another one, by its key, and what was added around it, time after time."""

    source: str
    by: tuple[CanvasExtension, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.by) <= MOST_TIMES:
            raise InvalidInput(f"A picture can be extended {MOST_TIMES} times. Paint on it, then extend the result.")

    def once_more(self, extension: CanvasExtension) -> ExtensionHistory:
        return ExtensionHistory(self.source, (*self.by, extension))

    def of(self, size: Size) -> Size:
        """The size of a picture of this size, extended like this one."""
        for extension in self.by:
            size = extension.of(size)
        return size

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"source": self.source, "by": [asdict(extension) for extension in self.by]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ExtensionHistory:
        """Raises InvalidInput, ValueError, TypeError or KeyError for what to_dict did not write."""
        by = tuple(CanvasExtension(**sides) for sides in values["by"])
        if not isinstance(values["source"], str) or any(
            type(px) is not int for one in by for px in asdict(one).values()
        ):
            raise ValueError("a key and whole pixels are expected")
        return cls(values["source"], by)


def extend_canvas(picture: Image.Image, extension: CanvasExtension, *, max_pixels: int | None = None) -> Image.Image:
    """The picture with more canvas, in colours that flow on from its border; its own pixels stay bit-identical.

    picture: RGB, RGBA or I;16, and the result has its mode. The new part is opaque.

    Raises ImageTooLarge if the result would have more than max_pixels.
    """
    size = Size(*picture.size)
    if max_pixels is not None and extension.of(size).pixels > max_pixels:
        raise ImageTooLarge(
            f"The picture would have {extension.of(size)} pixels; the limit is {max_pixels / 1e6:.0f} megapixels. "
            "Add less."
        )
    result = _flowing(picture, extension).resize(extension.of(size).sides, Image.Resampling.BICUBIC)
    if picture.mode == "RGBA":
        result.putalpha(255)
    result.paste(picture, extension.place(size).box)
    result.info = {k: v for k, v in picture.info.items() if k == "icc_profile"}
    return result


def extend_control(control: Image.Image, extension: CanvasExtension, size: Size) -> Image.Image:
    """What a ControlNet reads beside a picture of this size, for the picture extended: black, which tells it nothing,
    where nothing is known. control: RGB or L, of the picture's shape.
    """
    result = Image.new(control.mode, extension.of(size).sides)
    result.paste(control.resize(size.sides, Image.Resampling.LANCZOS), extension.place(size).box)
    return result


def mask_of_extension(size: Size, extension: CanvasExtension, overlap_px: int = OVERLAP_PX) -> Mask:
    """For the extended picture: the new part, and overlap_px of the picture (of this size) on each extended side."""
    pixels = np.full((extension.of(size).height, extension.of(size).width), 255, np.uint8)
    kept = extension.place(size)
    # At least a pixel is kept, however small the picture is.
    across, down = min(overlap_px, (size.width - 1) // 2), min(overlap_px, (size.height - 1) // 2)
    left, right = kept.left + across * bool(extension.left), kept.right - across * bool(extension.right)
    top, bottom = kept.top + down * bool(extension.top), kept.bottom - down * bool(extension.bottom)
    pixels[top:bottom, left:right] = 0
    return Mask(pixels)


def _flowing(picture: Image.Image, extension: CanvasExtension) -> Image.Image:
    """The extended picture, small, with the new part filled from the border."""
    full, size = extension.of(Size(*picture.size)), Size(*picture.size)
    scale = min(1.0, FILLED_AT_PX / max(full))
    small = Size(*(max(1, round(side * scale)) for side in full))
    part = Size(*(max(1, min(inner, round(side * scale))) for inner, side in zip(small, size, strict=True)))
    left = min(round(extension.left * scale), small.width - part.width)
    top = min(round(extension.top * scale), small.height - part.height)
    colours, weights = _colours(picture.resize(part.sides, Image.Resampling.BOX))
    values = np.zeros((small.height, small.width, colours.shape[2]), np.float32)
    known = np.zeros((small.height, small.width), np.float32)
    values[top : top + part.height, left : left + part.width] = colours
    known[top : top + part.height, left : left + part.width] = weights
    filled = np.rint(pull_push_fill(values, known))
    if picture.mode == "I;16":
        return Image.fromarray(np.clip(filled[..., 0], 0, 65535).astype(np.uint16))
    return Image.fromarray(np.clip(filled, 0, 255).astype(np.uint8))


def _colours(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) or (H, W, 1), and how much each pixel counts: a transparent one has no colour."""
    if picture.mode == "I;16":
        return np.asarray(picture, np.float32)[..., None], np.ones(picture.size[::-1], np.float32)
    values = np.asarray(picture.convert("RGBA"), np.float32)
    return values[..., :3], values[..., 3] / 255
