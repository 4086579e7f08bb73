"""What files and options say: the picture, the mask, and more canvas."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from core.cli.common import read_file
from core.domain.errors import EmptyMask, InvalidImage, InvalidInput, InvalidMask
from core.domain.files.picture import MAX_FILE_BYTES, Picture
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.given_mask import GivenMask, given_mask, own_transparency
from core.domain.pixels.mask import Mask
from core.domain.pixels.outpaint import CanvasExtension, extend_canvas, mask_of_extension
from core.domain.request import InpaintRequest
from core.services.pictures import read
from core.settings import Settings


def read_picture(path: Path) -> Picture:
    data = read_file(path, MAX_FILE_BYTES)
    try:
        return read(data, Settings().max_pixels)
    except InvalidImage as error:
        raise InvalidImage(f"{path}: {error}") from error


def mask_of(path: Path | None, picture: Image.Image) -> GivenMask | None:
    """What the file says; without one, what is transparent in the picture, if anything is."""
    if path is None:
        return own_transparency(picture)
    try:
        image = read_picture(path).image
    except InvalidImage as error:
        raise InvalidMask(str(error)) from error
    try:
        return given_mask(image, picture)
    except EmptyMask as error:
        raise EmptyMask(f"{path}: {error}") from error
    except InvalidMask as error:
        raise InvalidMask(f"{path}: {error}") from error


def picture_and_mask(
    picture: Picture, given: GivenMask | None, extend: str | None, overlap_px: int
) -> tuple[Image.Image, Mask]:
    """With more canvas if it is wanted; the mask is then on there, beside what it was on before."""
    if extend is None:
        if given is None:
            raise InvalidInput("A mask is needed, or --extend. White is repainted.")
        return picture.image, given.mask
    size = Size(*picture.image.size)
    extension = extension_of(extend, size)
    larger = extend_canvas(picture.image, extension, max_pixels=Settings().max_pixels)
    on = mask_of_extension(size, extension, overlap_px)
    if given is not None:
        painted = Image.new("L", larger.size)
        # Through a request, which checks that the two agree.
        checked = InpaintRequest(picture.image, given.mask, InpaintParams()).mask
        painted.paste(checked.to_image(), extension.place(size).box)
        on = on.union(Mask.from_image(painted))
    return larger, on


def extension_of(text: str, size: Size) -> CanvasExtension:
    try:
        if ":" in text:
            width, height = text.split(":")
            return CanvasExtension.to_ratio(size, float(width), float(height))
        return CanvasExtension(**{side.strip(): int(px) for side, px in (part.split("=") for part in text.split(","))})
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"--extend takes a shape such as 16:9, or pixels such as left=64,right=64,top=0,bottom=128, not {text!r}."
        ) from error
