"""Varied generations with the bundled models, run again in a new process: how many come out EXACT.

    python -m tests.benchmarks.verdicts --count 60

Every choice that decides pixels is varied: model, scheduler, steps, guidance, strength, size, kinds of pictures, masks
with and without grey, fills, areas, colour match, near seeds, weights in prompts, several images of one request, and
other models in between. Prints one line for each generation, and the counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.files.picture import read_picture
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Status
from core.domain.params import AREAS, FILLS, SCHEDULERS, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.services.model_cache import ModelCache
from core.settings import Settings
from tests.fakes import InlineDispatcher

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "assets" / "samples").glob("*.jpg"))
POCKET, CONTENT_FILL = "pocket-inpaint", "content-fill"


def a_studio(data: Path) -> Studio:
    settings = Settings(data=data)
    return build_studio(
        settings, ModelCache(make_loader(settings)), dispatcher=lambda worker: InlineDispatcher(worker.run)
    )


def a_picture(chance: random.Random) -> Image.Image:
    picture = read_picture(chance.choice(SAMPLES).read_bytes()).image
    kind = chance.choice(("RGB", "RGB", "RGB", "RGBA", "I;16"))
    if kind == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    elif kind == "I;16":
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        picture = Image.fromarray(grey)
    return picture


def a_mask(size: tuple[int, int], chance: random.Random) -> Mask:
    mask = Image.new("L", size)
    width, height = chance.randint(30, size[0] // 2), chance.randint(30, size[1] // 2)
    left, top = chance.randint(0, size[0] - width), chance.randint(0, size[1] - height)
    draw = ImageDraw.Draw(mask)
    shape = chance.choice((draw.ellipse, draw.rectangle))
    shape((left, top, left + width, top + height), fill=chance.choice((255, 255, 140)))
    if chance.random() < 0.3:
        mask = mask.filter(ImageFilter.GaussianBlur(12))
    return Mask(np.asarray(mask))


def some_params(nth: int, words: list[str], chance: random.Random) -> InpaintParams:
    word = chance.choice(words)
    values: dict[str, Any] = {
        "model": CONTENT_FILL if nth % 10 == 9 else POCKET,
        "prompt": chance.choice((word, f"a red {word}", "", f"({word})1.4 {chance.choice(words)}--")),
        "negative_prompt": chance.choice(("", "", chance.choice(words))),
        "scheduler": list(SCHEDULERS)[nth % len(SCHEDULERS)],
        "num_inference_steps": chance.choice((4, 8, 10, 20)),
        "guidance_scale": chance.choice((1.0, 2.0, 4.0)),
        "strength": chance.choice((1.0, 1.0, 0.9, 0.6)),
        "seed": chance.getrandbits(32),
        "size": chance.choice((96, 128, 128, 192)),
        "mask_grow_px": chance.choice((0, 4, 12)),
        "mask_feather_px": chance.choice((0, 8, 20)),
        "fill": list(FILLS)[nth % len(FILLS)],
        "area": chance.choice((next(iter(AREAS)), *AREAS)),
        "colour_match": chance.choice((0.0, 0.5, 1.0)),
        "keep_threshold": chance.choice((0.0, 0.1)),
        "soft_mask": chance.random() < 0.3,
        "variation_strength": chance.choice((0.0, 0.0, 0.15)),
        "variation_seed": chance.getrandbits(32),
        "prompt_weights": chance.random() < 0.4,
    }
    return InpaintParams(**values)


def make(studio: Studio, count: int) -> None:
    chance = random.Random(20261122)
    words = list(studio.models.vocabulary(POCKET).objects)
    asked = made = 0
    while made < count:
        picture, asked = a_picture(chance), asked + 1
        request = InpaintRequest(picture, a_mask(picture.size, chance), some_params(asked, words, chance))
        several = 3 if asked % 12 == 5 else 1
        for id in studio.generations.submit(request, count=min(several, count - made)):
            generation = studio.gallery.get(id)
            if generation.error_code == "InvalidParams":
                continue  # a scheduler that this model refuses, in words
            if generation.output is None or generation.record.outside_mask_unchanged is not True:
                raise SystemExit(f"{id}: {generation.status}, {generation.error}, {generation.params}")
            made += 1


def verified(data: Path) -> list[dict[str, Any]]:
    """In a process of its own, which has seen none of them."""
    command = [sys.executable, "-m", "core", "verify", "--all", "--json"]
    environment = os.environ | {"INPAINT_STUDIO_DATA": str(data)}
    found = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=False, text=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = a_studio(Path(folder))
        make(studio, options.count)
        verdicts = {found["id"]: found for found in verified(Path(folder))}
        made_all = GalleryFilter(statuses=(Status.SUCCEEDED,))
        for generation in studio.gallery.browse(made_all, limit=options.count).generations:
            params, found = generation.params, verdicts[generation.id]
            chosen = {
                name: value
                for name, value in params.model_dump().items()
                if value != InpaintParams.model_fields[name].default and name not in ("prompt", "seed")
            }
            print(found["verdict"], found["max_difference"], found["psnr"], json.dumps(chosen), *found["changed"][:3])
        print(dict(Counter(found["verdict"] for found in verdicts.values())))


if __name__ == "__main__":
    main()
