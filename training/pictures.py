"""Pictures a pocket model makes for given cases, whatever size it was trained at; and sheets of them to look at."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image, ImageDraw

from training.data import Sample, SampleSource
from training.masks import S
from training.stock import FACTOR, sized, touched_cells
from training.words import OBJECTS

BATCH = 13
_FORMS = ("{}", "a {}", "a photo of a {}")


@dataclass(frozen=True)
class Case:
    """One picture to make: what is there, where to repaint, what to ask for, with which seed."""

    sample: Sample
    prompt: str
    seed: int


@dataclass(frozen=True)
class Settings:
    steps: int
    guidance: float


@dataclass(frozen=True)
class Model:
    """A pipeline, the side of the pictures it paints in pixels, and what it recommends."""

    pipe: StableDiffusionInpaintPipeline
    side: int
    settings: Settings

    @classmethod
    def load(cls, folder: Path) -> "Model":
        pipe = StableDiffusionInpaintPipeline.from_pretrained(folder, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        said = json.loads((folder / "vocabulary.json").read_text())["recommended"]
        return cls(pipe, said["size"], Settings(said["num_inference_steps"], said["guidance_scale"]))


def inpaint(model: Model, cases: Sequence[Case], settings: Settings | None = None) -> np.ndarray:
    """(N, S, S, 3) uint8: the model's pictures pasted back, so that outside the mask nothing changes.

    A model for smaller pictures gets smaller ones and what it makes is enlarged, as the application does.
    """
    settings, side = settings or model.settings, model.side
    made: list[np.ndarray] = []
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        out = model.pipe(
            prompt=[c.prompt for c in part],
            image=[Image.fromarray(sized(c.sample.background, side)) for c in part],
            mask_image=[mask_image(c.sample.mask, side) for c in part],
            height=side, width=side, num_inference_steps=settings.steps, guidance_scale=settings.guidance,
            generator=[torch.Generator().manual_seed(c.seed) for c in part], output_type="np",
        ).images  # fmt: skip
        pictures = (out * 255).round().astype(np.uint8)
        made += [paste(c.sample, sized(picture, S)) for c, picture in zip(part, pictures, strict=True)]
    return np.stack(made)


def mask_image(mask: np.ndarray, side: int) -> Image.Image:
    """Every latent cell that the mask touches, whole, as the application hands masks to the model."""
    cells = touched_cells(mask, side // FACTOR).astype(np.uint8) * 255
    return Image.fromarray(cells).resize((side, side), Image.NEAREST)


def paste(sample: Sample, made: np.ndarray) -> np.ndarray:
    return np.where(sample.mask[..., None], made, sample.background)


def cases_for(source: SampleSource, words: Sequence[str | None], seed: int) -> list[Case]:
    """A case for each word (None: remove), with a plain prompt: "cat", "a cat", "a photo of a cat" in turn."""
    cases = []
    for i, word in enumerate(words):
        sample = source.draw(word, None)
        form = _FORMS[i // len(OBJECTS) % len(_FORMS)]
        cases.append(Case(sample, form.format(word) if word else "background", seed + i))
    return cases


def sheet(pictures: np.ndarray, cases: Sequence[Case], path: Path, columns: int = 4, cell: int = 128) -> None:
    """Every word with three of the pictures made for it, each of its own seed, background and mask."""
    rows = -(-len(OBJECTS) // columns)
    canvas = Image.new("RGB", (columns * (3 * cell + 8), rows * (cell + 16)), "white")
    pen = ImageDraw.Draw(canvas)
    for i, word in enumerate(OBJECTS):
        x, y = i % columns * (3 * cell + 8), i // columns * (cell + 16)
        pen.text((x + 2, y + 1), word, fill="black")
        made = [picture for picture, case in zip(pictures, cases, strict=True) if case.sample.word == word]
        for k, picture in enumerate(made[:3]):
            canvas.paste(Image.fromarray(picture).resize((cell - 2, cell - 2), Image.LANCZOS), (x + k * cell, y + 14))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, quality=88)
