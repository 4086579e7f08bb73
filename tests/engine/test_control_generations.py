"""ControlNets through the real services with tiny real pipelines: recorded, painted again to the bit."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.domain.generation import Status, Verdict
from core.domain.geometry import Bounds, Size
from core.domain.guide import Guide, Role
from core.domain.pixels import compositing
from core.domain.request import InpaintRequest, Plan
from core.metadata.read import read
from core.settings import Settings
from tests.conftest import a_mask, a_picture, a_request
from tests.engine.test_lora_generations import started, verified
from tests.engine.tiny import a_picture as smooth_picture
from tests.engine.tiny import save_pipeline
from tests.engine.tiny_control import net_for, write


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("model"), in_channels=4)


@pytest.fixture
def settings(tmp_path, four) -> Settings:
    found = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)
    for name, seed in (("canny", 1), ("depth", 2)):
        write(found.models / "controlnet" / f"{name}.safetensors", net_for(four._pipe.unet, seed))
    return found


def painted(studio, model: Path, *controls, guides=(), **params):
    request = a_request(model=str(model), size=64, num_inference_steps=2, controlnet=list(controls), **params)
    [id] = studio.generations.submit(replace(request, guides=tuple(guides)))
    studio.dispatcher.drain()
    return studio.gallery.get(id)


DEPTH = Guide(Role.CONTROL, 1, a_picture(40, 30).resize((48, 32)))
BOTH = ({"name": "canny", "hint": "canny", "control_guidance_end": 0.8}, "depth:0.7")


@pytest.mark.slow
def test_what_was_painted_with_controlnets_verifies_exact_after_a_restart_and_between_others(settings, model, tmp_path):
    studio = started(settings)
    guided, plain = painted(studio, model, *BOTH, guides=[DEPTH]), painted(studio, model)

    after = started(settings)
    found = [verified(after, one.id).reproduction for one in (guided, plain, guided)]

    assert guided.status is Status.SUCCEEDED, guided.error
    assert guided.pixels_sha256 != plain.pixels_sha256
    assert [one["name"] for one in guided.record.inpainter.raw["controlnet"]] == ["canny", "depth"]
    assert [one.verdict for one in found] == [Verdict.EXACT] * 3
    assert [one.changes for one in found] == [()] * 3
    uses = {entry.found.title: use for entry in after.library.here() if (use := after.library.uses([entry]))}
    assert {title: use.popitem()[1].count for title, use in uses.items()} == {"canny": 1, "depth": 1}
    elsewhere = started(settings.model_copy(update={"data": tmp_path / "elsewhere"}))
    shutil.copytree(settings.models, elsewhere.settings.models, dirs_exist_ok=True)
    bundle = io.BytesIO()
    after.bundles.export([guided.id], bundle)
    elsewhere.bundles.import_(bundle)
    assert verified(elsewhere, guided.id).reproduction.verdict is Verdict.EXACT


@pytest.mark.slow
def test_a_net_that_is_gone_is_told_by_verification_and_a_renamed_one_is_found(settings, model):
    studio, canny = started(settings), settings.models / "controlnet" / "canny.safetensors"
    id = painted(studio, model, "canny").id

    renamed = canny.rename(canny.with_name("edges.safetensors"))
    assert verified(studio, id).reproduction.verdict is Verdict.EXACT
    renamed.unlink()
    gone = verified(studio, id)

    assert gone.status is Status.FAILED
    assert "canny.safetensors is not on this machine" in gone.error


@pytest.mark.slow
def test_the_picture_says_in_the_words_of_a1111_what_guided_it_and_is_read_back(settings, model):
    studio = started(settings)
    generation = painted(studio, model, *BOTH, guides=[DEPTH])

    file = studio.exports.file(generation)
    picture = Image.open(io.BytesIO(file))
    line, found = picture.text["parameters"], read(file)

    sha256 = generation.record.inpainter.controlnet[0].sha256.removeprefix("sha256:")
    assert f'ControlNet 0: "Module: canny, Model: canny [{sha256[:8]}], Weight: 1, Resize Mode: Crop and Resize' in line
    assert 'Guidance Start: 0, Guidance End: 0.8, Pixel Perfect: True, Control Mode: Balanced"' in line
    assert 'ControlNet 1: "Module: none, Model: depth' in line
    assert [one["name"] for one in found.params["controlnet"]] == ["canny", "depth"]
    assert json.loads(picture.text["inpaint_studio"])["guides"][0]["role"] == "control"


def test_a_given_control_picture_is_cropped_and_scaled_with_the_picture_also_where_it_is_smaller():
    picture = smooth_picture(192, 128)
    small = picture.resize((96, 64), Image.Resampling.BOX)
    params = a_request(size=64, controlnet=[{"name": "depth", "hint": "none"}], crop_padding_px=8).params
    mask = a_mask(192, 128, box=(120, 60, 160, 100))

    of_itself, of_small = (
        Plan.of(InpaintRequest(picture, mask, params, (Guide(Role.CONTROL, 0, control),)))
        for control in (picture, small)
    )

    shown = of_itself.working_request(8).guides[0].picture
    crop = of_itself.crop
    assert crop.bounds != Bounds(0, 0, 192, 128)
    expected = compositing.for_model(picture, crop.bounds, crop.working)
    assert shown.size == of_itself.working_request(8).image.size
    assert max(high for _, high in difference(shown, expected).getextrema()) <= 1
    coarse = of_small.working_request(8).guides[0].picture.resize(Size(8, 8).sides, Image.Resampling.BOX)
    fine = expected.resize(Size(8, 8).sides, Image.Resampling.BOX)
    assert max(high for _, high in difference(coarse, fine).getextrema()) < 24


def difference(one: Image.Image, other: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.difference(one, other)
