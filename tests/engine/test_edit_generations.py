"""Edit models through the real services with tiny real pipelines: the instruction is recorded, and verifies exactly."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.errors import GenerationCancelled
from core.domain.generation import Status, Verdict
from core.domain.instructions import PHRASES, TEMPLATES
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.metadata.read import read
from core.services.model_cache import ModelCache
from core.settings import Settings
from tests.conftest import a_request
from tests.engine.tiny import a_working_request, save_instruct_pipeline, save_pipeline
from tests.engine.tiny_transformers import save as save_transformer
from tests.fakes import WaitingDispatcher

REPLACE = TEMPLATES[PHRASES]["replace"].words
INSTRUCT = "InstructPix2Pix"
FAMILIES = (INSTRUCT, "FLUX.1 Kontext", "FLUX.2 klein")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """folders("FLUX.1 Kontext") -> that of a tiny pipeline."""
    made: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp("model")
            made[family] = save_instruct_pipeline(folder) if family == INSTRUCT else save_transformer(family, folder)
        return made[family]

    return of


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)


def started(settings: Settings) -> Studio:
    """As after a restart: nothing is in memory."""
    return build_studio(
        settings,
        ModelCache(make_loader(settings)),
        dispatcher=lambda worker: WaitingDispatcher(worker.run),
    )


def painted(studio: Studio, model: Path, **params):
    [id] = studio.generations.submit(a_request(model=str(model), size=64, num_inference_steps=2, **params))
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def verdict(studio: Studio, id: str):
    [verification] = studio.reproductions.verify([id])
    studio.dispatcher.drain()
    return studio.reproductions.get(verification).reproduction.verdict


@pytest.mark.parametrize("family", FAMILIES)
def test_what_an_edit_model_was_told_is_recorded_beside_what_was_typed_and_verifies_exact(settings, folders, family):
    studio = started(settings)
    told = painted(studio, folders(family), prompt="a red ball", instruction=REPLACE)
    plain = painted(studio, folders(family), prompt="a red ball")
    in_full = painted(studio, folders(family), prompt="replace the object with a red ball")

    after = started(settings)

    assert (told.params.prompt, told.params.instruction) == ("a red ball", REPLACE)
    assert told.pixels_sha256 == in_full.pixels_sha256 != plain.pixels_sha256
    assert [verdict(after, one.id) for one in (told, plain)] == [Verdict.EXACT] * 2


def test_a_model_that_is_told_what_is_to_be_seen_does_not_read_an_instruction(settings, tmp_path):
    studio, model = started(settings), save_pipeline(tmp_path / "model")

    told = painted(studio, model, prompt="a red ball", instruction="paint {prompt}")

    assert told.pixels_sha256 == painted(studio, model, prompt="a red ball").pixels_sha256
    assert told.record.inpainter.raw["effective_steps"] == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_an_edit_model_is_cancelled_at_a_step_and_shows_what_is_there_so_far(settings, folders, family):
    with_preview = settings.model_copy(update={"preview": True})
    inpainter = load(str(folders(family)), "cpu", Catalogue(with_preview), with_preview)
    reports = []

    def on_step(report) -> None:
        reports.append(report)
        if report.step == 2:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        inpainter.inpaint(a_working_request(instruction=REPLACE), on_step)

    assert reports[-1].step == 2 < reports[-1].total
    assert Image.open(io.BytesIO(reports[1].preview)).size == (64, 64)


def test_each_picture_of_several_puts_its_own_choice_into_the_instruction(settings, folders):
    studio = started(settings)
    request = a_request(model=str(folders(INSTRUCT)), size=64, num_inference_steps=2, instruction=REPLACE)
    request = request.__class__(request.image, request.mask, request.params.changed(prompt="a {red|blue|green} ball"))

    ids = studio.generations.submit(request, count=4)
    studio.dispatcher.drain()

    told = [studio.gallery.get(id).params.full_prompt for id in ids]
    assert len(set(told)) > 1
    assert set(told) <= {f"replace the object with a {colour} ball" for colour in ("red", "blue", "green")}


def test_it_comes_along_in_pictures_presets_drafts_and_bundles(settings, folders, tmp_path):
    studio = started(settings)
    made = painted(studio, folders(INSTRUCT), prompt="a red ball", instruction=REPLACE)

    data = studio.exports.file(made)
    studio.presets.save("Red", made.params, with_prompts=True)
    draft = studio.drafts.start()
    studio.drafts.save(draft, studio.drafts.from_generation(made))
    with (tmp_path / "bundle.zip").open("w+b") as file:
        studio.bundles.export([made.id], file)
        other = started(settings.model_copy(update={"data": tmp_path / "other"}))
        [id] = other.bundles.import_(file).ids

    # Other tools know one prompt: what the model read.
    assert Image.open(io.BytesIO(data)).info["parameters"].startswith("replace the object with a red ball\n")
    back = read(data, models=[]).params
    assert (back["prompt"], back["instruction"]) == ("a red ball", REPLACE)
    assert studio.presets.all()["Red"]["instruction"] == REPLACE
    assert started(settings).drafts.get(draft).params["instruction"] == REPLACE
    assert other.gallery.get(id).params == made.params
    assert made.status is Status.SUCCEEDED
    assert verdict(other, id) is Verdict.EXACT
