"""The transformer of a large model in one file: what it does not contain comes from a folder on this machine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.errors import DamagedModel, UnknownModel
from core.domain.generation import Status, Verdict
from core.domain.model_file import FileKind
from core.engine.diffusers_inpainter import load
from core.engine.models import kinds, transformer_file
from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from core.services.model_cache import ModelCache
from core.settings import Settings
from tests.conftest import a_request
from tests.engine import model_files
from tests.engine.tiny import a_working_request
from tests.engine.tiny_transformers import save
from tests.fakes import WaitingDispatcher

pytestmark = pytest.mark.slow

TITLES = (
    "FLUX.1",
    "FLUX.1 Kontext",
    "FLUX.1 Fill",
    "FLUX.2 klein",
    "Chroma",
    "Qwen-Image",
    "Stable Diffusion 3",
    "Z-Image",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made: dict[str, Path] = {}

    def of(title: str) -> Path:
        if title not in made:
            made[title] = save(title, tmp_path_factory.mktemp("model"))
        return made[title]

    return of


@pytest.fixture
def ours(settings, folders):
    """ours("FLUX.1") -> the folder of a pipeline among the artist's own, without the weights of its transformer."""

    def put(title: str) -> Path:
        folder = settings.models / "checkpoints" / title.replace(" ", "-")
        shutil.copytree(folders(title), folder)
        for weights in (folder / "transformer").glob("*.safetensors*"):
            weights.unlink()
        return folder

    return put


def transformer_of(folder: Path, *, dtype: str = "float32") -> dict:
    import torch
    from safetensors.torch import load_file

    [file] = (folder / "transformer").glob("*.safetensors")
    return {name: tensor.to(getattr(torch, dtype)) for name, tensor in load_file(file).items()}


def written(settings: Settings, name: str, weights: dict) -> Path:
    from safetensors.torch import save_file

    file = settings.data / "downloads" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous().clone() for key, tensor in weights.items()}, file)
    return file


def painted(key: str, settings: Settings):
    inpainter = load(key, "cpu", Catalogue(settings), settings)
    return inpainter, inpainter.inpaint(a_working_request(num_inference_steps=2), lambda report: None)


@pytest.mark.parametrize("title", TITLES)
def test_it_paints_what_the_whole_folder_paints_to_the_bit(settings, folders, ours, title):
    rest = ours(title)
    name = "my-kontext.safetensors" if "Kontext" in title else "my-model.safetensors"
    key = str(written(settings, name, transformer_of(folders(title))))
    if title == "FLUX.1 Fill":
        # Told by a width that the tiny one does not have: so what is meant is said.
        key += f"@{rest}"

    inpainter, from_file = painted(key, settings)
    _, from_folder = painted(str(folders(title)), settings)

    assert from_file.image.tobytes() == from_folder.image.tobytes()
    assert f"transformer/{name}" in inpainter.model.details["weights"]


def test_the_original_layout_is_converted(settings, folders, ours):
    ours("Z-Image")
    weights = transformer_of(folders("Z-Image"))
    parts = sorted({key.rpartition(".to_")[0] for key in weights if ".attention.to_q." in key})
    import torch

    for part in parts:
        fused = torch.cat([weights.pop(f"{part}.to_{name}.weight") for name in "qkv"])
        weights[f"{part}.qkv.weight"] = fused
    renamed = {
        "all_final_layer.2-1.": "final_layer.",
        "all_x_embedder.2-1.": "x_embedder.",
        ".attention.to_out.0.": ".attention.out.",
        ".attention.norm_k.": ".attention.k_norm.",
        ".attention.norm_q.": ".attention.q_norm.",
    }
    original = {}
    for key, tensor in weights.items():
        for new, old in renamed.items():
            key = key.replace(new, old)
        original[f"model.diffusion_model.{key}"] = tensor

    _, from_file = painted(str(written(settings, "z.safetensors", original)), settings)

    assert from_file.image.tobytes() == painted(str(folders("Z-Image")), settings)[1].image.tobytes()


def test_float8_is_read_as_what_it_stands_for(settings, folders, ours):
    import torch

    ours("Z-Image")
    rounded = transformer_of(folders("Z-Image"), dtype="float8_e4m3fn")
    small = written(settings, "small.safetensors", rounded)
    same = written(settings, "same.safetensors", {key: tensor.to(torch.float32) for key, tensor in rounded.items()})

    assert small.stat().st_size < same.stat().st_size / 2
    assert painted(str(small), settings)[1].image.tobytes() == painted(str(same), settings)[1].image.tobytes()


def test_a_file_that_lacks_a_weight_or_is_of_another_size_is_refused_before_anything_is_painted(
    settings, folders, ours
):
    ours("FLUX.1")
    weights = transformer_of(folders("FLUX.1"))
    lacking = {key: tensor for key, tensor in weights.items() if key != "proj_out.weight"}
    wide = {**weights, "proj_out.weight": weights["proj_out.weight"].repeat(2, 1)}

    for broken in (lacking, wide):
        with pytest.raises(DamagedModel):
            painted(str(written(settings, "broken.safetensors", broken)), settings)


def test_without_a_pipeline_it_is_told_what_is_missing_and_another_one_can_be_named(settings, folders):
    file = written(settings, "flux.safetensors", transformer_of(folders("FLUX.1")))

    with pytest.raises(UnknownModel, match="models/checkpoints, or write its name behind"):
        Catalogue(settings).find(str(file))
    with pytest.raises(UnknownModel, match="is no diffusers pipeline"):
        Catalogue(settings).find(f"{file}@content-fill")

    assert Catalogue(settings).find(f"{file}@{folders('FLUX.1')}").folder == str(folders("FLUX.1"))


def test_it_stands_among_the_checkpoints_and_can_be_added_to_them(settings, folders, ours):
    ours("FLUX.1")
    file = written(settings, "flux.safetensors", transformer_of(folders("FLUX.1")))
    store = LocalModels(settings, Catalogue(settings))

    added = store.add(file)

    assert added.parent == settings.models / "checkpoints"
    told = {found.path: store.tell(found) for found in store.found()}[added]
    assert (told.kind, told.family, told.problem) == (FileKind.CHECKPOINT, "FLUX.1", None)


def test_what_it_painted_verifies_exact_after_a_restart_and_tells_of_another_file(settings, folders, ours):
    ours("FLUX.1")
    weights = transformer_of(folders("FLUX.1"))
    file = written(settings, "flux.safetensors", weights)
    studio = started(settings)
    [id] = studio.generations.submit(a_request(model=str(file), size=64, num_inference_steps=2))
    studio.dispatcher.drain()
    assert studio.gallery.get(id).status is Status.SUCCEEDED

    exact = verified(started(settings), id)
    written(settings, file.name, {**weights, "proj_out.weight": weights["proj_out.weight"] * 2})
    other = verified(started(settings), id)

    assert (exact.verdict, exact.changes) == (Verdict.EXACT, ())
    assert other.verdict is Verdict.DIFFERENT
    assert "model" in " ".join(str(change) for change in other.changes).lower()


def started(settings: Settings) -> Studio:
    """As after a restart: nothing is in memory."""
    return build_studio(
        settings, ModelCache(make_loader(settings)), dispatcher=lambda worker: WaitingDispatcher(worker.run)
    )


def verified(studio: Studio, id: str):
    [verification] = studio.reproductions.verify([id])
    studio.dispatcher.drain()
    return studio.reproductions.get(verification).reproduction


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("flux1-dev-fp8.safetensors", "FLUX.1"),
        ("flux1_dev_KONTEXT.safetensors", "FLUX.1 Kontext"),
        ("fluxFill.safetensors", "FLUX.1"),
    ],
)
def test_the_family_is_told_by_the_file_and_then_by_its_name(tmp_path, name, family):
    shapes = {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64)}
    told = kinds.of(model_files.write(tmp_path / "flux.safetensors", shapes))

    assert transformer_file.family_of(told, name) == family
    assert transformer_file.family_of(replace(told, in_channels=384), name) == "FLUX.1 Fill"
    with pytest.raises(UnknownModel, match="cannot repaint"):
        transformer_file.family_of(replace(told, in_channels=128), name)
    with pytest.raises(UnknownModel, match="quantised"):
        transformer_file.family_of(replace(told, quantised="scaled float8"), name)
