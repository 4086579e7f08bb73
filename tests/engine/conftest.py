from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.engine.diffusers_inpainter import DiffusersInpainter, load
from core.engine.models.catalogue import Catalogue
from core.settings import Settings
from tests.engine.tiny import save_pipeline
from tests.engine.tiny_kandinsky import save as save_kandinsky
from tests.engine.tiny_transformers import save as save_transformer


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Threads decide the last bits, and the machine is shared."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The folder of a tiny pipeline; equal wishes share one."""
    made: dict[str, Path] = {}

    def make(**wishes) -> Path:
        key = repr(sorted(wishes.items()))
        if key not in made:
            made[key] = save_pipeline(tmp_path_factory.mktemp("model"), **wishes)
        return made[key]

    return make


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data=tmp_path / "data", threads=1, device="cpu", HF_TOKEN=None)


@pytest.fixture
def loaded(settings: Settings) -> Callable[..., DiffusersInpainter]:
    """load(folder, setting=value, ...) -> the inpainter over the pipeline in that folder."""

    def make(folder: Path, **changes) -> DiffusersInpainter:
        mine = settings.model_copy(update=changes)
        return load(str(folder), "cpu", Catalogue(mine), mine)

    return make


@pytest.fixture(scope="session")
def shared(models) -> Callable[..., DiffusersInpainter]:
    """shared(in_channels=9, ...) -> one inpainter for all tests: that no run leaves a trace is part of the contract."""
    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    made: dict[Path, DiffusersInpainter] = {}

    def make(**wishes) -> DiffusersInpainter:
        folder = models(**wishes)
        if folder not in made:
            made[folder] = load(str(folder), "cpu", Catalogue(settings), settings)
        return made[folder]

    return make


@pytest.fixture(scope="session")
def nine(shared) -> DiffusersInpainter:
    return shared(in_channels=9)


@pytest.fixture(scope="session")
def four(shared) -> DiffusersInpainter:
    return shared(in_channels=4)


@pytest.fixture(scope="session")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DiffusersInpainter]:
    """transformer("FLUX.1") -> one inpainter for all tests over a tiny pipeline of that family."""
    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    made: dict[str, DiffusersInpainter] = {}

    def make(family: str) -> DiffusersInpainter:
        if family not in made:
            folder = save_transformer(family, tmp_path_factory.mktemp("model"))
            made[family] = load(str(folder), "cpu", Catalogue(settings), settings)
        return made[family]

    return make


@pytest.fixture(scope="session")
def kandinsky(tmp_path_factory: pytest.TempPathFactory) -> DiffusersInpainter:
    """One inpainter for all tests over a tiny decoder in a folder, with its prior from a cache of the hub."""
    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    folder, cache = tmp_path_factory.mktemp("decoder"), tmp_path_factory.mktemp("cache")
    save_kandinsky(folder, cache)
    return load(str(folder), "cpu", Catalogue(settings, cache=cache), settings)
