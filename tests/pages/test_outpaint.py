"""Extending the canvas on the Inpaint page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.hashing import pixels_sha256
from core.domain.model import ModelSpec
from core.domain.modes import CONTENT_FILL
from core.domain.pixels.outpaint import CanvasExtension, ExtensionHistory
from tests.conftest import a_picture
from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on


def extend(page: AppTest) -> AppTest:
    widget(page, "button", "extend").click().run()
    assert not page.exception
    return page


def test_pixels_are_added_on_a_side_and_masked_at_once(studio, opened, dispatcher):
    widget(opened, "number_input", "extend-right").set_value(64).run()
    assert "From 96 x 64 to 160 x 64 pixels." in words_on(opened)

    page = extend(opened)
    generate(page)
    dispatcher.drain()

    generation = studio.gallery.get(draft(studio, page).generations[0])
    result = studio.gallery.image(generation.output)
    assert result.size == (160, 64)
    assert generation.record.outside_mask_unchanged
    assert generation.extended == ExtensionHistory(pixels_sha256(a_picture()), (CanvasExtension(right=64),))
    assert result.crop((0, 0, 40, 64)).tobytes() == a_picture().crop((0, 0, 40, 64)).tobytes()
    assert result.crop((100, 0, 160, 64)).getcolors() is not None


@pytest.mark.slow
def test_of_another_seed_it_is_known_too_that_its_canvas_was_extended(studio, opened, dispatcher):
    widget(opened, "number_input", "extend-right").set_value(64).run()
    page = generate(extend(opened))
    dispatcher.drain()
    page.run()
    [row] = studio.gallery.browse().generations

    page.button(key=f"again-{row.id}").click().run()

    assert row.extended is not None
    assert [g.extended for g in studio.gallery.browse().generations] == [row.extended] * 2


def test_a_picture_is_extended_to_a_shape(studio, opened):
    widget(opened, "segmented_control", "extend-by").set_value("To an aspect ratio").run()

    page = extend(opened)

    assert studio.gallery.image(draft(studio, page).source).size == (96, 96)


def test_extending_is_taken_back_to_the_picture_before_with_all_that_was_painted_on_it(studio, opened, hand):
    hand.paint(100, 50, 250, 200)
    opened.run()
    before = draft_id(opened)
    painted = studio.drafts.get(before)
    widget(opened, "number_input", "extend-top").set_value(64).run()
    page = extend(opened)
    assert draft_id(page) != before

    widget(page, "button", "before").click().run()

    assert draft_id(page) == before
    assert studio.drafts.get(before).source == painted.source


def test_without_anything_to_add_the_button_says_why_and_opens_nothing(opened):
    before = draft_id(opened)

    widget(opened, "button", "extend").click().run()

    assert "Nothing is added on any side" in words_on(opened)
    assert "Nothing is added on any side" in opened.toast[0].value
    assert draft_id(opened) == before


def test_the_number_that_comes_in_with_the_click_counts(opened, studio):
    widget(opened, "number_input", "extend-right").set_value(64)

    widget(opened, "button", "extend").click().run()

    assert studio.gallery.image(draft(studio, opened).source).size == (160, 64)


@pytest.mark.slow
def test_a_model_of_few_words_gives_way_to_content_fill_when_the_canvas_grows(opened, studio):
    studio.models.specs[CONTENT_FILL] = ModelSpec(
        CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",)
    )
    studio.models.ready.add(CONTENT_FILL)

    widget(opened, "number_input", "extend-right").set_value(64).run()

    page = extend(opened)

    assert draft(studio, page).params["model"] == CONTENT_FILL
