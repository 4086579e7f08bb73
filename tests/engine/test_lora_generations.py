"""LoRAs through the real services with tiny real pipelines: recorded, painted again to the bit, refused in words."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.generation import Status, Verdict
from core.metadata.read import read
from core.services.model_cache import ModelCache
from core.settings import Settings
from tests.conftest import a_request
from tests.engine.tiny import save_pipeline
from tests.fakes import WaitingDispatcher
from tests.loras import write_lora


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("model"))


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)
    write_lora(found.models / "loras" / "oil.safetensors", seed=1)
    write_lora(found.models / "loras" / "ink.safetensors", seed=2, text=True)
    return found


def started(settings: Settings) -> Studio:
    """As after a restart: nothing is in memory."""
    return build_studio(
        settings,
        ModelCache(make_loader(settings)),
        dispatcher=lambda worker: WaitingDispatcher(worker.run),
    )


def painted(studio: Studio, model: Path, **params):
    request = a_request(**{"model": str(model), "size": 64, "num_inference_steps": 2, **params})
    [id] = studio.generations.submit(request)
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def verified(studio: Studio, id: str):
    [verification] = studio.reproductions.verify([id])
    studio.dispatcher.drain()
    return studio.reproductions.get(verification)


def test_what_was_painted_with_loras_verifies_exact_after_a_restart_and_between_others(settings, model):
    studio = started(settings)
    with_two = painted(studio, model, loras=["ink:te=0.2:unet=0.7"], prompt="a red ball <lora:oil:0.8>")
    with_one_weight = painted(studio, model, loras=["ink:0.7"], prompt="a red ball <lora:oil:0.8>")
    without = painted(studio, model, prompt="a red ball ")

    after = started(settings)
    found = [verified(after, one.id) for one in (with_two, without, with_one_weight, with_two)]

    assert len({one.pixels_sha256 for one in (with_two, without, with_one_weight)}) == 3
    assert with_two.params.prompt == "a red ball <lora:oil:0.8>"
    assert [one["name"] for one in with_two.record.inpainter.raw["loras"]] == ["ink", "oil"]
    assert [one.reproduction.verdict for one in found] == [Verdict.EXACT] * 4
    assert [one.reproduction.changes for one in found] == [()] * 4


def test_a_file_that_is_gone_or_another_one_now_is_told_by_verification_and_a_renamed_one_is_found(settings, model):
    studio, oil = started(settings), settings.models / "loras" / "oil.safetensors"
    id = painted(studio, model, loras=["oil"]).id

    renamed = oil.rename(oil.with_name("renamed.safetensors"))
    assert verified(studio, id).reproduction.verdict is Verdict.EXACT
    shutil.move(renamed, kept := settings.data / "kept")
    gone = verified(studio, id)
    write_lora(oil, seed=9)
    other = verified(studio, id)
    shutil.move(kept, oil)

    assert (gone.status, other.status) == (Status.FAILED, Status.FAILED)
    assert "oil.safetensors is not on this machine" in gone.error
    assert "oil.safetensors is another file now than the one that this was painted with" in other.error
    assert verified(studio, id).reproduction.verdict is Verdict.EXACT


def test_a_file_that_does_not_fit_fails_the_generation_in_words_and_the_next_one_is_painted(settings, model):
    studio = started(settings)
    before = painted(studio, model)
    write_lora(settings.models / "loras" / "wide.safetensors", width=24)

    failed = painted(studio, model, loras=["oil", "wide"])

    assert failed.status is Status.FAILED
    assert "24 wide, and 16 x 16 in this model" in failed.error
    assert painted(studio, model).pixels_sha256 == before.pixels_sha256


def test_a_picture_that_is_handed_on_names_them_as_other_tools_do_and_comes_back_with_them(settings, model):
    studio = started(settings)
    path = write_lora(settings.data / "private" / "ink 2.safetensors", seed=3)
    made = painted(studio, model, loras=[f"{path}:0.5"], prompt="a ball <lora:oil:1>")

    data = studio.exports.file(made)

    text = Image.open(io.BytesIO(data)).info["parameters"]
    [ink, oil] = made.record.inpainter.raw["loras"]
    assert text.startswith("a ball <lora:oil:1> <lora:ink 2:0.5>\n")
    assert f'Lora hashes: "ink 2: {ink["sha256"][7:17]}, oil: {oil["sha256"][7:17]}"' in text
    assert str(path.parent) not in str(data)
    assert read(data, models=[]).params["loras"] == [{"name": "ink 2", "weight": 0.5}]


def test_they_come_along_in_presets_drafts_and_bundles(settings, model, tmp_path):
    studio = started(settings)
    made = painted(studio, model, loras=["oil:0.8"])

    studio.presets.save("Oil", made.params)
    draft = studio.drafts.start()
    studio.drafts.save(draft, studio.drafts.from_generation(made))
    with (tmp_path / "bundle.zip").open("w+b") as file:
        studio.bundles.export([made.id], file)
        other = started(settings.model_copy(update={"data": tmp_path / "other"}))
        [id] = other.bundles.import_(file).ids

    listed = [{"name": "oil", "weight": 0.8}]
    assert studio.presets.all()["Oil"]["loras"] == listed
    assert studio.presets.import_(studio.presets.export().encode()).known == ("Oil",)
    assert started(settings).drafts.get(draft).params["loras"] == listed
    assert other.gallery.get(id).params == made.params
    assert "oil.safetensors is not on this machine" in verified(other, id).error
