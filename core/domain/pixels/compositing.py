"""Before and after the model: what it gets to see, and how its pixels are laid back into the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.errors import SizeMismatch
from core.domain.geometry import Bounds, Size
from core.domain.pixels.colour import ColourSpace, space_of
from core.domain.pixels.mask import Mask

Levels = NDArray[np.integer[Any]]
"""Values of pixels, of 8 or 16 bits."""


def for_model(picture: Image.Image, bounds: Bounds, working: Size, space: ColourSpace | None = None) -> Image.Image:
    """The part of the picture inside bounds, as RGB at the working size. Transparent parts are laid on white.

    space: of the picture's colours, which then become sRGB; None leaves their numbers as they are.
    """
    part = picture if bounds == Bounds(0, 0, *picture.size) else picture.crop(bounds.box)
    if part.mode == "I;16":
        part = Image.fromarray((np.asarray(part) >> 8).astype(np.uint8))
    if part.mode == "RGBA":
        part = Image.alpha_composite(Image.new("RGBA", part.size, "white"), part)
    if space is None:
        return _in_mode(part, "RGB").resize(working.sides, Image.Resampling.LANCZOS)
    return space.to_srgb(_in_mode(part, space.mode).resize(working.sides, Image.Resampling.LANCZOS))


def control_for_model(control: Image.Image, bounds: Bounds, size: Size, working: Size) -> Image.Image:
    """The same part of a control picture as for_model shows of the picture, whose size this is: in register with it.

    control: of the picture's proportions, at any size.
    """
    across, down = control.width / size.width, control.height / size.height
    box = (bounds.left * across, bounds.top * down, bounds.right * across, bounds.bottom * down)
    whole = for_model(control, Bounds(0, 0, *control.size), Size(*control.size))
    return whole.resize(working.sides, Image.Resampling.LANCZOS, box=box)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Without a copy where it is in this mode: of a large picture that is as much memory again."""
    return image if image.mode == mode else image.convert(mode)


def for_screen(picture: Image.Image, size: Size) -> Image.Image:
    """The whole picture as sRGB at this size, whatever it is: browsers and files of ours then need no profile."""
    return for_model(picture, Bounds(0, 0, *picture.size), size, space_of(picture))


def composite(
    original: Image.Image, repainted: Image.Image, bounds: Bounds, mask: Mask, space: ColourSpace | None = None
) -> Image.Image:
    """Lay the repainted pixels over the original where the mask is on.

    original: the whole picture; RGB, RGBA or I;16, and the result has its mode and size. repainted: RGB of any
    size, for the part inside bounds. mask: of the original's size; its values are the weights. space: of the original's
    colours, into which the repainted pixels go from sRGB; None takes their numbers as they are.

    Pixels where the mask is 0 come back bit-identical in every channel. In a picture with transparency, repainted
    pixels become opaque by the same weight. A 16-bit picture takes the brightness of the repainted pixels.

    Raises SizeMismatch if the mask is not of the original's size, or reaches outside the bounds.
    """
    if mask.size != Size(*original.size):
        raise SizeMismatch(f"The mask is {mask.size}, the picture {Size(*original.size)}. Use a mask of its size.")
    touched = mask.bounds
    if touched is None:
        return original.copy()
    if not bounds.contains(touched):
        raise SizeMismatch("The mask reaches outside the part that was repainted.")
    if Size(*repainted.size) != bounds.size:
        repainted = repainted.resize(bounds.size.sides, Image.Resampling.LANCZOS)
    inside = repainted.crop(
        (touched.left - bounds.left, touched.top - bounds.top, touched.right - bounds.left, touched.bottom - bounds.top)
    )
    if space is not None:
        inside = space.from_srgb(inside)
    result = original.copy()
    blended = _blend(np.asarray(original.crop(touched.box)), inside, mask.pixels[touched.slices], original.mode)
    # Pillow 13 takes 16-bit arrays as I;16 by themselves; the other modes follow from the channels.
    result.paste(Image.fromarray(blended), touched.box)
    return result


def _blend(original: Levels, repainted: Image.Image, weights: NDArray[np.uint8], mode: str) -> Levels:
    if mode == "I;16":
        return _mix(original, np.asarray(repainted.convert("L")).astype(np.uint32) * 257, weights)
    weights = weights[..., None]
    colours = np.asarray(repainted.convert("RGB"))
    if mode == "RGB":
        return _mix(original, colours, weights)
    opaque = np.full((*colours.shape[:2], 1), 255, np.uint8)
    return _mix(original, np.concatenate([colours, opaque], axis=2), weights)


def _mix(below: Levels, above: Levels, weights: NDArray[np.uint8]) -> Levels:
    """Whole-number blend, rounded: weight 0 gives the lower value exactly, 255 the upper one."""
    mixed = (
        below.astype(np.uint32) * (255 - weights.astype(np.uint32)) + above.astype(np.uint32) * weights + 127
    ) // 255
    return mixed.astype(below.dtype)


def unchanged_outside(original: Image.Image, result: Image.Image, mask: Mask) -> bool:
    """Whether every pixel where the mask is 0 is the same in both pictures: computed, not assumed."""
    if original.mode != result.mode or original.size != result.size:
        return False
    differs = np.asarray(original) != np.asarray(result)
    if differs.ndim == 3:
        differs = differs.any(axis=2)
    return not bool((differs & (mask.pixels == 0)).any())
