"""Weights in prompts: only where they are wanted and written, and refused in words where they cannot be read."""

from __future__ import annotations

import pytest

from core.domain.errors import InvalidParams
from core.domain.params import InpaintParams
from core.engine import prompts
from tests.engine.tiny import a_working_request

PLAIN = ["", "a red ball", "a red ball, soft light", "50mm f/1.8"]


def run(inpainter, prompt: str, **params):
    return inpainter.inpaint(a_working_request(prompt=prompt, **params), lambda report: None)


@pytest.mark.parametrize("prompt", PLAIN)
def test_a_prompt_without_weights_takes_the_old_road(nine, prompt):
    old, new = run(nine, prompt), run(nine, prompt, prompt_weights=True)

    assert old.image.tobytes() == new.image.tobytes()
    assert "compel" not in new.record
    assert prompts.arguments(None, InpaintParams(prompt=prompt, prompt_weights=True))["prompt"] == prompt


@pytest.mark.parametrize("prompt", ["(red)1.5 ball", "a red++ ball", "a red-- ball", "(a red ball)0.6"])
def test_weights_change_the_picture_and_the_library_is_recorded(nine, prompt):
    plain, weighted = run(nine, "a red ball"), run(nine, prompt, prompt_weights=True)

    assert plain.image.tobytes() != weighted.image.tobytes()
    assert weighted.record["compel"]


def test_weights_are_text_where_they_are_not_wanted(nine):
    assert "compel" not in run(nine, "a red++ ball").record
    assert run(nine, "a red++ ball").image.tobytes() != run(nine, "a red ball").image.tobytes()


def test_weights_in_the_negative_prompt_count_only_with_guidance(nine):
    params = {"negative_prompt": "(blurry)1.4", "prompt_weights": True}

    assert "compel" in run(nine, "a ball", **params).record
    assert "compel" not in run(nine, "a ball", guidance_scale=1.0, **params).record


def test_the_same_weights_give_the_same_bits(four):
    weighted = [run(four, "a (red)1.3 ball", prompt_weights=True, guidance_scale=scale) for scale in (3.0, 3.0, 1.0)]

    assert weighted[0].image.tobytes() == weighted[1].image.tobytes() != weighted[2].image.tobytes()


@pytest.mark.parametrize(
    "prompt",
    [
        '("a cat", "a dog").blend(1, 1)',
        '("a cat", "a dog").and()',
        "a cat.swap(dog)",
        "(" * 2000,
        "(" * 9 + "a" + ")" * 9,
        "a)1.2",
        "a ++",
    ],
)
def test_what_else_compel_knows_is_refused_or_read_as_text(nine, prompt):
    try:
        result = run(nine, prompt, prompt_weights=True)
    except InvalidParams as error:
        assert "weights" in str(error)
    else:
        assert result.image.size == (64, 64)


def test_what_was_cut_off_is_told_without_the_signs_for_weights(nine):
    record = run(nine, "(abcdefghij)1.2 " * 4, prompt_weights=True).record

    assert "(" not in record["prompt_cut"]
    assert "1.2" not in record["prompt_cut"]
