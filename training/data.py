"""Samples to learn from: an object on a generated background, inside a mask.

The law of a sample: the object fills and is centred in the mask's bounding box and never sticks out
of the mask. So position and scale follow from the mask, and the model only has to learn shapes.
Pictures are (S, S, 3) uint8 RGB, masks (S, S) bool, True = repaint; S = 128.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.fetch import names_file, pictures_folder
from training.words import COLOURS, NATIVE_SIZE, OBJECTS

S = NATIVE_SIZE
BACKGROUND_SIDE = 176  # backgrounds are made larger and cropped: more variety from one
BACKGROUND_SHARE = 0.16
SPRITE_SIDE = 160
_ALPHA_SEEN = 24  # alpha above which a sprite's pixel counts as the object

cv2.setNumThreads(1)


@dataclass(frozen=True)
class Sample:
    """picture (S, S, 3) uint8, clean background (S, S, 3) uint8, mask (S, S) bool; word None = nothing in the mask."""

    picture: np.ndarray
    background: np.ndarray
    mask: np.ndarray
    word: str | None
    colour: str | None


# ---------------------------------------------------------------- sprites


def load_sprite(path: Path) -> np.ndarray:
    """(h, w, 4) float32 RGBA, premultiplied, 0..255, cut to what is visible, longest side SPRITE_SIDE."""
    picture = Image.open(path).convert("RGBA")
    picture = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > _ALPHA_SEEN)).getbbox())
    scale = SPRITE_SIDE / max(picture.size)
    sprite = np.asarray(picture.resize([max(1, round(side * scale)) for side in picture.size], Image.LANCZOS))
    return premultiplied(sprite.astype(np.float32))


def premultiplied(rgba: np.ndarray) -> np.ndarray:
    out = rgba.copy()
    out[..., :3] *= out[..., 3:] / 255
    return out


def recoloured(sprite: np.ndarray, colour: str) -> np.ndarray:
    """The sprite with its main colour replaced, shading and other parts (stems, ribbons, windows) kept."""
    alpha = np.maximum(sprite[..., 3:], 1) / 255
    rgb = np.clip(sprite[..., :3] / alpha, 0, 255)
    hsv = cv2.cvtColor((rgb / 255).astype(np.float32), cv2.COLOR_RGB2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    vivid = (saturation > 0.3) & (sprite[..., 3] > 200)
    # weighted by brightness: a butterfly is its wings, not its dark outlines
    histogram = np.bincount((hue[vivid] // 10).astype(int), weights=value[vivid] ** 2, minlength=36)
    histogram = histogram + np.roll(histogram, 1) + np.roll(histogram, -1)
    main = histogram.argmax() * 10 + 5
    distance = np.abs((hue - main + 180) % 360 - 180)
    share = np.clip((48 - distance) / 16, 0, 1) * np.clip((saturation - 0.12) / 0.15, 0, 1)
    body = vivid & (distance < 30)
    shade = np.clip(value / np.median(value[body]), 0.35, 1.25)[..., None]
    gloss = np.clip(1 - saturation / np.median(saturation[body]), 0, 0.8)[..., None]
    painted = np.array(COLOURS[colour], np.float32) * shade
    painted = painted + gloss * (255 - painted) * 0.6
    rgb = np.clip(rgb + share[..., None] * (painted - rgb), 0, 255)
    return np.concatenate([rgb * sprite[..., 3:] / 255, sprite[..., 3:]], -1)


class Sprites:
    """The vocabulary's pictures, and other pictures that serve as things already standing about."""

    def __init__(self, work: Path, distractors: int = 260):
        folder = pictures_folder(work)
        self.plain = {name: load_sprite(folder / f"{word.code_point}.webp") for name, word in OBJECTS.items()}
        self.coloured = {
            (name, colour): recoloured(self.plain[name], colour)
            for name, word in OBJECTS.items()
            if word.recoloured
            for colour in COLOURS
        }
        others = other_pictures(work)
        chosen = np.random.default_rng(0).permutation(len(others))[:distractors]
        self.distractors = [load_sprite(others[i]) for i in chosen]

    def of(self, word: str, colour: str | None) -> np.ndarray:
        return self.plain[word] if colour is None else self.coloured[word, colour]


def other_pictures(work: Path) -> list[Path]:
    """Animals, food, places, activities and objects that are no word of ours."""
    ours = {word.code_point for word in OBJECTS.values()}
    things = range(3, 8)  # emojibase's groups 3 to 7
    entries = json.loads(names_file(work).read_text())
    codes = [entry["hexcode"].lower() for entry in entries if entry.get("group") in things]
    paths = [pictures_folder(work) / f"{code}.webp" for code in codes if code not in ours]
    return [path for path in paths if path.exists()]


def turned_and_scaled(sprite: np.ndarray, angle: float, side: float) -> np.ndarray:
    """Rotate by `angle` degrees and scale so that the longest visible side is `side` pixels."""
    height, width = sprite.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    new_w, new_h = int(width * cos + height * sin) + 2, int(width * sin + height * cos) + 2
    turn[:, 2] += (new_w - width) / 2, (new_h - height) / 2
    turned = cv2.warpAffine(sprite, turn, (new_w, new_h), flags=cv2.INTER_LINEAR)
    rows, columns = np.where(turned[..., 3] > _ALPHA_SEEN)
    turned = turned[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = side / max(turned.shape[:2])
    size = [max(2, round(edge * scale)) for edge in turned.shape[1::-1]]
    return cv2.resize(turned, size, interpolation=cv2.INTER_AREA)


def jittered(sprite: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A little other light: brightness and colour balance within about ten percent."""
    gain = rng.uniform(0.86, 1.06) * rng.uniform(0.96, 1.04, 3)
    out = sprite.copy()
    out[..., :3] = np.minimum(out[..., :3] * gain, out[..., 3:])
    return out


def lay(picture: np.ndarray, sprite: np.ndarray, left: int, top: int) -> None:
    """Lay the premultiplied sprite over the float picture in place, cut at the picture's edges."""
    height, width = sprite.shape[:2]
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(picture.shape[0], top + height), min(picture.shape[1], left + width)
    if y0 >= y1 or x0 >= x1:
        return
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = under * (1 - part[..., 3:] / 255) + part[..., :3]


# ---------------------------------------------------------------- masks


def draw_mask(kind: str, box: tuple[float, float, float, float], rng: np.random.Generator) -> np.ndarray:
    """A mask that fills the box (left, top, right, bottom): "rectangle", "ellipse" or "strokes"."""
    canvas = np.zeros((S, S), np.uint8)
    left, top, right, bottom = box
    if kind == "rectangle":
        canvas[round(top) : round(bottom), round(left) : round(right)] = 1
    elif kind == "ellipse":
        centre = (round((left + right) / 2), round((top + bottom) / 2))
        cv2.ellipse(canvas, centre, (round((right - left) / 2), round((bottom - top) / 2)), 0, 0, 360, 1, -1)
    else:
        _brush(canvas, box, rng)
    return canvas.astype(bool)


def _brush(canvas: np.ndarray, box: tuple[float, float, float, float], rng: np.random.Generator) -> None:
    """Zigzag strokes that cover the box as a hand would: ragged edges, sometimes a rounded shape."""
    left, top, right, bottom = box
    radius = max(3.0, min(right - left, bottom - top) * rng.uniform(0.1, 0.22))
    lines = max(2, int((bottom - top - 2 * radius) / (radius * 1.2)) + 2)
    roundness = rng.uniform(0, 0.8)
    points = []
    for i, y in enumerate(np.linspace(top + radius, bottom - radius, lines)):
        bow = 1 - roundness * (1 - np.sqrt(1 - (2 * i / (lines - 1) - 1) ** 2 * 0.9))
        half = (right - left - 2 * radius) / 2 * bow
        middle = (left + right) / 2
        ends = [middle - half + rng.normal(0, 1.2), middle + half + rng.normal(0, 1.2)]
        points += [(x, y) for x in (ends if i % 2 else ends[::-1])]
    outline = np.round(points).astype(np.int32)
    cv2.polylines(canvas, [outline], False, 1, thickness=max(2, round(2 * radius)))


def draw_box(rng: np.random.Generator, aspect: float) -> tuple[float, float, float, float]:
    """Where the mask goes, as the application's crop around a mask puts it: in the middle, 65 to 80 % of the side.

    Its context is 32 px of the picture or an eighth of the mask: masks of 120 px and more fill 65 to 80 % of the crop.
    Now and then smaller, or off the middle, as for small masks and at a picture's edge.
    """
    usual = rng.random() < 0.85
    longest = rng.uniform(84, 104) if usual else rng.uniform(60, 104)
    aspect = aspect * np.exp(rng.normal(0, 0.08)) if rng.random() < 0.5 else np.exp(rng.uniform(-0.25, 0.25))
    width, height = (longest, longest / aspect) if aspect > 1 else (longest * aspect, longest)
    free_x, free_y = S - 4 - width, S - 4 - height
    place = rng.normal(0.5, 0.04, 2) if usual else rng.random(2)
    left, top = 2 + np.clip(place, 0, 1) * (free_x, free_y)
    return left, top, left + width, top + height


def placed_in(mask: np.ndarray, sprite: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int, int]:
    """The sprite scaled and set so that it fills the mask's box as far as it stays inside the mask.

    Returns the sprite, its left and its top. Shrinks step by step: 0.95 of the box at most. Turned and moved only a
    little: the less is left to chance, the sharper the first guess from pure noise, and the sooner shapes come.
    """
    rows, columns = np.where(mask)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    angle, fill = rng.normal(0, 2.5), 0.95
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
        if not (small[..., 3] > _ALPHA_SEEN)[~inside].any() or fill < 0.3:
            small = small * inside[..., None]
            return small, x, y
        fill *= 0.94


# ---------------------------------------------------------------- backgrounds


def make_background(rng: np.random.Generator) -> np.ndarray:
    """(BACKGROUND_SIDE, BACKGROUND_SIDE, 3) uint8: something a photograph's surroundings could look like."""
    side = BACKGROUND_SIDE
    picture = _texture(rng, side)
    if rng.random() < 0.4:
        picture = _horizon(picture, _texture(rng, side), rng)
    if rng.random() < 0.25:
        _blobs(picture, rng)
    if rng.random() < 0.4:
        blur = rng.uniform(0.6, 4)
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    light = _gradient(rng, side)[..., None]
    picture = picture * (1 + rng.uniform(0, 0.35) * (light - 0.5))
    if rng.random() < 0.6:
        picture = picture + rng.normal(0, rng.uniform(1, 7), (side, side, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Mostly muted, as in photographs; now and then vivid."""
    colour = rng.uniform(20, 240, 3)
    grey = colour.mean()
    return (grey + (colour - grey) * (rng.uniform(0.1, 0.6) if rng.random() < 0.65 else 1)).astype(np.float32)


def _gradient(rng: np.random.Generator, side: int) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    ramp = axis[None] * np.cos(angle) + axis[:, None] * np.sin(angle)
    return ramp - ramp.min()


def _noise(rng: np.random.Generator, side: int, cells: tuple[int, int], octaves: int) -> np.ndarray:
    """(side, side) float32, about 0..1: smooth noise, each octave twice as fine and half as strong."""
    total, strength, out = 0.0, 1.0, np.zeros((side, side), np.float32)
    for octave in range(octaves):
        shape = [min(side, n * 2**octave) for n in cells]
        grid = rng.random(shape, dtype=np.float32)
        out += strength * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
        total += strength
        strength *= 0.55
    return out / total


def _texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """One material, (side, side, 3) float32 0..255."""
    first, second = _colour(rng), _colour(rng)
    kind = rng.integers(8)
    if kind == 0:
        share = np.zeros((side, side), np.float32)
    elif kind == 1:
        share = _gradient(rng, side)
    elif kind == 2:
        share = _noise(rng, side, tuple(rng.integers(1, 5, 2) + 1), int(rng.integers(1, 6)))
    elif kind == 3:  # grass, fur, water: noise stretched along one side
        cells = (int(rng.integers(2, 6)), int(rng.integers(12, 40)))
        share = _noise(rng, side, cells if rng.random() < 0.5 else cells[::-1], 3)
    elif kind == 4:  # wood, fabric: waves bent by noise
        wave = _gradient(rng, side) * rng.uniform(10, 70) + _noise(rng, side, (3, 3), 3) * rng.uniform(1, 9)
        share = 0.5 + 0.5 * np.sin(wave)
    elif kind == 5:
        share = _tiles(rng, side)
    elif kind == 6:  # foliage, gravel, clouds: rough noise with a threshold
        share = 1 / (1 + np.exp(-(_noise(rng, side, (4, 4), 5) - 0.5) * rng.uniform(5, 40)))
    else:
        share = _noise(rng, side, (2, 2), 2)
        first = first + (_colour(rng) - first) * _noise(rng, side, (2, 3), 1)[..., None]
    if kind in (3, 4, 5, 6):  # materials vary around one colour rather than between two
        second = first + (second - first) * rng.uniform(0.1, 0.6)
    return np.broadcast_to(first + (second - first) * share[..., None], (side, side, 3)).astype(np.float32)


def _tiles(rng: np.random.Generator, side: int) -> np.ndarray:
    width, height = rng.integers(14, 60, 2)
    y, x = np.mgrid[:side, :side]
    x = x + (y // height % 2) * (width // 2) * (rng.random() < 0.5)
    joints = (x % width < 2) | (y % height < 2)
    stones = rng.random((side // height + 2, side // width + 4)).astype(np.float32)
    return np.where(joints, 1.0, 0.5 * stones[y // height, x // width]).astype(np.float32)


def _horizon(above: np.ndarray, below: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sky over ground, wall over table: two materials and a line between, straight or wavy."""
    side = len(above)
    x = np.linspace(0, 1, side)
    line = rng.uniform(0.25, 0.8) + rng.uniform(-0.1, 0.1) * x + rng.uniform(0, 0.05) * np.sin(x * rng.uniform(3, 20))
    y = np.linspace(0, 1, side)[:, None]
    share = 1 / (1 + np.exp(-(y - line) * rng.uniform(40, 250)))
    return (above * (1 - share[..., None]) + below * share[..., None]).astype(np.float32)


def _blobs(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Things out of focus."""
    for _ in range(rng.integers(2, 9)):
        overlay = picture.copy()
        centre = tuple(int(v) for v in rng.integers(0, len(picture), 2))
        axes = tuple(int(v) for v in rng.integers(5, 45, 2))
        cv2.ellipse(overlay, centre, axes, float(rng.uniform(0, 180)), 0, 360, _colour(rng).tolist(), -1)
        overlay = cv2.GaussianBlur(overlay, (0, 0), rng.uniform(1, 8))
        picture[:] = picture + rng.uniform(0.3, 1) * (overlay - picture)


# ---------------------------------------------------------------- samples


class SampleSource:
    """Endless samples of one seed. `backgrounds`: how many are rendered up front and then varied by crop and flip."""

    def __init__(self, sprites: Sprites, seed: int, backgrounds: int = 600):
        self.sprites = sprites
        self.rng = np.random.default_rng(seed)
        self._backgrounds = [make_background(self.rng) for _ in range(backgrounds)]

    def draw(self, word: str | None = "any", colour: str | None = "any") -> Sample:
        """A new sample. word None: nothing in the mask; "any": drawn, background with BACKGROUND_SHARE."""
        rng = self.rng
        if word == "any":
            word = None if rng.random() < BACKGROUND_SHARE else str(rng.choice(list(OBJECTS)))
        if colour == "any":
            colour = _some_colour(word, rng)
        clean = self._background().astype(np.float32)
        sprite = None if word is None else self.sprites.of(word, colour)
        aspect = 1.0 if sprite is None else sprite.shape[1] / sprite.shape[0]
        kind = rng.choice(["rectangle", "ellipse", "strokes"], p=[0.4, 0.25, 0.35])
        mask = draw_mask(str(kind), draw_box(rng, aspect), rng)
        picture = np.where(mask[..., None], clean, self._with_distractors(clean))
        background = picture.copy()
        if sprite is not None:
            lay(picture, *placed_in(mask, jittered(sprite, rng), rng))
        return Sample(_bytes(picture), _bytes(background), mask, word, colour)

    def _background(self) -> np.ndarray:
        rng = self.rng
        if rng.random() < 0.05:  # renew the stock slowly
            self._backgrounds[rng.integers(len(self._backgrounds))] = make_background(rng)
        picture = self._backgrounds[rng.integers(len(self._backgrounds))]
        y, x = rng.integers(0, BACKGROUND_SIDE - S + 1, 2)
        picture = picture[y : y + S, x : x + S]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        return picture[..., rng.permutation(3)] if rng.random() < 0.3 else picture

    def _with_distractors(self, clean: np.ndarray) -> np.ndarray:
        """Other things about, some under the mask: what a user paints over is cut away where the mask is."""
        rng = self.rng
        picture = clean.copy()
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.35, 0.35, 0.2, 0.1]))):
            known = rng.random() < 0.5
            sprite = (
                self.sprites.plain[str(rng.choice(list(OBJECTS)))]
                if known
                else self.sprites.distractors[rng.integers(len(self.sprites.distractors))]
            )
            small = turned_and_scaled(sprite, rng.uniform(-15, 15), rng.uniform(24, 90))
            left, top = rng.integers(-20, S - 20, 2)
            lay(picture, small, int(left), int(top))
        return picture


def _some_colour(word: str | None, rng: np.random.Generator) -> str | None:
    if word is None or not OBJECTS[word].recoloured or rng.random() < 0.55:
        return None
    return str(rng.choice(list(COLOURS)))


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def sprites_in(work: Path) -> Sprites:
    return Sprites(work)
