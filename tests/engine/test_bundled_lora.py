"""The LoRA that comes with the pocket model: it is there at once, and makes ink drawings that verify exactly."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.generation import Verdict
from core.domain.model_file import Base, FileKind
from core.domain.model_library import KindFilter, Place, matching
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.domain.sheet import Axis, Sheet
from core.engine.models import kinds
from core.engine.models.folders import BUNDLED
from core.services.model_cache import ModelCache
from core.settings import Settings
from tests.fakes import WaitingDispatcher

FILE = BUNDLED[FileKind.LORA] / "pocket-ink.safetensors"

SHA256 = "766a1ac8bede28dec9d58e9eecb5735bc0f156e31bd58ddacb69d4afd682cbea"
"""What was released never changes: pictures are recorded with it."""

DARK = 70
"""Of 255, in the brightest channel: ink is 52."""


@pytest.fixture
def its_own(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setattr("core.engine.models.folders.BUNDLED", BUNDLED)
    return Settings(_env_file=None, data=tmp_path / "data", threads=1, device="cpu", preview=False, HF_TOKEN=None)


def started(settings: Settings) -> Studio:
    return build_studio(
        settings, ModelCache(make_loader(settings)), dispatcher=lambda worker: WaitingDispatcher(worker.run)
    )


def test_it_is_small_told_by_its_header_and_never_changed():
    about = kinds.of(FILE)

    assert (about.kind, about.base, about.naming) == (FileKind.LORA, Base.POCKET, "kohya")
    assert about.trigger_words == ("ink drawing",)
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SHA256
    assert FILE.stat().st_size < 1_000_000
    assert "MIT" in (FILE.parent / "README.md").read_text(encoding="utf-8")


def test_it_is_listed_as_bundled_with_a_picture_and_offered_for_the_pocket_model_alone(its_own):
    studio = started(its_own)

    [entry] = matching(studio.library.here(), kind=KindFilter.LORA)

    assert (entry.found.title, entry.found.place, entry.is_removable) == ("pocket-ink", Place.BUNDLED, False)
    assert studio.library.picture(entry)
    assert "pocket-ink" in [file.name for file in studio.loras.for_model("pocket-inpaint")]


def painted_part(studio: Studio, id: str) -> np.ndarray:
    """What the model painted, (h, w, 3)."""
    generation = studio.gallery.get(id)
    assert generation.error is None
    whole = np.asarray(studio.pictures.images.get(generation.result).convert("RGB"))
    return whole[MARGIN:-MARGIN, MARGIN:-MARGIN]


SIDE, MARGIN = 192, 32


def a_scene() -> tuple[Image.Image, Mask]:
    """A grey-green wall, and a square in its middle to paint."""
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((MARGIN, MARGIN, SIDE - MARGIN, SIDE - MARGIN), 255)
    return Image.new("RGB", (SIDE, SIDE), (150, 160, 140)), Mask.stored(mask)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["a red balloon", "ink drawing of a cat"])
def test_with_it_objects_are_ink_drawings_the_more_the_higher_its_weight_and_verify_exact(its_own, prompt):
    studio = started(its_own)
    suits = studio.recommendations.for_model("pocket-inpaint")
    request = InpaintRequest(
        *a_scene(), InpaintParams(**{**suits, "model": "pocket-inpaint", "prompt": prompt, "seed": 5})
    )

    sheet = studio.sheets.submit(request, Sheet(Axis.parse("loras", "pocket-ink 0, 0.5, 1")))
    studio.dispatcher.drain()
    ids = [cell.id for cell in sheet.generations]
    pictures = [painted_part(studio, id).astype(float) for id in ids]
    after = started(its_own)
    verifications = after.reproductions.verify(ids)
    after.dispatcher.drain()

    colourful = [float((picture.max(-1) - picture.min(-1)).mean()) for picture in pictures]
    dark = [float((picture.max(-1) < DARK).mean()) for picture in pictures]
    assert colourful[2] < colourful[1] < colourful[0]
    assert colourful[2] < 0.4 * colourful[0]
    assert dark[2] > dark[0] + 0.04
    verdicts = [after.reproductions.get(id).reproduction.verdict for id in verifications]
    assert verdicts == [Verdict.EXACT] * 3
