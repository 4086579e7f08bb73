from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from core.domain.errors import DamagedModel, ModelNotDownloaded, UnknownModel
from core.domain.model import ModelSpec
from core.domain.params import InpaintParams
from core.engine.models import catalogue as table
from core.engine.models.catalogue import Catalogue
from core.engine.models.integrity import read_index
from core.engine.models.table import MODELS
from core.ports import ModelCatalogue

WORDS = {
    "objects": {
        "cat": {"synonyms": ["kitten"], "plural": "cats", "colours": True},
        "sheep": {"synonyms": []},
        "moon": ["crescent moon"],
    },
    "colours": ["red", "blue"],
    "background_words": ["sky"],
    "recommended": {"num_inference_steps": 12, "guidance_scale": 2.5, "size": 128, "made_with": "care"},
}

SMALL = ModelSpec(
    key="small", title="Small", description="", native_px=64, folder="assets/small", recommended={"size": 64}
)


@pytest.fixture
def root(models, tmp_path) -> Path:
    """A repository with the model "small" in it."""
    folder = tmp_path / "root" / "assets" / "small"
    folder.parent.mkdir(parents=True)
    os.symlink(models(in_channels=9), folder)
    return tmp_path / "root"


@pytest.fixture
def catalogue(settings, root, tmp_path) -> ModelCatalogue:
    return Catalogue(settings, models=[SMALL, *MODELS], root=root, cache=tmp_path / "cache")


def test_every_row_of_the_table_can_be_shown_and_recommends_valid_params():
    for spec in MODELS:
        params = InpaintParams(model=spec.key, **spec.recommended)

        # Content fill has no size that it was trained at: it works at the picture's own, up to this one.
        assert params.size == (1536 if spec.engine == "content-fill" else spec.native_px)
        assert spec.title
        assert spec.description
        assert spec.licence_url.startswith("https://")
        assert bool(spec.repository) + bool(spec.folder) == (spec.engine != "content-fill")
        assert set(spec.unused) <= set(InpaintParams.model_fields)
    assert len({spec.key for spec in MODELS}) == len(MODELS)
    keys = [spec.key for spec in MODELS]
    assert keys[:6] == ["pocket-inpaint", "content-fill", "mi-gan", "lama", "sd15-inpainting", "sd14"]


def test_the_default_model_of_params_and_settings_is_in_the_table(settings):
    keys = {spec.key for spec in MODELS}

    assert {InpaintParams().model, settings.model} <= keys


def test_listing_models_reads_no_network_and_loads_no_torch(catalogue):
    assert [spec.key for spec in catalogue.listed()] == ["small", *(spec.key for spec in MODELS)]


def test_a_folder_is_found_by_its_path_however_it_is_written(catalogue, models, monkeypatch, tmp_path):
    folder = models(in_channels=9)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.chdir(folder.parent)

    for key in (str(folder), f"~/{folder.name}", f"./{folder.name}", folder.name, f"  {folder} "):
        spec = catalogue.find(key)

        assert spec.key == key.strip()
        assert spec.native_px == 64
        assert spec.recommended["size"] == 64
        assert catalogue.locate(key) == folder
        assert catalogue.is_ready(key)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("unet", {"sample_size": 10**9}),
        ("unet", {"sample_size": 0}),
        ("unet", {"sample_size": True}),
        ("unet", {"sample_size": [64, 64]}),
        ("vae", {"block_out_channels": 4}),
        ("vae", {"block_out_channels": [4], "sample_size": 9}),
    ],
)
def test_a_folder_that_says_nonsense_about_its_size_gets_one_that_can_be_chosen(
    catalogue, models, tmp_path, part, values
):
    folder = shutil.copytree(models(in_channels=9), tmp_path / "copy")
    file = folder / part / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), "utf-8")

    spec = catalogue.find(str(folder))

    assert InpaintParams(**spec.recommended).size == spec.native_px == 512


def test_a_hub_id_is_found_without_asking_the_hub(catalogue):
    spec = catalogue.find("Somebody/some-model.v2@refs/pr/1")

    assert (spec.repository, spec.revision, spec.folder) == ("Somebody/some-model.v2", "refs/pr/1", None)
    assert spec.url == "https://huggingface.co/Somebody/some-model.v2"
    assert not catalogue.is_ready(spec.key)


def test_a_hub_id_of_the_table_keeps_what_the_table_knows_about_it(catalogue):
    spec = catalogue.find("CompVis/stable-diffusion-v1-4")

    assert spec.key == "CompVis/stable-diffusion-v1-4"
    assert spec.recommended["strength"] == 0.8


@pytest.mark.parametrize(
    "key",
    [
        "",
        "nonsense",
        "a b/c",
        "../../etc",
        "owner/na..me",
        "owner/na--me",
        "-o/x",
        "x/y@",
        "https://example.org/a/b",
        "a\x00b/c",
        "owner/" + "n" * 300,
        "~nosuchuser",
        "\ud800",
    ],
)
def test_what_is_neither_folder_nor_hub_id_is_unknown(catalogue, key):
    with pytest.raises(UnknownModel):
        catalogue.find(key)


@pytest.mark.parametrize("key", ["/nowhere/at/all", "./nowhere", "~/nowhere", "C:\\models\\sd", "some/where/else"])
def test_a_path_that_is_not_there_is_called_a_folder(catalogue, key):
    with pytest.raises(UnknownModel, match="does not exist"):
        catalogue.find(key)


def test_a_folder_without_a_pipeline_says_what_is_missing(catalogue, tmp_path):
    with pytest.raises(UnknownModel, match=r"no model_index\.json"):
        catalogue.find(str(tmp_path))


def test_a_model_of_the_table_lies_relative_to_the_repository(catalogue, root):
    assert catalogue.is_ready("small")
    assert catalogue.locate("small") == root / "assets" / "small"
    catalogue.download("small", lambda done, total: None)


def test_a_model_of_the_table_that_is_missing_says_where_it_should_be(settings, tmp_path):
    catalogue = Catalogue(settings, root=tmp_path)

    assert not catalogue.is_ready("pocket-inpaint")
    assert catalogue.find("pocket-inpaint").recommended == {"size": 128}
    with pytest.raises(ModelNotDownloaded, match="assets/models/pocket-inpaint"):
        catalogue.locate("pocket-inpaint")


def test_a_model_without_a_vocabulary_knows_the_language(catalogue):
    assert catalogue.vocabulary("small") is None
    assert catalogue.vocabulary("sd14") is None


def with_words(folder: Path, words) -> Path:
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "vocabulary.json").write_text(words if isinstance(words, str) else json.dumps(words))
    return folder


def test_a_pocket_models_words_and_settings_are_read_from_its_folder(settings, tmp_path):
    with_words(tmp_path / "assets" / "models" / "pocket-inpaint", WORDS)
    catalogue = Catalogue(settings, root=tmp_path)

    words = catalogue.vocabulary("pocket-inpaint")
    spec = catalogue.find("pocket-inpaint")

    assert words.objects == {"cat": ("cats", "kitten"), "sheep": (), "moon": ("crescent moon",)}
    assert (words.colours, words.background_words) == (("red", "blue"), ("sky",))
    assert words.knows("Two kittens? No: one KITTEN")
    assert spec.recommended == {"num_inference_steps": 12, "guidance_scale": 2.5, "size": 128}
    assert spec in catalogue.listed()


def test_what_a_folder_says_is_read_again_once_it_has_changed(settings, tmp_path):
    folder = with_words(tmp_path / "assets" / "models" / "pocket-inpaint", WORDS)
    catalogue = Catalogue(settings, root=tmp_path)
    before = catalogue.find("pocket-inpaint"), read_index(folder)

    (folder / "vocabulary.json").write_text(json.dumps({"recommended": {"num_inference_steps": 7}}))
    (folder / "model_index.json").write_text('{"_class_name": "Another"}')

    assert before[0].recommended["num_inference_steps"] == 12
    assert catalogue.find("pocket-inpaint").recommended["num_inference_steps"] == 7
    assert (before[1], read_index(folder)) == ({}, {"_class_name": "Another"})


@pytest.mark.parametrize("words", ["{", "[1]", '"cat"'])
def test_a_vocabulary_that_cannot_be_read_is_called_damaged(settings, tmp_path, words):
    folder = with_words(tmp_path / "model", words)

    with pytest.raises(DamagedModel, match=r"vocabulary\.json"):
        Catalogue(settings).vocabulary(str(folder))


def test_an_index_that_cannot_be_read_is_called_damaged(settings, tmp_path):
    folder = with_words(tmp_path / "model", WORDS)
    (folder / "model_index.json").write_text("<html>")

    assert not Catalogue(settings).is_ready(str(folder))
    with pytest.raises(DamagedModel, match=r"model_index\.json"):
        Catalogue(settings).locate(str(folder))


def test_the_bundled_model_is_where_the_table_says(settings):
    if not (table.ROOT / "assets" / "models" / "pocket-inpaint").is_dir():
        pytest.skip("the pocket model is not in this copy")
    catalogue = Catalogue(settings)

    assert catalogue.is_ready("pocket-inpaint")
    assert catalogue.vocabulary("pocket-inpaint") is not None
    InpaintParams(**catalogue.find("pocket-inpaint").recommended)
