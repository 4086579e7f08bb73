"""Embeddings through the real services with tiny real pipelines: recorded, painted again to the bit, told when gone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from core.domain.generation import Status, Verdict
from core.metadata.read import read
from core.services.prompts import for_resubmission
from core.settings import Settings
from tests.embeddings import write_embedding
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import save_pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("model"))


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)
    write_embedding(found.models / "embeddings" / "oil.safetensors", 3, seed=1)
    return found


@pytest.mark.slow
def test_what_was_painted_with_one_verifies_exact_after_a_restart_and_without_one_whatever_comes_later(settings, model):
    studio = started(settings)
    with_one = painted(studio, model, prompt="in oil, ink", negative_prompt="<oil>")
    as_word = painted(studio, model, prompt="in ink")

    write_embedding(settings.models / "embeddings" / "ink.safetensors", seed=5)
    after = started(settings)
    found = [verified(after, one.id) for one in (with_one, as_word, with_one)]

    assert with_one.params.embeddings == ("oil",)
    assert [one["vectors"] for one in with_one.record.inpainter.raw["embeddings"]] == [3]
    assert [one.reproduction.verdict for one in found] == [Verdict.EXACT] * 3
    assert [one.reproduction.changes for one in found] == [()] * 3
    assert painted(after, model, prompt="in ink").pixels_sha256 != as_word.pixels_sha256


@pytest.mark.slow
def test_a_file_that_is_gone_or_another_one_now_is_told_and_a_renamed_one_is_found(settings, model):
    studio, oil = started(settings), settings.models / "embeddings" / "oil.safetensors"
    made = painted(studio, model, prompt="in oil")

    renamed = oil.rename(oil.with_name("renamed.safetensors"))
    assert verified(studio, made.id).reproduction.verdict is Verdict.EXACT
    shutil.move(renamed, kept := settings.data / "kept")
    gone = verified(studio, made.id)
    write_embedding(oil, seed=9)
    other = verified(studio, made.id)
    shutil.move(kept, oil)

    assert (gone.status, other.status) == (Status.FAILED, Status.FAILED)
    assert "Embedding: oil.safetensors is not on this machine" in gone.error
    assert "oil.safetensors is another file now than the one that this was painted with" in other.error
    assert verified(studio, made.id).reproduction.verdict is Verdict.EXACT


@pytest.mark.slow
def test_a_picture_that_is_handed_on_names_it_as_a1111_does_and_comes_back_with_it(settings, model, tmp_path):
    studio = started(settings)
    made = painted(studio, model, prompt="in oil", negative_prompt="(oil)1.2", prompt_weights=True)

    data = studio.exports.file(made)
    [oil] = made.record.inpainter.raw["embeddings"]
    studio.presets.save("Oil", made.params)
    with (tmp_path / "bundle.zip").open("w+b") as file:
        studio.bundles.export([made.id], file)
        other = started(settings.model_copy(update={"data": tmp_path / "other"}))
        [id] = other.bundles.import_(file).ids

    assert f'TI hashes: "oil: {oil["sha256"][7:19]}"' in Image.open(io.BytesIO(data)).info["parameters"]
    assert read(data, models=[]).params["embeddings"] == ["oil"]
    assert studio.presets.all()["Oil"]["embeddings"] == ["oil"]
    assert other.gallery.get(id).params == made.params
    assert "oil.safetensors is not on this machine" in verified(other, id).error
    with pytest.raises(Exception, match="oil.safetensors is not on this machine"):
        other.generations.check(for_resubmission(made.params))
