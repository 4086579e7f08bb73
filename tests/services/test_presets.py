"""Presets of parameters."""

from __future__ import annotations

import json

import pytest

from core.domain.errors import InvalidInput
from core.domain.params import InpaintParams
from core.services.presets import KIND, MAX_FILE_BYTES, SCHEMA
from core.settings import Settings
from tests.conftest import make_studio


def test_a_preset_is_kept_over_a_restart_without_seed_and_prompts(settings, inpainter, clock, studio):
    studio.presets.save("Fine", InpaintParams(prompt="a cat", seed=5, num_inference_steps=80))

    kept = make_studio(settings, inpainter, clock).presets.all()

    assert kept["Fine"]["num_inference_steps"] == 80
    assert not {"seed", "prompt", "negative_prompt"} & kept["Fine"].keys()


def test_prompts_come_along_when_asked_for(studio):
    studio.presets.save("Cat", InpaintParams(prompt="a cat"), with_prompts=True)

    assert studio.presets.all()["Cat"]["prompt"] == "a cat"


def test_saving_under_the_same_name_replaces_and_deleting_removes(studio):
    studio.presets.save("Mine", InpaintParams(num_inference_steps=10))
    studio.presets.save(" Mine ", InpaintParams(num_inference_steps=20))

    assert [p["num_inference_steps"] for p in studio.presets.all().values()] == [20]

    studio.presets.delete("Mine")

    assert studio.presets.all() == {}
    with pytest.raises(InvalidInput, match="no preset"):
        studio.presets.delete("Mine")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_preset_needs_a_name(studio, name):
    with pytest.raises(InvalidInput):
        studio.presets.save(name, InpaintParams())


# To another installation ---------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, inpainter, clock):
    return make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)


def test_presets_are_handed_on_as_they_are(studio, elsewhere):
    studio.presets.save("Fine “ü”", InpaintParams(num_inference_steps=80, strength=0.35))
    studio.presets.save("Cat", InpaintParams(prompt="a cat\n", prompt_weights=True), with_prompts=True)

    done = elsewhere.presets.import_(studio.presets.export().encode())

    assert done.new == ("Cat", "Fine “ü”")
    assert elsewhere.presets.all() == studio.presets.all()


def test_none_that_is_here_is_replaced_and_the_same_ones_come_in_once(studio, elsewhere):
    for at in (studio, elsewhere):
        at.presets.save("Same", InpaintParams())
    studio.presets.save("Mine", InpaintParams(num_inference_steps=10))
    elsewhere.presets.save("Mine", InpaintParams(num_inference_steps=20))
    file = studio.presets.export().encode()

    first, second = elsewhere.presets.import_(file), elsewhere.presets.import_(file)

    assert (first.new, first.known) == (("Mine (2)",), ("Same",))
    assert elsewhere.presets.all()["Mine"]["num_inference_steps"] == 20
    assert elsewhere.presets.all()["Mine (2)"]["num_inference_steps"] == 10
    assert (second.new, second.known) == ((), ("Mine", "Same"))


def test_what_this_version_does_not_know_and_the_seed_are_left_out(studio):
    studio.presets.import_(a_file({"Mine": {"num_inference_steps": 9, "seed": 5, "from_the_future": {"a": 1}}}))

    assert studio.presets.all() == {"Mine": {"num_inference_steps": 9}}


def a_file(presets, **changes) -> bytes:
    return json.dumps({"kind": KIND, "schema": SCHEMA, "presets": presets} | changes).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b"null",
        a_file(None),
        a_file([1]),
        a_file({}, kind="other"),
        a_file({}, schema="1"),
        a_file({}, schema=99),
        a_file({"Mine": None}),
        a_file({"Mine": [["size", 64]]}),
        a_file({"": {}}),
        a_file({"x" * 101: {}}),
        a_file({"nul\x00": {}}),
        a_file({"half \ud800": {}}),
        a_file({"Mine": {"num_inference_steps": 9999}}),
        a_file({"Mine": {"size": "large"}}),
        a_file({"Mine": {"strength": float("nan")}}),
        a_file({"Mine": {"prompt": "x" * 20_001}}),
        a_file({"Mine": {"num_inference_steps": 1, "strength": 0.01}}),
        a_file({str(n): {} for n in range(501)}),
        b" " * (MAX_FILE_BYTES + 1),
    ],
    ids=range(24),
)
def test_a_file_that_was_not_written_by_us_is_refused_with_a_message_and_nothing_is_taken(studio, data):
    with pytest.raises(InvalidInput) as refused:
        studio.presets.import_(data)

    assert str(refused.value)
    assert studio.presets.all() == {}
