"""Where models are looked for: our own folders, and those of other programs."""

from __future__ import annotations

import os

import pytest

from core.domain.model_file import FileKind
from core.engine.models.folders import walk, watched, watched_for
from core.settings import Settings


@pytest.fixture
def named(tmp_path, monkeypatch):
    """named(folder, ...): the settings with these as further folders."""

    def make(*folders) -> Settings:
        monkeypatch.setenv("INPAINT_STUDIO_MODEL_FOLDERS", os.pathsep.join(map(str, folders)))
        return Settings(data=tmp_path / "data")

    return make


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def below(root, settings, kind):
    return [path.relative_to(root).as_posix() for path in watched_for(settings, kind) if path.is_relative_to(root)]


def test_without_a_setting_only_our_own_folders_are_watched(named, tmp_path):
    folders(tmp_path / "data" / "models", "loras", "checkpoints", "something else")

    found = watched(named())

    assert [(folder.path.name, folder.is_ours) for folder in found] == [("checkpoints", True), ("loras", True)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (FileKind.CHECKPOINT, "models/Stable-diffusion"),
        (FileKind.LORA, "models/Lora"),
        (FileKind.LORA, "models/LyCORIS"),
        (FileKind.EMBEDDING, "embeddings"),
        (FileKind.VAE, "models/VAE"),
        (FileKind.CONTROLNET, "models/ControlNet"),
        (FileKind.CONTROLNET, "extensions/sd-webui-controlnet/models"),
        (FileKind.CHECKPOINT, "models/checkpoints"),
        (FileKind.CHECKPOINT, "models/diffusion_models"),
        (FileKind.LORA, "models/loras"),
        (FileKind.EMBEDDING, "models/embeddings"),
    ],
)
def test_an_installation_of_another_program_is_known_by_its_folders(named, tmp_path, kind, name):
    other = folders(tmp_path / "other", name, "outputs", "venv/lib")

    settings = named(other)

    assert below(other, settings, kind) == [name]
    assert [folder for folder in watched(settings) if folder.is_ours or folder.kind != kind] == []


def test_the_folder_models_of_an_installation_may_be_named_itself(named, tmp_path):
    models = folders(tmp_path / "webui" / "models", "Lora", "Stable-diffusion", "Codeformer")

    settings = named(models)

    assert below(models, settings, FileKind.LORA) == ["Lora"]
    assert below(models, settings, FileKind.CHECKPOINT) == ["Stable-diffusion"]


def test_of_invokeai_everything_below_models_is_watched_whatever_its_name(named, tmp_path):
    root = folders(tmp_path / "invokeai", "models/0a1b2c3d", "outputs", "databases")
    (root / "invokeai.yaml").touch()

    assert below(root, named(root), FileKind.LORA) == ["models"]
    assert below(root, named(root), FileKind.VAE) == ["models"]


def test_a_folder_of_no_known_program_is_watched_itself_for_every_kind(named, tmp_path):
    mine = folders(tmp_path / "mine", "styles")

    assert watched_for(named(mine), FileKind.LORA) == watched_for(named(mine), FileKind.CHECKPOINT) == [mine]


def test_a_folder_that_is_named_twice_counts_once_and_one_that_is_not_there_not_at_all(named, tmp_path):
    mine = folders(tmp_path / "mine", "loras")
    (tmp_path / "link").symlink_to(mine)

    assert len(watched(named(mine, mine / "loras", tmp_path / "link", tmp_path / "gone"))) == 1


def test_the_folder_of_a_user_may_be_written_with_a_tilde(named, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folders(tmp_path / "pictures", "loras")

    assert watched_for(named("~/pictures"), FileKind.LORA) == [tmp_path / "pictures" / "loras"]


def test_below_a_folder_no_more_than_so_many_files_are_looked_at_whatever_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr("core.engine.models.folders.MOST_FILES", 3)
    for name in ("a/1.txt", "a/2.txt", "b/3.txt", "b/ink.safetensors", "c/oil.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    looked_at = [name for _, _, names in walk(tmp_path, set()) for name in names]

    assert looked_at == ["1.txt", "2.txt", "3.txt"]
