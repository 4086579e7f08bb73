"""ControlNets as options say them: which, what they are shown, and when they guide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from core.cli.pictures import extension_of, read_picture
from core.domain.control import control_values
from core.domain.errors import InvalidInput, SizeMismatch
from core.domain.geometry import Size
from core.domain.guide import Guide, Role
from core.domain.pixels.outpaint import extend_control
from core.domain.request import check_guide
from core.services.controlnets import control_picture


def controls_of(texts: Sequence[str], further: Mapping[str, Sequence[Any] | None]) -> list[dict[str, Any]]:
    """Fields of Controls. texts: such as "canny:0.8". further: fields by name, of the first, the second, ...

    Raises InvalidInput for more of these than there are ControlNets.
    """
    found = [in_any_folder(control_values(text)) for text in texts]
    for name, values in further.items():
        _check_count(values or (), len(found), f"--control-{name.removeprefix('control_').replace('_', '-')}")
        for control, value in zip(found, values or (), strict=False):
            control[name] = value
    return found


def in_any_folder(values: dict[str, Any]) -> dict[str, Any]:
    """With a path that leads to the file from wherever the worker runs; of a folder of diffusers to the file in it."""
    path = Path(values["name"]).expanduser()
    if path.is_dir():
        path /= "diffusion_pytorch_model.safetensors"
    return {**values, "name": str(path.absolute())} if path.is_file() else values


def control_pictures(
    paths: Sequence[Path], picture: Image.Image, extend: str | None, most: int
) -> tuple[Guide[Image.Image], ...]:
    """Of the first ControlNet, the second, ...; extended with the picture, where they have its proportions.

    picture: before it is extended. Raises InvalidInput, InvalidImage or SizeMismatch.
    """
    _check_count(paths, most, "--control-image")
    return tuple(_guides(paths, Size(*picture.size), extend))


def _guides(paths: Sequence[Path], size: Size, extend: str | None) -> Iterator[Guide[Image.Image]]:
    extension = extension_of(extend, size) if extend else None
    for at, path in enumerate(paths):
        guide = Guide(Role.CONTROL, at, control_picture(read_picture(path).image))
        try:
            check_guide(guide, Size(*guide.picture.size), size)
        except SizeMismatch as error:
            if extension is None:
                raise SizeMismatch(f"{path}: {error}") from error
            # It may be one of the picture as it will be, which is looked at again there.
            yield guide
            continue
        yield guide.showing(extend_control(guide.picture, extension, size)) if extension else guide


def _check_count(given: Sequence[Any], most: int, option: str) -> None:
    if len(given) > most:
        raise InvalidInput(f"{option} is given {len(given)} times, and --controlnet {most} times. Give one for each.")
