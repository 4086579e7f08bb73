"""What most tests need: a studio on a real SQLite file, whose models are stand-ins."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from PIL import Image, ImageFile
from sqlalchemy import Engine, event, text

from core.bootstrap import Studio, build_studio
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.domain.worker import DEAD_AFTER
from core.settings import Settings
from core.storage.local import LocalImageStore
from db.connection import make_engine
from db.generations import GenerationRepo
from db.upgrade import upgrade
from db.verifications import VerificationRepo
from tests.fakes import FakeCatalogue, FakeInpainter, FakeLoader, WaitingDispatcher
from tests.limits import (
    OnceEach,
    pytest_enter_pdb,  # noqa: F401
    pytest_runtest_call,  # noqa: F401
    pytest_runtest_setup,  # noqa: F401
    pytest_runtest_teardown,  # noqa: F401
)

# A machine that also does other things is slow now and then; that is no failure of what is tested.
hypothesis_settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("quick", parent=hypothesis_settings.get_profile("thorough"), max_examples=15)

NEEDS_TORCH = ("tests/contracts/", "tests/engine/", "tests/training/", "tests/cli/test_cli.py::test_the_doctor")


def pytest_configure(config):
    # Of a script in the background, the shell lets signals be ignored, by all that it starts: Ctrl+C is tested here.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    """A law is tried with 15 examples in everyday work, and with Hypothesis' own 100 in the full run, as in CI."""
    hypothesis_settings.load_profile("quick" if config.option.markexpr == "not slow" else "thorough")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Those that need torch stay together, so that one process pays seconds for it and not each.

    Only where there is enough of other kinds for the rest: not for one folder, nor in the full run with its slow ones.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    everyday = config.args == config.getini("testpaths") and config.option.markexpr == "not slow"
    return TorchInOne(config, log) if everyday else OnceEach(config, log)


class TorchInOne(OnceEach):
    def _split_scope(self, nodeid: str) -> str:
        return "torch" if nodeid.startswith(NEEDS_TORCH) else super()._split_scope(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of a test marked slow_but_first every case is slow, except its first."""
    seen = set()
    for item in items:
        if item.get_closest_marker("slow_but_first"):
            test = item.nodeid.partition("[")[0]
            if test in seen:
                item.add_marker(pytest.mark.slow)
            seen.add(test)


def pytest_collection_finish():
    """The libraries stay for good: a tenth of all time went into looking through their objects for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@dataclass
class Clock:
    """A clock that stands still until it is told otherwise, and moves a millisecond each time it is read."""

    at: datetime = field(default=datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def wait(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    """Tests see neither the environment's settings nor a .env file, no hub, and of LoRAs only those that they make."""
    import os

    for name in list(os.environ):
        if name.startswith("INPAINT_STUDIO_") and name != "INPAINT_STUDIO_REQUIRE_BROWSER":
            monkeypatch.delenv(name)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # Where the log of what nobody foresaw is written.
    monkeypatch.setenv("INPAINT_STUDIO_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setattr("core.engine.models.folders.BUNDLED", {})


@pytest.fixture(scope="session", autouse=True)
def _engines_in_haste():
    """Each studio has an engine of its own; what its statements come to as SQL is the same for all of them.

    Nor does a commit or a file wait for the disk: nobody cuts the power of a test. Nor is a sign of life waited for.
    """
    dialect, compiled = make_engine("sqlite://").dialect, {}

    def engine(url: str) -> Engine:
        made = make_engine(url)
        if made.dialect.name == dialect.name:
            made.dialect = dialect
            made.update_execution_options(compiled_cache=compiled)
            event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        return made

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("core.bootstrap.make_engine", engine)
        patched.setattr("core.services.worker.LOOK_AGAIN_S", 0)
        patched.setattr("os.fsync", lambda handle: None)
        yield


def takes_for_dead(repo: GenerationRepo | VerificationRepo, clock: Callable[[], datetime]) -> None:
    """Whatever is running."""
    repo.requeue_lost(repo.seem_lost(clock() + DEAD_AFTER, clock()), clock())


def interrupt(studio: Studio, id: str) -> None:
    """Leave it as earlier versions did when its worker had died."""
    with studio.worker.repo._engine.begin() as connection:
        values = {"id": id, "at": "2026-01-01 00:00:00.000000"}
        row = "status = 'interrupted', worker = 'one that died', started_at = :at, finished_at = :at"
        assert connection.execute(text(f"UPDATE generations SET {row} WHERE id = :id"), values).rowcount == 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def inpainter() -> FakeInpainter:
    return FakeInpainter()


@pytest.fixture
def studio(settings, inpainter, clock) -> Studio:
    return make_studio(settings, inpainter, clock)


@pytest.fixture
def dispatcher(studio) -> WaitingDispatcher:
    return studio.dispatcher


@pytest.fixture
def decoded(monkeypatch) -> list[tuple[int, int]]:
    """The size of every picture that is decoded from now on, each time."""
    sizes, load = [], ImageFile.ImageFile.load

    def counting(picture: ImageFile.ImageFile):
        if picture.tile:
            sizes.append(picture.size)
        return load(picture)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counting)
    return sizes


@pytest.fixture
def decoded_keys(monkeypatch) -> list[str]:
    """The key of every stored picture that is decoded from now on, each time."""
    keys, picture = [], LocalImageStore._picture

    def counting(store: LocalImageStore, path: Path, key: str) -> Image.Image:
        keys.append(key)
        return picture(store, path, key)

    monkeypatch.setattr(LocalImageStore, "_picture", counting)
    return keys


@cache
def _empty_database() -> bytes:
    """A file with today's tables: to make them anew for each of many hundred tests takes 60 ms every time."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "studio.db"
        engine = make_engine(f"sqlite:///{file}")
        upgrade(engine)
        engine.dispose()
        return file.read_bytes()


def make_studio(settings: Settings, inpainter: FakeInpainter, clock: Callable[[], datetime]) -> Studio:
    file = settings.data / "studio.db"
    if str(file) in settings.url and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_empty_database())
    return build_studio(
        settings,
        FakeLoader(inpainter),
        catalogue=FakeCatalogue(),
        dispatcher=lambda worker: WaitingDispatcher(worker.run),
        resolve_device=lambda wish: "cpu",
        now=clock,
    )


def a_picture(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """Noise, so that a pixel that moved or changed cannot go unseen."""
    random = np.random.default_rng(width * height)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 2**16, (height, width), dtype=np.uint16))
    channels = {"RGB": 3, "RGBA": 4}[mode]
    return Image.fromarray(random.integers(0, 256, (height, width, channels), dtype=np.uint8), mode)


def a_mask(width: int = 96, height: int = 64, box: tuple[int, int, int, int] = (20, 10, 50, 40)) -> Mask:
    pixels = np.zeros((height, width), np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = 255
    return Mask(pixels)


def a_request(**params) -> InpaintRequest:
    """Four steps: each one is reported to the database, and of fifty nobody would learn more."""
    small = {"prompt": "a cat", "size": 64, "num_inference_steps": 4}
    return InpaintRequest(a_picture(), a_mask(), InpaintParams(**{**small, **params}))
