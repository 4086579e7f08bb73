"""Presets of parameters."""

from __future__ import annotations

import pytest

from core.domain.errors import InvalidInput
from core.domain.params import InpaintParams
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
