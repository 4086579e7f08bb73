"""Reference pictures through the real services with tiny real pipelines: recorded, painted again to the bit."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.domain.errors import InvalidReference
from core.domain.generation import Status, Verdict
from core.domain.guide import Guide, Role
from core.engine import device
from core.settings import Settings
from tests.conftest import a_request
from tests.engine.test_lora_generations import started, verified
from tests.engine.tiny import save_pipeline
from tests.engine.tiny_lora import of_unet
from tests.engine.tiny_lora import save as save_lora
from tests.engine.tiny_reference import write_adapter, write_encoder
from tests.engine.tiny_transformers import save as save_transformer

RED, BLUE = Image.new("RGB", (40, 64), "red"), Image.new("RGB", (64, 40), "blue")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("model"), in_channels=4)


@pytest.fixture
def settings(tmp_path, four) -> Settings:
    found = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)
    write_adapter(found.models / "ipadapter" / "look.safetensors", four._pipe.unet)
    write_encoder(found.models / "clip_vision" / "vit")
    return found


def painted(studio, model: Path, *pictures, **params):
    request = a_request(model=str(model), size=64, num_inference_steps=2, **params)
    guides = tuple(Guide(Role.REFERENCE, at, picture) for at, picture in enumerate(pictures))
    [id] = studio.generations.submit(replace(request, guides=guides))
    studio.dispatcher.drain()
    return studio.gallery.get(id)


@pytest.mark.slow
def test_what_was_painted_with_references_verifies_exact_after_a_restart_and_elsewhere(settings, model, tmp_path):
    studio = started(settings)
    looked = painted(studio, model, RED, BLUE, ip_adapter="look", ip_adapter_scale=0.8)
    plain = painted(studio, model)

    after = started(settings)
    found = [verified(after, one.id).reproduction for one in (looked, plain, looked)]

    assert looked.status is Status.SUCCEEDED, looked.error
    assert looked.pixels_sha256 != plain.pixels_sha256
    assert [guide.title for guide in looked.guides] == ["Reference picture", "Reference picture 2"]
    assert [one.name for one in looked.record.inpainter.image_encoder] == ["vit"]
    assert [(one.verdict, one.changes) for one in found] == [(Verdict.EXACT, ())] * 3
    elsewhere = started(settings.model_copy(update={"data": tmp_path / "elsewhere"}))
    shutil.copytree(settings.models, elsewhere.settings.models, dirs_exist_ok=True)
    bundle = io.BytesIO()
    after.bundles.export([looked.id], bundle)
    elsewhere.bundles.import_(bundle)
    assert verified(elsewhere, looked.id).reproduction.verdict is Verdict.EXACT


@pytest.mark.slow
def test_what_is_gone_is_told_by_verification_and_what_was_renamed_is_found(settings, model):
    studio = started(settings)
    id = painted(studio, model, RED, ip_adapter="look").id
    adapter, encoder = settings.models / "ipadapter" / "look.safetensors", settings.models / "clip_vision" / "vit"

    renamed = adapter.rename(adapter.with_name("style.safetensors"))
    assert verified(studio, id).reproduction.verdict is Verdict.EXACT
    encoder.rename(encoder.with_name("clip"))
    assert verified(studio, id).reproduction.verdict is Verdict.EXACT
    (encoder.with_name("clip") / "model.safetensors").unlink()
    assert "Put one into the folder models/clip_vision" in verified(started(settings), id).error
    renamed.unlink()
    assert "look.safetensors is not on this machine" in verified(started(settings), id).error


@pytest.mark.slow
def test_the_picture_names_its_references_by_their_hashes(settings, model):
    studio = started(settings)
    generation = painted(studio, model, RED, ip_adapter="look")

    picture = Image.open(io.BytesIO(studio.exports.file(generation)))

    own = json.loads(picture.text["inpaint_studio"])
    assert own["guides"] == [{"role": "reference", "position": 0, "picture": generation.guides[0].picture}]
    assert own["params"]["ip_adapter"] == "look"


@pytest.mark.slow
@pytest.mark.parametrize(("family", "pictures"), [("FLUX.2 klein", (RED, BLUE)), ("FLUX.1 Kontext", (RED,))])
def test_an_edit_model_looks_by_itself_and_verifies_exact(settings, tmp_path, family, pictures):
    folder = save_transformer(family, tmp_path / "model")
    studio = started(settings)
    plain, looked, turned = (painted(studio, folder, *some) for some in ((), pictures, pictures[::-1]))

    after = started(settings)
    found = [verified(after, one.id).reproduction for one in (looked, plain)]

    assert looked.status is Status.SUCCEEDED, looked.error
    assert looked.pixels_sha256 != plain.pixels_sha256
    assert (looked.pixels_sha256 == turned.pixels_sha256) is (len(pictures) == 1)
    assert [(one.verdict, one.changes) for one in found] == [(Verdict.EXACT, ())] * 2


@pytest.mark.slow
def test_an_edit_model_refuses_more_references_than_its_pipeline_takes(settings, tmp_path):
    folder = save_transformer("FLUX.1 Kontext", tmp_path / "model")

    with pytest.raises(InvalidReference, match="takes at most 1 reference picture"):
        painted(started(settings), folder, RED, BLUE)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8+float32", "bfloat16"])
def test_references_are_looked_at_in_each_precision_beside_a_lora(settings, model, four, dtype, monkeypatch):
    monkeypatch.setattr(device, "_bfloat16_units", lambda: "avx512_bf16")
    (settings.models / "loras").mkdir()
    save_lora(settings.models / "loras" / "ink.safetensors", of_unet(four._pipe), unet=four._pipe.unet)
    studio = started(settings)
    beside = {"dtype": dtype, "loras": ["ink:0.7"]}
    plain = painted(studio, model, **beside)
    looked = painted(studio, model, RED, ip_adapter="look", **beside)

    after = started(settings)

    assert looked.status is Status.SUCCEEDED, looked.error
    assert looked.pixels_sha256 != plain.pixels_sha256
    assert [verified(after, one.id).reproduction.verdict for one in (looked, plain)] == [Verdict.EXACT] * 2
