"""Made pictures of which it is known where the object, the text, the face is: for tests and for the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask
from core.domain.selecting import Selection

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"
PORTRAIT = Path(__file__).with_name("data") / "portrait.jpg"
"""Eileen Collins, NASA, 1993 (public domain); FACE is the box around her face in it, hair line to chin, by eye."""
FACE = Bounds(134, 62, 234, 186)

BACKGROUNDS = ("dandelions", "dogs-at-the-door", "fig-in-a-bowl", "living-room", "mountain-meadow", "mountain-path")
LINES = ("12 MAY 2019", "FOR SALE", "www.example.org", "Text on a photograph")
SHAPES = ("ball", "vase", "box", "leaf")


@dataclass(frozen=True, slots=True)
class Made:
    """truth: white where it is. box: a rough one around it, of an object."""

    name: str
    kind: Selection
    picture: Image.Image
    truth: Mask
    box: Bounds | None = None


def background(name: str, px: int = 640) -> Image.Image:
    image = Image.open(SAMPLES / f"{name}.jpg").convert("RGB")
    return image.resize(Size(*image.size).fitted(Size(px, px)).sides, Image.Resampling.LANCZOS)


def objects(backgrounds: tuple[str, ...] = BACKGROUNDS, shapes: tuple[str, ...] = SHAPES) -> Iterator[Made]:
    """Shaded things in a photograph, each with a box that is up to a tenth too large on each side."""
    for nth, name in enumerate(backgrounds):
        for at, shape in enumerate(shapes):
            chance = np.random.default_rng([nth, at])
            picture = background(name)
            side = int(chance.integers(110, 240))
            thing = _thing(shape, side, chance)
            left, top = (int(chance.integers(20, length - side - 20)) for length in picture.size)
            picture.paste(thing, (left, top), thing)
            truth = Image.new("L", picture.size)
            truth.paste(thing.getchannel("A").point(lambda value: 255 * (value > 127)), (left, top))
            exact = Mask.from_image(truth).bounds
            assert exact is not None
            far = [int(chance.integers(0, side // 10)) for _ in range(4)]
            box = Bounds(exact.left - far[0], exact.top - far[1], exact.right + far[2], exact.bottom + far[3])
            yield Made(f"{shape} in {name}", Selection.OBJECT, picture, Mask.from_image(truth), box)


def texts(backgrounds: tuple[str, ...] = BACKGROUNDS) -> Iterator[Made]:
    """Lines of text in a photograph, black or white; the truth is the box around each."""
    for nth, name in enumerate(backgrounds):
        chance = np.random.default_rng(nth)
        picture = background(name)
        truth = Image.new("L", picture.size)
        for at, words in enumerate(LINES):
            font = ImageFont.load_default(int(chance.integers(16, 44)))
            left = int(chance.integers(10, max(11, picture.width - int(font.getlength(words)) - 10)))
            place = left, 20 + at * (picture.height - 60) // len(LINES)
            box = ImageDraw.Draw(truth).textbbox(place, words, font=font)
            dark = np.asarray(picture.convert("L").crop([round(side) for side in box])).mean() < 128
            ImageDraw.Draw(picture).text(place, words, fill="white" if dark else "black", font=font)
            ImageDraw.Draw(truth).rectangle(box, fill=255)
        yield Made(f"text in {name}", Selection.TEXT, picture, Mask.from_image(truth))


def portraits(sides: tuple[int, ...] = (360, 240, 150)) -> Iterator[Made]:
    """A portrait of so many pixels in a photograph; the truth is an ellipse in the box around the face."""
    for nth, side in enumerate(sides):
        name = BACKGROUNDS[nth % len(BACKGROUNDS)]
        picture = background(name)
        portrait = Image.open(PORTRAIT).convert("RGB")
        truth = Image.new("L", picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 3
        picture.paste(portrait.resize((side, side), Image.Resampling.LANCZOS), (left, top))
        face = FACE.scaled(Size(*portrait.size), Size(side, side))
        box = (face.left + left, face.top + top, face.right + left, face.bottom + top)
        ImageDraw.Draw(truth).ellipse(box, fill=255)
        yield Made(f"face of {face.size.height} px in {name}", Selection.FACES, picture, Mask.from_image(truth))


def iou(one: Mask, other: Mask) -> float:
    """Intersection over union, from 0 to 1."""
    a, b = one.pixels > 0, other.pixels > 0
    return float((a & b).sum() / max(1, (a | b).sum()))


def _thing(shape: str, side: int, chance: np.random.Generator) -> Image.Image:
    """RGBA, (side, side): lit from the upper left, with a grain, a stripe and a smooth edge."""
    y, x = np.mgrid[0:side, 0:side] / (side - 1) * 2 - 1
    on = {
        "ball": x**2 + y**2 < 0.95,
        "vase": np.abs(x) < 0.38 + 0.28 * np.sin(y * 2.6 + 0.4),
        "box": (np.abs(x) < 0.85) & (np.abs(y + 0.1 * x) < 0.6),
        "leaf": (np.abs(x) < 0.5 * (1 - y**2)) | ((np.abs(x) < 0.06) & (y > 0)),
    }[shape]
    colour = chance.integers(40, 230, 3)
    light = 1.05 - 0.45 * ((x + 0.4) ** 2 + (y + 0.4) ** 2).clip(0, 2)
    striped = np.where(np.abs(y - 0.15) < 0.12, 0.7, 1.0)
    pixels = colour * (light * striped)[..., None] + chance.normal(0, 5, (side, side, 1))
    alpha = Image.fromarray(on.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(0.8))
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert("RGBA")
    image.putalpha(alpha)
    return image
