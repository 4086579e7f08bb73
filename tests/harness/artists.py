"""Artists with a picture open, and what they ask for: on the folder of a dashboard, beside it."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from core.bootstrap import Studio, build_studio
from core.domain.draft import Draft
from core.domain.files.encoding import encoded
from core.domain.generation import Origin
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.ports import Inpainter
from core.settings import Settings
from tests.browser.artist import PHOTO
from tests.harness.common import Say, chances, in_child
from tests.harness.sessions import Artist

POCKET = "pocket-inpaint"


def prepared(data: Path, count: int, seed: int) -> list[Artist]:
    """A draft for each, with a picture and a mask."""
    data.mkdir()
    said = in_child(partial(_prepare, data=data, count=count, seed=seed))
    return [Artist(*line["artist"]) for line in said if "artist" in line]


def _prepare(say: Say, data: Path, count: int, seed: int) -> None:
    studio = open_studio(data)
    picture = studio.pictures.read(PHOTO.read_bytes())
    pixels = np.zeros(picture.image.size[::-1], np.uint8)
    height, width = pixels.shape
    pixels[height // 3 : height // 2, width // 3 : width // 2] = 255
    mask = studio.generations.images.put(Mask(pixels).to_image())
    chance = chances("load", seed)
    for _ in range(count):
        id = studio.drafts.start()
        draft = studio.drafts.get(id)
        assert draft is not None
        opened = studio.drafts.open_picture(draft, picture, PHOTO.name)
        params = {**opened.params, **studio.recommendations.for_model(POCKET), "model": POCKET, "prompt": "clouds"}
        studio.drafts.save(id, opened.changed(base_mask=mask, params=params))
        say(artist=(f"{chance.getrandbits(64):016x}", id))


def large_draft(data: Path, size: tuple[int, int]) -> str:
    """The id of a draft with a photo of this size open, of which nothing is at hand."""
    [line] = in_child(partial(_open_large, data=data, size=size))
    return str(line["draft"])


def _open_large(say: Say, data: Path, size: tuple[int, int]) -> None:
    studio = open_studio(data)
    with Image.open(PHOTO) as photo:
        picture = studio.pictures.read(encoded(photo.resize(size), "JPEG"))
    id = studio.drafts.start()
    studio.drafts.save(id, studio.drafts.open_picture(studio.drafts.get(id) or Draft(), picture, "large.jpg"))
    say(draft=id)


def open_studio(data: Path) -> Studio:
    """What submits and looks, and leaves the painting to the dashboard."""
    return build_studio(
        Settings(data=data, model=POCKET, _env_file=None),
        _no_model,
        resolve_device=lambda wish: "cpu",
    )


def _no_model(model: str, device: str) -> Inpainter:
    raise AssertionError("only the dashboard paints")


def submit(studio: Studio, artist: Artist, seed: int) -> str:
    """What Generate does on the page."""
    draft = studio.drafts.get(artist.draft)
    assert draft is not None
    known = InpaintParams.model_fields
    params = InpaintParams(**{name: value for name, value in draft.params.items() if name in known})
    request = studio.generations.stored(draft.picture, str(draft.base_mask), params.changed(seed=seed))
    [id] = studio.generations.submit(request, origin=Origin(session=artist.person, source_name=draft.source_name))
    studio.drafts.save(artist.draft, draft.changed(generations=(id,)))
    return id


def wait_for_all(studio: Studio, stuck_s: float) -> None:
    """Until none waits and none is being painted, or none has come for so long."""
    before, changed = -1, time.monotonic()
    while time.monotonic() - changed < stuck_s:
        view = studio.queue.view(limit=0)
        left = len(view.running) + view.waiting_count
        if not left:
            return
        if left != before:
            before, changed = left, time.monotonic()
        time.sleep(0.2)
