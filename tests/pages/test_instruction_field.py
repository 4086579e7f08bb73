"""The instruction of an edit model: written by the mode, shown before anything is painted, changed by the artist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.bootstrap import Studio
from core.domain import instructions
from core.domain.params import InpaintParams
from tests.fakes import POCKET
from tests.pages.test_inpaint import draft, generate, widget, words_on

SAYS = instructions.TEMPLATES[instructions.SENTENCES]


@pytest.fixture
def listed(studio: Studio) -> None:
    recommended = {**POCKET.recommended, **instructions.SUITED}
    studio.models.specs["kontext"] = replace(
        POCKET, key="kontext", title="Kontext", recommended=recommended, wording=instructions.SENTENCES
    )
    studio.models.ready.add("kontext")


@pytest.fixture
def kontext(listed, ready):
    """The page with an edit model chosen."""
    widget(ready, "selectbox", "model").set_value("kontext").run()
    return ready


def has_field(page) -> bool:
    return any(field.label == "Instruction" for field in page.text_area)


def painted(studio, page, dispatcher) -> InpaintParams:
    generate(page)
    dispatcher.drain()
    return studio.gallery.get(draft(studio, page).generations[-1]).params


def test_the_mode_writes_it_the_page_shows_the_sentence_and_it_is_recorded(studio, kontext, dispatcher):
    widget(kontext, "segmented_control", "mode").set_value("remove").run()
    assert widget(kontext, "text_area", "instruction").value == SAYS["remove"].alone

    widget(kontext, "text_area", "prompt").set_value("the lamp").run()
    shown = words_on(kontext)
    params = painted(studio, kontext, dispatcher)

    assert "Say what to remove" in shown
    assert f"The model is told: “{params.full_prompt}”" in shown
    assert (params.prompt, params.instruction) == ("the lamp", SAYS["remove"].words)
    assert (params.strength, params.fill) == (1.0, "original")


@pytest.mark.slow
def test_what_the_artist_writes_stays_until_another_mode_is_chosen(studio, kontext, dispatcher):
    widget(kontext, "text_area", "instruction").set_value("Paint {prompt} in oil.").run()
    widget(kontext, "text_area", "prompt").set_value("a boat").run()

    params = painted(studio, kontext, dispatcher)
    widget(kontext, "segmented_control", "mode").set_value("remove").run()

    assert params.full_prompt == "Paint a boat in oil."
    assert widget(kontext, "text_area", "instruction").value == SAYS["remove"].words


@pytest.mark.slow
def test_words_that_come_with_the_click_itself_are_in_the_instruction(studio, kontext, dispatcher):
    widget(kontext, "text_area", "prompt").set_value("a boat")

    assert painted(studio, kontext, dispatcher).full_prompt == instructions.applied(SAYS["add"].words, "a boat")


@pytest.mark.slow
def test_other_models_have_no_such_field_and_get_none(studio, kontext, dispatcher):
    assert has_field(kontext)
    widget(kontext, "text_area", "prompt").set_value("a red ball").run()
    widget(kontext, "selectbox", "model").set_value(POCKET.key).run()
    assert not has_field(kontext)

    params = painted(studio, kontext, dispatcher)
    widget(kontext, "selectbox", "model").set_value("kontext").run()

    assert (params.instruction, params.full_prompt) == ("", "a red ball")
    assert widget(kontext, "text_area", "instruction").value == SAYS["add"].words
