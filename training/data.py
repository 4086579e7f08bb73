"""Samples to learn from: an object in a photograph or on a generated background, inside a mask.

The law of a sample: the object fills and is centred in the mask's bounding box and never sticks out
of the mask. So position and scale follow from the mask, and the model only has to learn shapes; which drawing it is,
mirrored or not, and a few degrees of turn are left to chance: another seed shows another one.
Pictures are (S, S, 3) uint8 RGB, masks (S, S) bool, True = repaint; S = 256.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from training.backgrounds import BACKGROUND_SIDE, make_background
from training.drawings import (
    ALPHA_SEEN,
    MAKERS,
    SPRITE_SIDE,
    Drawings,
    drawings_in,
    jittered,
    lay,
    turned_and_scaled,
)
from training.masks import KINDS, S, draw_box, draw_mask
from training.photographs import Photograph, crop_of, held_out_photographs, in_other_light, training_photographs
from training.words import COLOURS, OBJECTS

BACKGROUND_SHARE = 0.22
PHOTOGRAPH_SHARE = 0.75
SHADOW_SHARE = 0.4  # of the objects that can stand on something


@dataclass(frozen=True)
class Sample:
    """picture (S, S, 3) uint8, clean background (S, S, 3) uint8, mask (S, S) bool; word None = nothing in the mask."""

    picture: np.ndarray
    background: np.ndarray
    mask: np.ndarray
    word: str | None
    colour: str | None


def placed_in(mask: np.ndarray, sprite: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int, int]:
    """The sprite scaled and set so that it fills the mask's box as far as it stays inside the mask.

    Returns the sprite, its left and its top. Shrinks step by step: 0.96 of the box at most. Turned and moved only a
    little: the less is left to chance, the sharper the first guess from pure noise, and the sooner shapes come.
    """
    rows, columns = np.where(mask)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    angle, fill = rng.normal(0, 5), rng.uniform(0.88, 0.96)
    drift = rng.uniform(-0.5, 0.5, 2)
    unit = turned_and_scaled(sprite, angle, SPRITE_SIDE)
    while True:
        height, width = unit.shape[:2]
        scale = fill * min((right - left) / width, (bottom - top) / height)
        size = max(2, round(width * scale)), max(2, round(height * scale))
        small = cv2.resize(unit, size, interpolation=cv2.INTER_AREA)
        slack = 0.2 * (right - left - size[0]) * drift[0], 0.2 * (bottom - top - size[1]) * drift[1]
        x = round((left + right - size[0]) / 2 + slack[0])
        y = round((top + bottom - size[1]) / 2 + slack[1])
        inside = mask[y : y + size[1], x : x + size[0]]
        if not (small[..., 3] > ALPHA_SEEN)[~inside].any() or fill < 0.3:
            return small * inside[..., None], x, y
        fill *= 0.94


def with_shadow(
    picture: np.ndarray, mask: np.ndarray, sprite: np.ndarray, left: int, top: int, rng: np.random.Generator
) -> np.ndarray:
    """The float picture darkened inside the mask where an object that stands there would keep the light away."""
    height, width = sprite.shape[:2]
    shade = np.zeros(mask.shape, np.float32)
    centre = (round(left + width * rng.uniform(0.42, 0.58)), round(top + height * 0.97))
    axes = (max(1, round(width * rng.uniform(0.38, 0.52))), max(1, round(height * rng.uniform(0.04, 0.1))))
    cv2.ellipse(shade, centre, axes, 0, 0, 360, 1.0, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), max(1.0, 0.025 * height)) * rng.uniform(0.25, 0.6)
    # nothing sticks out of the mask: the shadow fades towards its edge
    fading = np.clip(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) / 6, 0, 1)
    return picture * (1 - shade * fading)[..., None]


class SampleSource:
    """Endless samples of one seed. `generated`: how many backgrounds are made up front and then varied by crop."""

    def __init__(
        self,
        drawings: Drawings,
        photographs: Sequence[Photograph],
        seed: int,
        generated: int = 300,
        photograph_share: float = PHOTOGRAPH_SHARE,
    ):
        self.drawings = drawings
        self.photographs = photographs
        self.rng = np.random.default_rng(seed)
        self._photograph_share = photograph_share if photographs else 0.0
        self._generated = [make_background(self.rng) for _ in range(generated)]

    def draw(self, word: str | None = "any", colour: str | None = "any") -> Sample:
        """A new sample. word None: nothing in the mask; "any": drawn, background with BACKGROUND_SHARE."""
        rng = self.rng
        if word == "any":
            word = None if rng.random() < BACKGROUND_SHARE else str(rng.choice(list(OBJECTS)))
        if colour == "any":
            colour = _some_colour(word, rng)
        clean = self._background().astype(np.float32)
        sprite = None if word is None else self._drawing(word, colour)
        aspect = 1.0 if sprite is None else sprite.shape[1] / sprite.shape[0]
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        mask = draw_mask(kind, draw_box(rng, aspect), rng)
        picture = np.where(mask[..., None], clean, self._with_things_about(clean))
        background = picture.copy()
        if sprite is not None:
            object_, left, top = placed_in(mask, jittered(sprite, rng), rng)
            if OBJECTS[word].stands and rng.random() < SHADOW_SHARE:
                picture = with_shadow(picture, mask, object_, left, top, rng)
            lay(picture, object_, left, top)
        return Sample(_bytes(picture), _bytes(background), mask, word, colour)

    def _drawing(self, word: str, colour: str | None) -> np.ndarray:
        maker = str(self.rng.choice(list(MAKERS), p=list(MAKERS.values())))
        sprite = self.drawings.of(word, maker, colour)
        return sprite[:, ::-1] if self.rng.random() < 0.4 else sprite

    def _background(self) -> np.ndarray:
        rng = self.rng
        if rng.random() < self._photograph_share:
            return in_other_light(crop_of(self.photographs[rng.integers(len(self.photographs))], rng), rng)
        if rng.random() < 0.05:  # renew the generated ones slowly
            self._generated[rng.integers(len(self._generated))] = make_background(rng)
        picture = self._generated[rng.integers(len(self._generated))]
        y, x = rng.integers(0, BACKGROUND_SIDE - S + 1, 2)
        picture = picture[y : y + S, x : x + S]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        return picture[..., rng.permutation(3)] if rng.random() < 0.3 else picture

    def _with_things_about(self, clean: np.ndarray) -> np.ndarray:
        """Other things about, some under the mask: what a user paints over is cut away where the mask is."""
        rng = self.rng
        picture = clean.copy()
        for _ in range(int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))):
            if rng.random() < 0.5:
                sprite = self._drawing(str(rng.choice(list(OBJECTS))), None)
            else:
                sprite = self.drawings.others[rng.integers(len(self.drawings.others))]
            small = turned_and_scaled(sprite, rng.uniform(-15, 15), rng.uniform(48, 180))
            left, top = rng.integers(-40, S - 40, 2)
            lay(picture, small, int(left), int(top))
        return picture


def training_source(work: Path, seed: int, generated: int = 300) -> SampleSource:
    return SampleSource(drawings_in(work), _training_photographs(work), seed, generated)


def held_out_source(work: Path, seed: int, photograph_share: float = PHOTOGRAPH_SHARE) -> SampleSource:
    """Samples on photographs that no training sees."""
    photographs = held_out_photographs(work)
    return SampleSource(drawings_in(work), photographs, seed, generated=40, photograph_share=photograph_share)


@lru_cache(maxsize=1)
def _training_photographs(work: Path) -> list[Photograph]:
    return training_photographs(work)


def _some_colour(word: str | None, rng: np.random.Generator) -> str | None:
    if word is None or not OBJECTS[word].recoloured or rng.random() < 0.55:
        return None
    return str(rng.choice(list(COLOURS)))


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
