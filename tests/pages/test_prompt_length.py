"""A prompt that the model does not read to its end is told beside it, before anything is painted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on

LONG = " ".join(f"word{number}" for number in range(80))


def offer(page) -> str:
    return f"{draft_id(page)}.whole-prompt"


def test_the_words_that_are_ignored_are_named(studio, ready):
    widget(ready, "text_area", "prompt").set_value(LONG).run()

    assert "Prompt: the model reads 75 of 80 tokens." in words_on(ready)
    assert "Ignored: “word75 word76 word77 word78 word79”" in words_on(ready)


def test_a_prompt_that_is_read_whole_is_not_spoken_of(ready):
    widget(ready, "text_area", "prompt").set_value("a red ball").run()

    assert "tokens" not in words_on(ready)
    assert offer(ready) not in {button.key for button in ready.button}


def test_one_click_uses_the_whole_prompt(studio, ready, dispatcher):
    widget(ready, "text_area", "prompt").set_value(LONG).run()

    ready.button(key=offer(ready)).click().run()

    assert "Prompt: 80 tokens, read in parts of 75." in words_on(ready)
    assert offer(ready) not in {button.key for button in ready.button}
    generate(ready)
    assert studio.gallery.get(draft(studio, ready).generations[0]).params.long_prompt


def test_a_long_negative_prompt_is_told_too(studio, ready):
    widget(ready, "text_input", "negative_prompt").set_value(LONG).run()

    assert "Negative prompt: the model reads 75 of 80 tokens." in words_on(ready)


@pytest.mark.parametrize(("unused", "told"), [(("long_prompt",), True), (("prompt", "long_prompt"), False)])
@pytest.mark.slow_but_first
def test_a_model_that_cannot_read_it_whole_makes_no_offer(studio, ready, unused, told):
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=unused)

    widget(ready, "text_area", "prompt").set_value(LONG).run()

    assert ("the model reads 75 of 80 tokens" in words_on(ready)) is told
    assert offer(ready) not in {button.key for button in ready.button}
