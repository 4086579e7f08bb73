"""Upscalers of ONNX files: tile by tile, whatever size they take and however much they enlarge."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.domain.errors import GenerationCancelled, InvalidParams, ModelUnavailable, UnknownModel
from core.domain.generation import Phase
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import WorkingRequest
from core.domain.upscale import Upscale
from core.engine import loading
from core.engine.models.catalogue import Catalogue
from core.engine.upscaler import TILE_PX
from tests import onnx_files as make


@pytest.fixture
def load(settings):
    def of(file, factor: int):
        return loading.load(Upscale(str(file), factor).key, "cpu", Catalogue(settings), settings)

    return of


def a_request(width: int, height: int, factor: int) -> WorkingRequest:
    chance = np.random.default_rng(4)
    picture = Image.fromarray(chance.integers(0, 256, (height, width, 3), np.uint8))
    mask = Mask(np.full((height, width), 255, np.uint8))
    return WorkingRequest(picture, mask, InpaintParams(model=Upscale("lanczos", factor).key))


def darker(picture: Image.Image, factor: int, times: int = 1) -> np.ndarray:
    """As the network of the tests makes it: each pixel factor x factor times, a quarter darker each time."""
    pixels = np.asarray(picture)
    for _ in range(times):
        pixels = (pixels.astype(np.float32) * 0.75).round().astype(np.uint8)
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


@pytest.mark.parametrize(
    ("width", "height", "side", "network", "factor", "passes"),
    [
        (40, 30, "side", 2, 2, 1),
        (TILE_PX + 50, 20, "side", 2, 2, 1),
        (100, 70, 64, 2, 2, 1),
        (100, 70, 64, 4, 4, 1),
        (50, 33, 32, 2, 4, 2),
        (17, 200, 32, 2, 2, 1),
    ],
)
def test_a_picture_of_any_size_comes_back_enlarged_without_seams(
    load, tmp_path, width, height, side, network, factor, passes
):
    upscaler = load(make.upscaler(tmp_path / "a.onnx", network, side=side), factor)
    request, reports = a_request(width, height, factor), []

    done = upscaler.inpaint(request, reports.append)

    off = np.asarray(done.image).astype(int) - darker(request.image, factor, passes)
    assert np.abs(off).max() <= passes
    assert (done.record["passes"], done.record["network_factor"]) == (passes, network)
    steps = [report.step for report in reports if report.phase is Phase.DENOISING]
    assert steps == list(range(1, len(steps) + 1))
    assert reports[-1].phase is Phase.DECODING
    assert reports[-1].step == reports[-1].total == len(steps) == done.record["effective_steps"]


def test_what_is_larger_than_asked_for_is_reduced(load, tmp_path):
    upscaler, request = load(make.upscaler(tmp_path / "a.onnx", 4, side=64), 2), a_request(60, 40, 2)

    done = np.asarray(upscaler.inpaint(request, lambda report: None).image)

    assert done.shape == (80, 120, 3)
    expected = Image.fromarray(darker(request.image, 4)).resize((120, 80), Image.Resampling.LANCZOS)
    assert np.abs(done.astype(int) - np.asarray(expected)).max() <= 2


def test_a_network_that_returns_0_to_255_is_understood(load, tmp_path):
    path = make.upscaler(tmp_path / "a.onnx", 2, side=64)
    scaled = make.write(
        tmp_path / "b.onnx",
        [
            make.node("Conv", ["input", "weights"], ["many"], kernel_shape=[1, 1]),
            make.node("DepthToSpace", ["many"], ["output"], blocksize=2, mode="CRD"),
        ],
        [make.value("input", make.FLOAT, (1, 3, 64, 64))],
        [make.value("output", make.FLOAT, (1, 3, 128, 128))],
        {"weights": np.repeat(np.eye(3, dtype=np.float32), 4, axis=0).reshape(12, 3, 1, 1) * np.float32(0.75 * 255)},
    )
    request = a_request(60, 40, 2)

    images = [load(file, 2).inpaint(request, lambda report: None).image for file in (path, scaled)]

    assert np.abs(np.asarray(images[0]).astype(int) - np.asarray(images[1])).max() <= 1


def test_it_stops_at_the_next_tile(load, tmp_path):
    upscaler, seen = load(make.upscaler(tmp_path / "a.onnx", 2, side=32), 2), []

    def stop(report) -> None:
        seen.append(report)
        if report.step == 2:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        upscaler.inpaint(a_request(90, 90, 2), stop)

    assert seen[-1].step == 2 < seen[-1].total


def test_a_network_that_turns_out_to_enlarge_nothing_is_refused_in_words(load, tmp_path):
    same = make.write(
        tmp_path / "same.onnx",
        [make.node("Relu", ["input"], ["output"])],
        [make.value("input", make.FLOAT, (1, 3, "h", "w"))],
        [make.value("output", make.FLOAT, (1, 3, "H", "W"))],
        {},
    )

    with pytest.raises(ModelUnavailable, match="makes 192 x 192 pixels of 192 x 192, so it is no upscaler"):
        load(same, 2).inpaint(a_request(20, 20, 2), lambda report: None)


def test_an_upscaler_paints_nothing_and_what_is_none_enlarges_nothing(load, tmp_path, settings):
    upscaler = load(make.upscaler(tmp_path / "a.onnx"), 2)
    request = a_request(20, 20, 2)

    with pytest.raises(InvalidParams, match="only enlarges pictures"):
        upscaler.inpaint(WorkingRequest(request.image, request.mask, InpaintParams()), lambda report: None)
    for file in (make.lama(tmp_path / "lama.onnx"), make.classifier(tmp_path / "c.onnx")):
        with pytest.raises(UnknownModel, match="is no upscaler in the ONNX format"):
            load(file, 2)
    with pytest.raises(UnknownModel, match="is not on this machine"):
        load(tmp_path / "gone.onnx", 2)
