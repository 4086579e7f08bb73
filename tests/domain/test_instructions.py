"""Instructions: what the modes write for edit models, and what a model reads of it."""

from __future__ import annotations

from collections import Counter

import pytest

from core.domain import instructions
from core.domain.errors import InvalidParams
from core.domain.instructions import PHRASES, PROMPT, SENTENCES, TEMPLATES
from core.domain.modes import MODES
from core.domain.params import MAX_INSTRUCTION, MAX_PROMPT, InpaintParams


@pytest.mark.parametrize("wording", TEMPLATES)
def test_every_mode_has_an_instruction_with_and_without_a_prompt(wording):
    assert TEMPLATES[wording].keys() == MODES.keys()
    for template in TEMPLATES[wording].values():
        assert (template.words.count(PROMPT), template.alone.count(PROMPT)) == (1, 0)
        assert max(map(len, (template.words, template.alone))) <= MAX_INSTRUCTION


def test_of_each_text_it_is_known_which_mode_wrote_it():
    texts = Counter(
        text
        for templates in TEMPLATES.values()
        for mode, template in templates.items()
        for text in {(template.words, mode), (template.alone, mode)}
    )

    assert {instructions.mode_of(text) for text, _ in texts} == set(MODES)
    assert all(instructions.mode_of(text) == mode and instructions.is_written(text) for text, mode in texts)
    assert (instructions.mode_of(PROMPT), instructions.is_written(PROMPT)) == (None, True)
    assert (instructions.mode_of("Paint it red."), instructions.is_written("Paint it red.")) == (None, False)
    # What an artist has emptied stays empty.
    assert not instructions.is_written("")


@pytest.mark.parametrize(
    ("wording", "mode", "prompt", "told"),
    [
        (SENTENCES, "replace", "a red ball", "Replace the main object with a red ball. Keep everything else the same."),
        (SENTENCES, "add", "a cat", "Add a cat. Keep everything else the same."),
        (
            SENTENCES,
            "remove",
            "the lamp post",
            "Remove the lamp post and fill in the background. Keep everything else the same.",
        ),
        (
            SENTENCES,
            "remove",
            " \n",
            "Remove the main object and fill in the background. Keep everything else the same.",
        ),
        (PHRASES, "replace", "a red ball", "replace the object with a red ball"),
        (PHRASES, "remove", "", "remove the object"),
    ],
)
def test_a_mode_says_what_is_to_be_done_with_what_was_prompted(wording, mode, prompt, told):
    params = InpaintParams(prompt=prompt, instruction=instructions.written(wording, mode, prompt))

    assert (params.prompt, params.spoken_prompt) == (prompt, told)


@pytest.mark.parametrize(
    "prompt",
    [
        "Remove the cat",
        "please turn it into a watercolour",
        "make the sky darker",
        "change the colour of the car to red",
        "take away the lamp",
        "replace cats by dogs",
        "give her a hat",
        "make everything blue",
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_that_says_what_to_do_stands_alone(mode, prompt):
    assert instructions.written(SENTENCES, mode, prompt) == PROMPT
    assert InpaintParams(prompt=prompt, instruction=PROMPT).spoken_prompt == prompt


@pytest.mark.parametrize(
    "prompt", ["paint bucket", "a change purse", "removed wallpaper", "turn signal", "makeup", "additional trees", "it"]
)
def test_a_prompt_that_names_a_thing_is_put_into_an_instruction(prompt):
    assert PROMPT in instructions.written(SENTENCES, "add", prompt) != PROMPT


def test_without_an_instruction_the_prompt_is_what_it_always_was():
    assert InpaintParams(prompt="a {prompt} cat").spoken_prompt == "a {prompt} cat"
    assert InpaintParams.from_dict({"schema": 6, "processing": 4, "prompt": "x"}) == InpaintParams(prompt="x")


def test_loras_in_the_prompt_are_found_through_the_instruction():
    params = InpaintParams(prompt="a cat <lora:oil:0.8>", instruction="Add {prompt}.")

    assert [str(lora) for lora in params.all_loras] == ["oil:0.8"]
    assert params.spoken_prompt == "Add a cat ."


def test_an_instruction_that_grows_beyond_what_a_prompt_may_have_is_refused_before_it_is_made():
    with pytest.raises(InvalidParams, match="has 200,000 characters with the prompt in it"):
        InpaintParams(prompt="x" * MAX_PROMPT, instruction=PROMPT * 10)
    with pytest.raises(InvalidParams, match="Instruction: has 1001 characters"):
        InpaintParams(instruction="x" * (MAX_INSTRUCTION + 1))
    assert len(InpaintParams(prompt="x" * MAX_PROMPT, instruction=PROMPT).full_prompt) == MAX_PROMPT
