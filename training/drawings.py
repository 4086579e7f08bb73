"""The vocabulary's drawings: each word as three makers drew it, cut out, recoloured where the word takes a colour.

Drawings are (h, w, 4) uint8, RGBA, premultiplied.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.fetch import icons_folder, names_file, pictures_folder
from training.words import COLOURS, OBJECTS

SPRITE_SIDE = 240  # pixels of the longer side; an object takes up 210 of a sample at most
MAKERS = {"fluent": 0.45, "noto": 0.4, "twemoji": 0.15}
"""How often each maker's drawing is taken. Twemoji's are flat and the plainest."""
ALPHA_SEEN = 24  # alpha above which a pixel counts as the object

cv2.setNumThreads(1)


def cut_out(picture: Image.Image, side: int = SPRITE_SIDE) -> np.ndarray:
    """What is visible of the picture, its longer side `side` pixels."""
    picture = picture.convert("RGBA")
    picture = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > ALPHA_SEEN)).getbbox())
    scale = side / max(picture.size)
    sized = picture.resize([max(1, round(edge * scale)) for edge in picture.size], Image.LANCZOS)
    return premultiplied(np.asarray(sized))


def premultiplied(rgba: np.ndarray) -> np.ndarray:
    colour = rgba[..., :3].astype(np.float32) * rgba[..., 3:] / 255
    return np.concatenate([np.rint(colour).astype(np.uint8), rgba[..., 3:].astype(np.uint8)], -1)


def vector_drawing(work: Path, maker: str, code_point: str, side: int = 320) -> Image.Image:
    """A drawing of an Iconify set, found by its first code point. Raises KeyError where the set has none."""
    import resvg_py  # not needed to read what is in the cache

    icons, names = _icons(work, maker)
    name = names[code_point.partition("-")[0]]
    name = icons["aliases"][name]["parent"] if name not in icons["icons"] else name
    icon = icons["icons"][name]
    box = [icon.get(key, icons.get(key, icons["height"])) for key in ("width", "height")]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {box[0]} {box[1]}">{icon["body"]}</svg>'
    )
    return Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, skip_system_fonts=True))))


@lru_cache(maxsize=4)
def _icons(work: Path, maker: str) -> tuple[dict, dict]:
    folder = icons_folder(work, maker)
    return json.loads((folder / "icons.json").read_text()), json.loads((folder / "chars.json").read_text())


def drawing(work: Path, maker: str, word: str) -> np.ndarray:
    code_point = OBJECTS[word].code_point
    if maker == "fluent":
        return cut_out(Image.open(pictures_folder(work) / f"{code_point}.webp"))
    return cut_out(vector_drawing(work, maker, code_point))


def recoloured(sprite: np.ndarray, colour: str) -> np.ndarray:
    """The drawing with its main colour replaced, shading and other parts (stems, ribbons, windows) kept."""
    opaque = sprite[..., 3:].astype(np.float32)
    rgb = np.clip(sprite[..., :3] / (np.maximum(opaque, 1) / 255), 0, 255)
    hsv = cv2.cvtColor((rgb / 255).astype(np.float32), cv2.COLOR_RGB2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    vivid = (saturation > 0.3) & (sprite[..., 3] > 200)
    # weighted by brightness: a butterfly is its wings, not its dark outlines
    histogram = np.bincount((hue[vivid] // 10).astype(int), weights=value[vivid] ** 2, minlength=36)[:36]
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
    return np.concatenate([np.rint(rgb * opaque / 255).astype(np.uint8), sprite[..., 3:]], -1)


@dataclass(frozen=True)
class Drawings:
    """All drawings of the vocabulary, and other ones that serve as things already standing about.

    plain: by word and maker. coloured: by word, maker and colour, of the words that take one.
    """

    plain: dict[tuple[str, str], np.ndarray]
    coloured: dict[tuple[str, str, str], np.ndarray]
    others: list[np.ndarray]

    @classmethod
    def read(cls, work: Path, others: int = 260) -> "Drawings":
        plain = {(word, maker): drawing(work, maker, word) for word in OBJECTS for maker in MAKERS}
        coloured = {
            (word, maker, colour): recoloured(sprite, colour)
            for (word, maker), sprite in plain.items()
            if OBJECTS[word].recoloured
            for colour in COLOURS
        }
        paths = other_pictures(work)
        chosen = np.random.default_rng(0).permutation(len(paths))[:others]
        return cls(plain, coloured, [cut_out(Image.open(paths[i]), 160) for i in chosen])

    def of(self, word: str, maker: str, colour: str | None) -> np.ndarray:
        return self.plain[word, maker] if colour is None else self.coloured[word, maker, colour]


@lru_cache(maxsize=1)
def drawings_in(work: Path) -> Drawings:
    return Drawings.read(work)


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
    rows, columns = np.where(turned[..., 3] > ALPHA_SEEN)
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
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = under * (1 - part[..., 3:] / 255) + part[..., :3]
