"""Photographs as backgrounds: which ones, and crops of them as the application would make around a mask.

The six sample pictures of the application and five more are held out: the models are measured on them only.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.fetch import photographs_folder
from training.words import NATIVE_SIZE

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"
LONGEST_SIDE = 1600  # pixels; a photograph is kept at this size at most
SMALLEST_CROP = 144  # pixels a side: a mask of 80 px with 32 px about it
LARGEST_CROP = 900

# The packages also hold drawings; these are the photographs whose licences ask for no share-alike of Creative Commons.
_MATE = "mate-backgrounds/usr/share/backgrounds/mate/nature"
_PLASMA = "plasma-workspace-wallpapers/usr/share/wallpapers"
_LOMIRI = "lomiri-wallpapers-16.04/usr/share/backgrounds"
_SKIMAGE = "scikit-image/skimage/data"
_SKLEARN = "scikit-learn/sklearn/datasets/images"
TRAINING = (
    *(f"{_MATE}/{name}.jpg" for name in (
        "Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "LadyBird", "RainDrops", "Storm", "TwoWings", "Wood",
        "YellowFlower",
    )),
    *(f"{_PLASMA}/{name}/contents/images/2560x1600.jpg" for name in (
        "Autumn", "BytheWater", "ColdRipple", "ColorfulCups", "DarkestHour", "EveningGlow", "Grey", "Kite",
        "OneStandsOut", "Path", "summer_1am",
    )),
    f"{_LOMIRI}/Picture_1A_by_freespace.jpg",
    *(f"{_SKIMAGE}/{name}" for name in (
        "astronaut.png", "brick.png", "chelsea.png", "grass.png", "gravel.png", "rocket.jpg",
    )),
    f"{_SKLEARN}/china.jpg",
    f"{_SKLEARN}/flower.jpg",
)  # fmt: skip
HELD_OUT = (
    f"{_MATE}/GreenMeadow.jpg",
    f"{_PLASMA}/FallenLeaf/contents/images/2560x1600.jpg",
    f"{_LOMIRI}/life_by_Aitzol_Berasategi.jpg",
    f"{_LOMIRI}/sunset_by_Aitzol_Berasategi.jpg",
    f"{_SKIMAGE}/coffee.png",
)


@dataclass(frozen=True)
class Photograph:
    """One picture, (H, W, 3) uint8, at two sizes, so that a large crop is not shrunk from far too many pixels."""

    full: np.ndarray
    half: np.ndarray

    @classmethod
    def read(cls, path: Path) -> "Photograph":
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.LANCZOS)
        full = np.asarray(picture)
        return cls(full, cv2.resize(full, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def training_photographs(work: Path) -> list[Photograph]:
    return [Photograph.read(photographs_folder(work) / name) for name in TRAINING]


def held_out_photographs(work: Path) -> list[Photograph]:
    """Those of the application and five more, never seen in training."""
    paths = [*sorted(SAMPLES.glob("*.jpg")), *(photographs_folder(work) / name for name in HELD_OUT)]
    return [Photograph.read(path) for path in paths]


def crop_of(photograph: Photograph, rng: np.random.Generator, side: int = NATIVE_SIZE) -> np.ndarray:
    """(side, side, 3) uint8: a square of any place and of many sizes, small ones enlarged as the application does."""
    largest = min(LARGEST_CROP, *photograph.full.shape[:2])
    edge = float(np.exp(rng.uniform(np.log(SMALLEST_CROP), np.log(largest))))
    source, edge = (photograph.half, edge / 2) if edge > 2 * side else (photograph.full, edge)
    edge = int(edge)
    y, x = (int(rng.integers(0, limit - edge + 1)) for limit in source.shape[:2])
    way = cv2.INTER_AREA if edge > side else cv2.INTER_CUBIC
    return cv2.resize(source[y : y + edge, x : x + edge], (side, side), interpolation=way)


def in_other_light(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored, brighter or darker, more or less colourful, now and then with other colours: few look like many."""
    picture = crop[:, ::-1] if rng.random() < 0.5 else crop
    if rng.random() < 0.15:
        picture = picture[::-1] if rng.random() < 0.5 else picture.transpose(1, 0, 2)
    if rng.random() < 0.25:
        picture = picture[..., rng.permutation(3)]
    values = picture.astype(np.float32)
    grey = values.mean(-1, keepdims=True)
    values = grey + (values - grey) * rng.uniform(0.5, 1.3)
    values = (values - 128) * rng.uniform(0.75, 1.15) + 128 + rng.uniform(-25, 25)
    if rng.random() < 0.3:  # the grey textures get a colour, the others another white balance
        values = values * rng.uniform(0.75, 1.1, 3).astype(np.float32)
    return np.clip(values, 0, 255).astype(np.uint8)
