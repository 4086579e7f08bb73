"""Upscales in the gallery: recorded, verified, in chains and bundles, refused in words."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.enlarging import enlarged
from core.domain.errors import ImageTooLarge, InvalidMove, InvalidParams, UnknownModel
from core.domain.generation import Relation, Status, Verdict
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.domain.upscale import Upscale
from core.metadata.read import read
from core.services.model_cache import ModelCache
from tests import onnx_files as make
from tests.fakes import WaitingDispatcher

WIDTH, HEIGHT = 96, 64


def started(settings) -> Studio:
    """As after a restart: nothing is in memory."""
    return build_studio(
        settings, ModelCache(make_loader(settings)), dispatcher=lambda worker: WaitingDispatcher(worker.run)
    )


@pytest.fixture
def upscaler(settings) -> Path:
    return make.upscaler(settings.models / "upscale_models" / "sharp.onnx", 2, side=64)


@pytest.fixture
def remover(settings) -> Path:
    return make.lama(settings.models / "removers" / "mine.onnx", 64)


@pytest.fixture
def studio(settings, upscaler, remover) -> Studio:
    return started(settings)


def removed(studio: Studio, remover: Path):
    """A generation whose painted part is known."""
    chance = np.random.default_rng(2)
    picture = Image.fromarray(chance.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:40, 30:50] = 255
    params = InpaintParams(model=str(remover), prompt="a quiet wall", mask_grow_px=3, mask_feather_px=2)
    [id] = studio.generations.submit(InpaintRequest(picture, Mask(mask), params))
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def upscaled(studio: Studio, generation, method: str, factor: int = 2, **choices):
    id = studio.upscales.submit(generation, studio.upscales.named(method, factor), **choices)
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def verdicts(studio: Studio, *ids: str) -> list[Verdict]:
    waiting = studio.reproductions.verify(ids)
    studio.dispatcher.drain()
    return [studio.reproductions.get(id).reproduction.verdict for id in waiting]


@pytest.mark.slow
def test_an_upscale_is_a_generation_of_its_own_and_verifies_exact_after_a_restart(settings, studio, remover):
    before = removed(studio, remover)
    made = [
        upscaled(studio, before, "lanczos"),
        upscaled(studio, before, "sharp", 4),
        upscaled(studio, before, "sharp", 2, part_only=True),
    ]

    assert [one.status for one in made] == [Status.SUCCEEDED] * 3
    assert [(one.width, one.height) for one in made] == [(192, 128), (384, 256), (192, 128)]
    assert {(one.parent_id, one.relation, one.source) for one in made} == {(before.id, Relation.UPSCALE, before.output)}
    assert [one.params.prompt for one in made] == ["a quiet wall"] * 3
    assert all(one.record.outside_mask_unchanged for one in made)
    assert len({one.pixels_sha256 for one in made}) == 3
    pictures = [studio.gallery.image(one.output) for one in made]
    assert [picture.size for picture in pictures] == [(192, 128), (384, 256), (192, 128)]
    assert pictures[0].tobytes() == enlarged(studio.gallery.image(before.output), 2).tobytes()
    assert verdicts(started(settings), *(one.id for one in made)) == [Verdict.EXACT] * 3


def test_of_the_painted_part_only_that_is_made_by_the_model(studio, remover):
    before = removed(studio, remover)

    made = upscaled(studio, before, "sharp", part_only=True)

    result, around = (np.asarray(picture) for picture in (
        studio.gallery.image(made.output), enlarged(studio.gallery.image(before.output), 2)
    ))  # fmt: skip
    may = studio.gallery.mask(before).grown(3).pixels.repeat(2, axis=0).repeat(2, axis=1) > 0
    assert (result[~may] == around[~may]).all()
    assert (result[may] != around[may]).any()
    assert made.mask == before.mask
    assert made.painted_part.size.width < 192


@pytest.mark.slow
def test_the_chain_is_the_pictures_way_and_is_replayed_with_the_upscale_in_it(studio, remover):
    before = removed(studio, remover)
    made = upscaled(studio, before, "sharp", part_only=True)

    family = studio.families.of(made.id)
    replay_id = studio.replays.start(made.id)
    for _ in range(3):
        studio.dispatcher.drain()
        studio.replays.advance()
    replay = studio.replays.get(replay_id)

    assert [member.id for member in family.chain] == [before.id, made.id]
    assert studio.replays.verdict(replay) is Verdict.EXACT
    again = studio.gallery.get(replay.steps[-1].again.id)
    assert (again.relation, again.width, again.pixels_sha256) == (Relation.UPSCALE, 192, made.pixels_sha256)


@pytest.mark.slow
def test_a_bundle_brings_it_to_another_gallery_where_it_verifies_exact(studio, settings, remover, tmp_path):
    made = upscaled(studio, removed(studio, remover), "lanczos", 4)
    file = io.BytesIO()
    studio.bundles.export([made.id], file)
    other = started(settings.model_copy(update={"data": tmp_path / "elsewhere"}))

    file.seek(0)
    [id] = other.bundles.import_(file).ids

    assert (other.gallery.get(id).width, other.gallery.get(id).params) == (384, made.params)
    assert verdicts(other, id) == [Verdict.EXACT]


@pytest.mark.slow
def test_a_file_that_is_gone_is_told_by_the_verification(settings, studio, upscaler, remover):
    made = upscaled(studio, removed(studio, remover), "sharp")
    upscaler.unlink()

    [id] = started(settings).reproductions.verify([made.id])
    after = started(settings)
    after.dispatcher.enqueue(id)
    after.dispatcher.drain()

    assert "sharp.onnx is not on this machine" in after.reproductions.get(id).error


def test_too_large_is_told_before_and_what_has_no_picture_or_no_mask_too(studio, remover):
    before = removed(studio, remover)
    upscales = studio.upscales
    made = upscaled(studio, before, "lanczos")
    small = type(upscales)(upscales.generations, upscales.library, upscales.models, max_pixels=192 * 128)

    assert small.size(before, 2).sides == (192, 128)
    with pytest.raises(ImageTooLarge, match="Enlarged 4x this picture would have 384 x 256 pixels"):
        small.submit(before, Upscale("lanczos", 4))
    with pytest.raises(InvalidMove, match="which part"):
        upscales.submit(made, Upscale("lanczos", 2), part_only=True)
    [waiting] = studio.generations.submit(before.request)
    with pytest.raises(InvalidMove, match="nothing to enlarge"):
        upscales.submit(studio.gallery.get(waiting), Upscale("lanczos", 2))
    with pytest.raises(InvalidParams, match="Upscale: must enlarge by 2 or 4, not 3"):
        upscales.named("lanczos", 3)
    with pytest.raises(UnknownModel, match="no model nothing"):
        upscales.named("nothing", 2)
    with pytest.raises(UnknownModel, match="is no upscaler"):
        upscales.submit(before, upscales.named("mine", 2))


@pytest.mark.slow
def test_the_file_of_an_upscale_says_it_in_a1111s_words_and_no_path(studio, remover, settings):
    made = upscaled(studio, removed(studio, remover), "sharp", 4)

    written = Image.open(io.BytesIO(studio.exports.file(made))).info

    assert "Size: 384x256, Postprocess upscale by: 4, Postprocess upscaler: sharp" in written["parameters"]
    assert not any(str(settings.data) in str(text) for text in written.values())


@pytest.mark.slow_but_first
@pytest.mark.parametrize("method", ["lanczos", "sharp"])
def test_whoever_paints_on_or_opens_its_file_is_offered_the_words_and_no_upscaler_as_a_model(studio, remover, method):
    made = upscaled(studio, removed(studio, remover), method)

    draft = studio.drafts.continued_from(made)
    opened = read(studio.exports.file(made))

    assert (draft.source, draft.params) == (made.output, {"prompt": "a quiet wall", "negative_prompt": ""})
    assert "model" not in opened.params
    assert opened.params["prompt"] == "a quiet wall"


@pytest.mark.slow
def test_an_upscale_of_an_upscale_is_larger_still(studio, remover):
    once = upscaled(studio, removed(studio, remover), "lanczos")

    twice = upscaled(studio, once, "sharp")

    assert (twice.width, twice.source, twice.parent_id) == (384, once.output, once.id)


def test_methods_are_lanczos_and_the_upscalers_of_this_machine(studio, settings):
    make.classifier(settings.models / "upscale_models" / "other.onnx")
    (settings.models / "upscale_models" / "old.pth").write_bytes(b"\x80\x02")

    assert list(studio.upscales.methods().values()) == ["Lanczos (no model)", "sharp"]
