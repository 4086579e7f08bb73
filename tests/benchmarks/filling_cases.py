"""Photographs with holes: some whose truth is known, some from which an object is to be removed.

Beside the six samples of the repository, pictures of scikit-image, if that package is at hand: they are not needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from core.domain.pixels.mask import Mask

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"

OF_SCIKIT_IMAGE = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "grass.png",
    "gravel.png",
    "brick.png",
)

Draw = Callable[[ImageDraw.ImageDraw], None]


@dataclass(frozen=True)
class Case:
    """name: unique. knows_truth: whether the picture is what ought to come out, else an object is to be removed."""

    name: str
    picture: Image.Image
    mask: Mask
    knows_truth: bool


def _ellipse(x: int, y: int, across: int, down: int) -> Draw:
    return lambda draw: draw.ellipse((x - across, y - down, x + across, y + down), fill=255)


def _polygon(*points: tuple[int, int]) -> Draw:
    return lambda draw: draw.polygon(points, fill=255)


REMOVALS: Mapping[str, tuple[str, tuple[Draw, ...]]] = {
    "shuttle": (
        "astronaut.png",
        (
            _polygon(
                (392, 20), (400, 0), (456, 0), (456, 100), (462, 210), (472, 288), (360, 292), (352, 222), (378, 120)
            ),
        ),
    ),
    "spoon": (
        "coffee.png",
        (_polygon((402, 64), (428, 66), (424, 92), (404, 185), (390, 228), (336, 242), (378, 218), (398, 130)),)
        + (_ellipse(364, 278, 46, 52), _polygon((316, 236), (345, 222), (372, 240), (330, 262))),
    ),
    "dandelion": (
        "dandelions.jpg",
        (_ellipse(376, 222, 208, 205), _polygon((346, 380), (404, 380), (400, 719), (342, 719))),
    ),
    "dog": ("dogs-at-the-door.jpg", (_ellipse(487, 702, 108, 150),)),
    "fig": ("fig-in-a-bowl.jpg", (_ellipse(712, 472, 212, 198),)),
    "rocket": ("rocket.jpg", (_polygon((312, 112), (334, 112), (352, 404), (296, 404)),)),
    "bottle": ("living-room.jpg", (_polygon((392, 146), (452, 146), (456, 428), (388, 428)),)),
    "stones": ("mountain-path.jpg", (_ellipse(1000, 878, 48, 40), _ellipse(636, 636, 30, 28))),
    "tree": ("mountain-meadow.jpg", (_polygon((945, 330), (962, 330), (1012, 602), (878, 602), (880, 500)),)),
    "wineglass": (
        "living-room.jpg",
        (_ellipse(350, 296, 36, 52), _polygon((322, 336), (378, 336), (382, 442), (318, 442))),
    ),
}
"""Drawn by eye around the object and its shadow, in pixels."""


def removals(folder: Path | None) -> Iterator[Case]:
    for name, (file, shapes) in REMOVALS.items():
        if (picture := _opened(file, folder)) is not None:
            yield Case(name, picture, _drawn(picture, *shapes), knows_truth=False)


def with_truth(folder: Path | None, each: int) -> Iterator[Case]:
    """each: of the four kinds of holes in each photograph: a disc, a thin stroke, a side, and a large blob."""
    files = [path.name for path in sorted(SAMPLES.glob("*.jpg"))]
    for file in (*files, *OF_SCIKIT_IMAGE):
        if (picture := _opened(file, folder)) is None:
            continue
        # By the name, so that a photograph has the same holes whichever others are at hand.
        chance = np.random.default_rng(zlib.crc32(file.encode()))
        for kind, make in tuple(KINDS.items())[:each]:
            mask = _drawn(picture, make(picture.size, chance))
            yield Case(f"{Path(file).stem} {kind}", picture, mask, knows_truth=True)


def _disc(size: tuple[int, int], chance: np.random.Generator) -> Draw:
    radius = min(size) // 9
    x, y = (int(chance.integers(2 * radius, side - 2 * radius)) for side in size)
    return _ellipse(x, y, radius, round(radius * chance.uniform(0.7, 1.3)))


def _stroke(size: tuple[int, int], chance: np.random.Generator) -> Draw:
    short = min(size)
    x, y = (int(chance.integers(short // 4, side - short // 4)) for side in size)
    turn, t = chance.uniform(0, np.pi), np.linspace(-1, 1, 9)
    along, aside = t * short * 0.3, np.sin(t * 2.5) * short * 0.06
    points = np.stack(
        [x + along * np.cos(turn) - aside * np.sin(turn), y + along * np.sin(turn) + aside * np.cos(turn)], 1
    )
    return lambda draw: draw.line([tuple(point) for point in points], fill=255, width=short // 24, joint="curve")


def _side(size: tuple[int, int], chance: np.random.Generator) -> Draw:
    width, height = size
    if chance.random() < 0.5:
        return lambda draw: draw.rectangle((width - width // 6, 0, width, height), fill=255)
    return lambda draw: draw.rectangle((0, height - height // 6, width, height), fill=255)


def _blob(size: tuple[int, int], chance: np.random.Generator) -> Draw:
    radius = min(size) // 6
    x, y = (int(chance.integers(2 * radius, side - 2 * radius)) for side in size)
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    far = radius * chance.uniform(0.7, 1.25, turns.size)
    points = [(float(x + r * np.cos(a)), float(y + r * np.sin(a))) for a, r in zip(turns, far, strict=True)]
    return lambda draw: draw.polygon(points, fill=255)


KINDS: Mapping[str, Callable[[tuple[int, int], np.random.Generator], Draw]] = {
    "disc": _disc,
    "stroke": _stroke,
    "side": _side,
    "blob": _blob,
}


def _opened(file: str, folder: Path | None) -> Image.Image | None:
    places = [SAMPLES / file, *([folder / file] if folder else []), *_scikit_image(file)]
    path = next((place for place in places if place.is_file()), None)
    return Image.open(path).convert("RGB") if path else None


def _scikit_image(file: str) -> Iterator[Path]:
    if (found := find_spec("skimage")) is not None and found.origin:
        yield Path(found.origin).parent / "data" / file


def _drawn(picture: Image.Image, *shapes: Draw) -> Mask:
    image = Image.new("L", picture.size)
    for shape in shapes:
        shape(ImageDraw.Draw(image))
    return Mask.from_image(image)
