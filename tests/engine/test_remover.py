"""Removers: LaMa, MI-GAN and an artist's own file, called as each of them is to be called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.errors import DamagedModel, GenerationCancelled, ModelNotDownloaded, UnknownModel
from core.domain.generation import Verdict
from core.domain.hashing import sha256_of
from core.domain.model import ModelSpec, PinnedFile
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan, WorkingRequest
from core.engine import loading
from core.engine.models.catalogue import MODELS, Catalogue
from core.engine.models.library import LocalModels
from core.engine.models.removers import ENGINE
from core.services.model_cache import ModelCache
from tests import onnx_files as make
from tests.engine.loopback_hub import LoopbackHub, serving
from tests.fakes import WaitingDispatcher

WIDTH, HEIGHT = 64, 48
"""Not square: what is missing to a square has to be made up."""

HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[8:40, 16:48] = True

FILES = {
    "lama": lambda path: make.lama(path, 64),
    "lama that returns 0 to 1": lambda path: make.lama(path, 64, scale=1.0),
    "lama of any size": lambda path: make.lama(path, "side"),
    "mi-gan pipeline": make.migan_pipeline,
    "mi-gan": lambda path: make.migan(path, 64),
}


@pytest.fixture
def remover(tmp_path, settings):
    def load(write):
        return loading.load(str(write(tmp_path / "file.onnx")), "cpu", Catalogue(settings), settings)

    return load


def a_picture(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Green, with a red thing in it that is to be removed."""
    pixels = np.full((height, width, 3), (40, 160, 60), np.uint8)
    pixels[height // 6 : height * 5 // 6, width // 4 : width * 3 // 4] = (200, 30, 30)
    return Image.fromarray(pixels)


def removed(inpainter, picture: Image.Image, hole=HOLE, **params) -> np.ndarray:
    mask = Mask(np.asarray(hole, np.uint8) * 255)
    done = inpainter.inpaint(WorkingRequest(picture, mask, InpaintParams(**params)), lambda report: None)
    return np.asarray(done.image)


def mean_of_the_square(picture: Image.Image) -> np.ndarray:
    """What the tiny networks fill with: of the picture and its mirror image below, which makes it a square."""
    pixels = np.asarray(picture)
    beside = ((0, WIDTH - HEIGHT), (0, 0), (0, 0))
    return np.pad(pixels, beside, mode="symmetric").mean(axis=(0, 1))


@pytest.mark.parametrize("kind", FILES)
def test_each_kind_gets_the_picture_and_the_mask_as_it_takes_them(remover, kind):
    picture = a_picture()

    filled = removed(remover(FILES[kind]), picture)

    expected = mean_of_the_square(picture)
    if kind == "mi-gan":
        # It is told -0.5 in the hole and sees nothing of the picture there.
        expected = np.full(3, (0.5 + 1) * 127.5)
    # Where the picture was resized for the network, and back, its border is mixed with what is beside it.
    assert np.abs(filled[12:36, 20:44].astype(float) - expected).max() <= 1
    assert (filled[~HOLE] == np.asarray(picture)[~HOLE]).all()


def test_of_the_known_part_mi_gan_gets_colours_from_minus_one_to_one(tmp_path, settings):
    """Seen through a network that returns what it gets there, less its half for what is known."""
    from core.engine.models.onnx_kinds import Signature
    from core.engine.onnx_network import OnnxNetwork
    from core.engine.remover import Square, _colours, _inputs

    net = OnnxNetwork(make.migan(tmp_path / "a.onnx", 64))
    square = Square.of(a_picture(64, 64), np.pad(HOLE, ((0, 16), (0, 0))), 64)
    returned = net.run(_inputs(net, Signature.MIGAN, square), threads=1)[0].transpose(1, 2, 0)

    known = _colours(Signature.MIGAN, returned + np.float32(0.5), square)[~square.hole]
    assert np.abs(known.astype(int) - square.pixels[~square.hole]).max() <= 1


@pytest.mark.parametrize("size", [(640, 300), (30, 50), (200, 200)])
def test_another_size_than_the_networks_is_resized_to_it_and_back(remover, size):
    width, height = size
    picture = a_picture(width, height)
    hole = np.zeros((height, width), bool)
    hole[height // 6 : height * 5 // 6, width // 4 : width * 3 // 4] = True

    filled = removed(remover(FILES["lama"]), picture, hole)

    assert filled.shape == (height, width, 3)
    assert (filled[~hole] == np.asarray(picture)[~hole]).all()
    inner = filled[height // 3 : height * 2 // 3, width // 3 : width * 2 // 3].reshape(-1, 3).astype(int)
    assert np.ptp(inner, axis=0).max() <= 2, "what is to be removed does not show through"
    assert (np.abs(inner.mean(axis=0) - (200, 30, 30)) > 20).any()


@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_without_brightness_and_a_mask_over_all_of_it_are_no_trouble(remover, value):
    picture = Image.new("RGB", (WIDTH, HEIGHT), (value,) * 3)

    for kind in ("lama", "lama that returns 0 to 1"):
        filled = removed(remover(FILES[kind]), picture, np.ones_like(HOLE))
        assert np.abs(filled.astype(int) - value).max() <= 1


def test_seed_prompt_and_number_of_threads_change_nothing(remover):
    inpainter = remover(FILES["lama"])
    first = removed(inpainter, a_picture())
    inpainter._threads = 2

    again = removed(inpainter, a_picture(), seed=99, prompt="a castle", num_inference_steps=7)

    assert (again == first).all()


def test_the_whole_road_changes_nothing_outside_the_mask_at_full_resolution(remover):
    chance = np.random.default_rng(1)
    picture = Image.fromarray(chance.integers(0, 256, (300, 400, 3), np.uint8))
    pixels = np.zeros((300, 400), np.uint8)
    pixels[100:150, 200:260] = 255
    inpainter = remover(FILES["mi-gan pipeline"])
    plan = Plan.of(InpaintRequest(picture, Mask(pixels), InpaintParams(size=128, mask_grow_px=3)), inpainter.model.cell)

    result = plan.finish(inpainter.inpaint(plan.working_request(1), lambda report: None).image)

    outside = plan.blend_mask.pixels == 0
    assert (np.asarray(result)[outside] == np.asarray(picture)[outside]).all()
    assert (np.asarray(result)[~outside] != np.asarray(picture)[~outside]).any()
    assert max(plan.crop.bounds.size) < 200, "what is far from the mask is not looked at"


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (make.classifier, "is an ONNX file of an unknown kind. It is no remover"),
        (make.upscaler, "is an upscaler. It enlarges pictures and cannot repaint"),
        (lambda path: make.with_external_data(path, "/etc/hostname"), "in another file"),
    ],
)
def test_what_is_no_remover_is_refused_where_a_model_is_asked_for(tmp_path, settings, write, told):
    with pytest.raises(UnknownModel, match=told):
        Catalogue(settings).find(str(write(tmp_path / "file.onnx")))


# In the gallery --------------------------------------------------------------------------------------------------


def started(settings) -> Studio:
    """As after a restart: nothing is in memory."""
    return build_studio(
        settings, ModelCache(make_loader(settings)), dispatcher=lambda worker: WaitingDispatcher(worker.run)
    )


@pytest.mark.slow
def test_what_was_removed_verifies_exact_after_a_restart_and_names_an_exchanged_file(settings):
    file = make.lama(settings.models / "removers" / "mine.onnx", 64)
    studio = started(settings)
    picture, mask = a_picture(), Mask(np.asarray(HOLE, np.uint8) * 255)
    params = InpaintParams(**studio.recommendations.for_request(str(file), "remove", {"seed": 3}))
    [id] = studio.generations.submit(InpaintRequest(picture, mask, params))
    studio.dispatcher.drain()
    painted = studio.gallery.get(id)

    after = started(settings)
    [same] = after.reproductions.verify([id])
    after.dispatcher.drain()
    make.migan_pipeline(file)
    exchanged = started(settings)
    [other] = exchanged.reproductions.verify([id])
    exchanged.dispatcher.drain()

    assert (
        painted.model_revision
        == painted.record.model.revision
        == sha256_of(make.lama(settings.models / "again.onnx", 64).read_bytes())
    )
    assert after.reproductions.get(same).reproduction.verdict is Verdict.EXACT
    assert after.reproductions.get(same).reproduction.changes == ()
    changed = {change.field for change in exchanged.reproductions.get(other).reproduction.changes}
    assert {"method", "model_revision"} <= changed


# Downloaded ------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path) -> Path:
    """Large enough to be kept by its sha256, as the hub keeps what is no text."""
    path = make.lama(tmp_path / "made" / "lama.onnx", 64)
    path.write_bytes(path.read_bytes() + make.field(6, b"a description " * 1000))
    return path


@pytest.fixture
def spec(file) -> ModelSpec:
    pinned = PinnedFile(file.name, sha256_of(file.read_bytes()), file.stat().st_size)
    return ModelSpec("tiny-lama", "Tiny", "To remove.", 64, repository="somebody/lama", pinned=pinned, engine=ENGINE)


@pytest.fixture
def hub(file):
    with serving(LoopbackHub()) as served:
        served.add("somebody/lama", file.parent, **{"README.md": b"More."})
        yield served


@pytest.fixture
def catalogue(hub, spec, settings, tmp_path) -> Catalogue:
    return Catalogue(settings, models=[spec, *MODELS], cache=tmp_path / "cache", endpoint=hub.address, dtype="float32")


def ignore(done: int, total: int) -> None:
    pass


@pytest.mark.slow
def test_a_remover_of_the_table_is_one_file_that_is_fetched_listed_used_and_removed(
    catalogue, hub, spec, settings, tmp_path
):
    with pytest.raises(ModelNotDownloaded):
        loading.load(spec.key, "cpu", catalogue, settings)
    assert not catalogue.is_ready(spec.key)

    catalogue.download(spec.key, ignore)
    store = LocalModels(settings, catalogue, cache=tmp_path / "cache")
    [found] = [one for one in store.found() if one.key == spec.key]
    inpainter = loading.load(spec.key, "cpu", catalogue, settings)

    assert hub.fetched() == {spec.pinned.name}
    assert catalogue.is_ready(spec.key)
    assert (inpainter.model.repository, inpainter.model.revision) == (spec.repository, spec.pinned.sha256)
    assert store.tell(found).about.title == "remover (LaMa)"
    assert store.hashes(found, ignore) == {spec.pinned.name: spec.pinned.sha256}
    assert removed(inpainter, a_picture()).shape == (HEIGHT, WIDTH, 3)
    store.remove(found)
    assert not catalogue.is_ready(spec.key)


def test_another_file_on_the_hub_than_the_pinned_one_is_not_fetched(catalogue, hub, spec):
    hub.repositories["somebody/lama"][spec.pinned.name] += b"\x32\x00"

    with pytest.raises(DamagedModel, match="another lama.onnx than the one"):
        catalogue.download(spec.key, ignore)

    assert hub.fetched() == set()
    assert not catalogue.is_ready(spec.key)


def test_another_file_in_its_place_on_this_machine_is_not_loaded(catalogue, spec, settings):
    catalogue.download(spec.key, ignore)
    stored = catalogue.locate(spec.key).resolve()
    stored.chmod(0o644)
    make.lama(stored, 64)

    with pytest.raises(DamagedModel, match="is not the file of Tiny"):
        loading.load(spec.key, "cpu", catalogue, settings)


def test_a_download_that_was_stopped_is_no_model(catalogue, spec):
    def stop(done: int, total: int) -> None:
        raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        catalogue.download(spec.key, stop)

    assert not catalogue.is_ready(spec.key)
