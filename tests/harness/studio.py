"""A studio on a real folder and a real SQLite file, whose model paints at once; and its laws."""

from __future__ import annotations

import io
import json
import math
import os
import random
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.bootstrap import Studio, build_studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Generation, Origin, Status
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.domain.sheet import Axis, Sheet
from core.ports import Dispatcher, OnStep, Repainted
from core.services import worker as workers
from core.services.worker import Worker
from core.settings import Settings
from tests.fakes import FakeCatalogue, FakeInpainter, FakeLoader, WaitingDispatcher
from tests.harness.common import Say

PICTURES, PAINTINGS = 5, 4
"""Different pictures and results: few, so that many rows share each file."""

SIDE = 32
OLD_S = 86_400
MAX_MEGAPIXELS = 25
"""Pictures as large as the product takes cost seconds each, whoever sends them."""

workers.LOOK_AGAIN_S = 0
"""Whoever looks here knows that the others are dead: it has killed them."""


@dataclass
class Clock:
    """The time of this machine, and what was added to it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Painter(FakeInpainter):
    """Paints one of a few colours by the seed, and says which seed it painted: each row has its own."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def inpaint(self, request: Any, on_step: OnStep) -> Repainted:
        seed = request.params.seed
        self._say(paints=seed)
        return super().inpaint(replace(request, params=request.params.changed(seed=seed % PAINTINGS)), on_step)


def open_studio(
    folder: Path,
    say: Say = lambda **words: None,
    *,
    clock: Callable[[], datetime] | None = None,
    painter: FakeInpainter | None = None,
    dispatcher: Callable[[Worker], Dispatcher] = lambda worker: WaitingDispatcher(worker.run),
) -> Studio:
    return build_studio(
        Settings(data=folder, max_megapixels=MAX_MEGAPIXELS, _env_file=None),
        FakeLoader(painter or Painter(say)),
        catalogue=FakeCatalogue(),
        dispatcher=dispatcher,
        resolve_device=lambda wish: "cpu",
        now=clock or Clock(),
    )


def a_picture(number: int) -> Image.Image:
    chance = np.random.default_rng(number % PICTURES)
    return Image.fromarray(chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def a_request(seed: int) -> InpaintRequest:
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[8:20, 8 : 16 + seed % 3] = 255
    params = InpaintParams(prompt="a cat", seed=seed, size=64, num_inference_steps=2)
    return InpaintRequest(a_picture(seed // PAINTINGS), Mask(pixels), params)


def everything(studio: Studio) -> list[Generation]:
    """Every row, in the gallery or in the trash."""
    found: list[Generation] = []
    for in_trash in (False, True):
        cursor = None
        while True:
            part = studio.gallery.browse(GalleryFilter(in_trash=in_trash), cursor, 200)
            found += part.generations
            if (cursor := part.next) is None:
                break
    return found


def drain(studio: Studio) -> None:
    """Work until nothing waits, also on what a dead process left half done."""
    while studio.worker.run_next():
        pass
    for generation in everything(studio):
        if generation.status is Status.INTERRUPTED:
            studio.generations.resume(generation.id)
    while studio.worker.run_next():
        pass


def grow_old(folder: Path, *, untouched_s: float = -math.inf) -> None:
    """A day passes for every stored file that nobody has touched for so long."""
    long_ago, now = time.time() - OLD_S, time.time()
    for path in (folder / "images").rglob("*"):
        try:
            if path.is_file() and now - path.stat().st_mtime > untouched_s:
                os.utime(path, (long_ago, long_ago))
        except FileNotFoundError:
            continue


def leftovers(folder: Path) -> list[str]:
    """Half-written and half-removed files of the store."""
    images = folder / "images"
    return sorted(path.name for path in images.rglob(".*") if path.is_file()) if images.is_dir() else []


# Bundles ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bundle:
    data: bytes
    ids: tuple[str, ...]
    sheet: str
    tag: str


def a_template(folder: Path) -> bytes:
    """A bundle of four generations in a sheet, each with a tag, made in a studio of its own."""
    studio = open_studio(folder)
    sheet = Sheet(Axis("guidance_scale", (1.0, 2.0)), Axis("strength", (0.9, 1.0)))
    made = studio.sheets.submit(a_request(3), sheet)
    drain(studio)
    ids = [generation.id for generation in made.generations]
    studio.gallery.tag(ids, ["tag-of-the-bundle"])
    file = io.BytesIO()
    studio.bundles.export(ids, file)
    return file.getvalue()


def a_bundle(template: bytes, chance: random.Random) -> Bundle:
    """The template under new ids and a new tag: to another installation it is another bundle."""
    with zipfile.ZipFile(io.BytesIO(template)) as old:
        index = old.read("bundle.json").decode()
        values = json.loads(index)
        ids = [entry["id"] for entry in values["generations"]]
        fresh = {id: f"{chance.getrandbits(48):012x}" for id in [*ids, values["sheets"][0]["id"]]}
        tag = f"bundle {chance.getrandbits(32):08x}"
        for known, other in {**fresh, "tag-of-the-bundle": tag}.items():
            index = index.replace(known, other)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as new:
            for name in old.namelist():
                new.writestr(name, index if name == "bundle.json" else old.read(name))
    return Bundle(file.getvalue(), tuple(fresh[id] for id in ids), fresh[values["sheets"][0]["id"]], tag)


SHEET = Origin(session="sheet")


def a_sheet(studio: Studio, seed: int) -> Any:
    return studio.sheets.submit(a_request(seed), Sheet(Axis("guidance_scale", (1.0, 2.0))), origin=SHEET)
