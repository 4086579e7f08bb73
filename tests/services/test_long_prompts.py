"""Prompts of up to 20,000 characters go all the way, and longer ones are refused in words wherever they come from."""

from __future__ import annotations

import io
import json
import time

import pytest

from core.domain.draft import Draft
from core.domain.errors import InvalidParams
from core.domain.gallery.filter import GalleryFilter
from core.domain.params import MAX_PROMPT, InpaintParams
from core.domain.sheet import Axis, Sheet
from core.metadata.read import read
from core.services.exports import FileType
from core.services.imports import Result
from core.settings import Settings
from tests.conftest import a_request, make_studio
from tests.services.test_imports import a_file, imported

LONGEST = MAX_PROMPT
PROMPT = ("a red barn, " * 2_000)[: LONGEST - 10] + ", windmill"
NEGATIVE = "б" * (LONGEST - 4) + " fog"


@pytest.fixture
def long(studio, dispatcher) -> str:
    [id] = studio.generations.submit(a_request(prompt=PROMPT, negative_prompt=NEGATIVE))
    dispatcher.drain()
    return id


def test_the_longest_prompts_are_stored_and_their_last_words_found(studio, long):
    kept = studio.gallery.get(long)

    assert (len(PROMPT), len(NEGATIVE)) == (LONGEST, LONGEST)
    assert (kept.params.prompt, kept.params.negative_prompt) == (PROMPT, NEGATIVE)
    for words in ("windmill", "fog", '"barn, windmill"'):
        assert [found.id for found in studio.gallery.browse(GalleryFilter(text=words)).generations] == [long]


@pytest.mark.slow_but_first
@pytest.mark.parametrize("type", list(FileType))
def test_every_kind_of_file_hands_them_on_whole(studio, long, type):
    data = studio.exports.file(studio.gallery.get(long), type)

    assert read(data).params["prompt"] == PROMPT
    assert read(data).params["negative_prompt"] == NEGATIVE


def test_a_bundle_hands_them_on_whole(studio, long, tmp_path, inpainter, clock):
    file = io.BytesIO()
    studio.bundles.export([long], file)
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    [id] = elsewhere.bundles.import_(io.BytesIO(file.getvalue())).ids

    assert elsewhere.gallery.get(id).params == studio.gallery.get(long).params


def test_as_many_presets_as_a_file_holds_go_to_another_installation(studio, tmp_path, inpainter, clock):
    params = InpaintParams(prompt=PROMPT, negative_prompt="x" * LONGEST)
    for number in range(100):
        studio.presets.save(f"long {number}", params, with_prompts=True)
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    done = elsewhere.presets.import_(studio.presets.export().encode())

    assert len(done.new) == 100
    assert elsewhere.presets.all() == studio.presets.all()


def test_a_draft_keeps_them_while_they_are_written():
    draft = Draft(params={"prompt": PROMPT, "negative_prompt": NEGATIVE})

    assert Draft.from_dict(draft.to_dict()) == draft


def test_they_can_be_asked_for_again_and_varied_in_a_sheet(studio, dispatcher, long):
    rerun = studio.generations.rerun(long)
    made = studio.sheets.submit(a_request(prompt=PROMPT), Sheet(Axis("prompt", ("windmill", "watermil"))))
    dispatcher.drain()

    assert studio.gallery.get(rerun).params.prompt == PROMPT
    made = studio.sheets.get(made.id)
    assert [cell.params.prompt[-8:] for cell in made.cells[0]] == ["windmill", "watermil"]


def test_a_sheet_that_would_make_gigabytes_of_a_prompt_is_refused_at_once():
    sheet = Sheet(Axis("prompt", ("x", "y" * LONGEST)))
    started = time.process_time()

    with pytest.raises(InvalidParams, match="Prompt: would have .* characters"):
        sheet.all_params(InpaintParams(prompt="x" * LONGEST), lambda params, speed: params)

    assert time.process_time() - started < 0.5


def test_a_longer_prompt_is_refused_with_a_message(studio):
    with pytest.raises(InvalidParams, match="Prompt: has 20001 characters; at most 20000 are taken"):
        studio.generations.submit(a_request(prompt=PROMPT + "x"))


def test_a_wildcard_that_makes_a_prompt_too_long_is_refused_with_a_message(studio, settings):
    folder = settings.data / "wildcards"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "long.txt").write_text("word " * 4_000, encoding="utf-8")

    with pytest.raises(InvalidParams, match="Prompt: has .* characters; at most 20000 are taken"):
        studio.generations.submit(a_request(prompt="__long__ __long__"))


def test_a_picture_with_the_longest_prompt_comes_in_with_it(studio):
    done = imported(studio, a_file(json.dumps({"prompt": PROMPT, "negative_prompt": NEGATIVE, "seed": 1})))

    kept = studio.gallery.get(*done.ids)
    assert (done.result, done.reason) == (Result.IMPORTED, None)
    assert (kept.params.prompt, kept.params.negative_prompt) == (PROMPT, NEGATIVE)


def test_a_picture_with_a_longer_prompt_comes_in_and_it_is_told_and_kept(studio):
    done = imported(studio, a_file(json.dumps({"prompt": PROMPT + "x", "seed": 1})))

    kept = studio.gallery.get(*done.ids)
    assert done.result is Result.IMPORTED
    assert done.reason == "Its prompt is longer than the 20,000 characters that are allowed."
    assert kept.params.prompt == ""
    assert kept.record.imported.raw["prompt"] == PROMPT + "x"
