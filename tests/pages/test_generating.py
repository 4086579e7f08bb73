"""A click on a button that starts something: it acts by itself, whatever becomes of the run of the page after it."""

from __future__ import annotations

import time

import pytest
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

from core.domain.draft import Draft
from core.domain.errors import InvalidInput
from core.domain.modes import asks_to_remove
from core.domain.params import MAX_PROMPT, InpaintParams
from pages.ui.inpaint import canvas
from pages.ui.inpaint.form_advice import LOOKS_WEIGHTED
from pages.ui.inpaint.mask_tools import mask_of
from pages.ui.inpaint.sheet_form import sheet_now
from pages.ui.shell import actions, state
from tests.pages.test_inpaint import draft, draft_id, generate, widget
from tests.pages.test_inpaint_session import finished

TOO_LONG = "a" * (MAX_PROMPT + 1)


@pytest.fixture
def leaving(monkeypatch):
    """The run of the page ends where it begins, as when the visitor goes to another page."""

    def leave() -> None:
        def gone(*_):
            # As Streamlit ends it: nothing more of the page is drawn.
            raise StopException

        monkeypatch.setattr("pages.ui.shell.resources.studio", gone)

    return leave


def click(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()


def test_generate_counts_though_the_visitor_leaves_at_that_moment(ready, studio, leaving):
    widget(ready, "text_area", "prompt").set_value("a cat").run()
    leaving()

    click(ready, "generate")

    [row] = studio.gallery.browse().generations
    assert row.params.prompt == "a cat"
    assert draft(studio, ready).generations == (row.id,)


def test_the_words_that_come_in_with_the_click_count(ready, studio):
    widget(ready, "text_area", "prompt").set_value("a cat").run()

    widget(ready, "text_area", "prompt").set_value("a red balloon")
    widget(ready, "slider", "num_inference_steps").set_value(9)
    generate(ready)

    [row] = studio.gallery.browse().generations
    assert (row.params.prompt, row.params.num_inference_steps) == ("a red balloon", 9)


def test_a_stroke_on_the_simple_canvas_that_no_run_has_seen_counts_though_the_visitor_leaves(
    opened, hand, studio, leaving
):
    hand.paint(100, 50, 250, 200)
    leaving()

    click(opened, "generate")

    [row] = studio.gallery.browse().generations
    assert studio.gallery.mask(row).bounds.box == (20, 10, 50, 40)


@pytest.mark.parametrize("button", ["generate", "sheet"])
@pytest.mark.slow_but_first
def test_generate_and_a_sheet_do_not_decode_the_picture_that_is_stored(ready, studio, leaving, decoded_keys, button):
    source, id = draft(studio, ready).source, draft_id(ready)
    widget(ready, "text_area", "prompt").set_value("a cat").run()
    decoded_keys.clear()
    leaving()

    click(ready, button if button == "generate" else f"{id}.{button}")

    assert {row.source for row in studio.gallery.browse().generations} == {source}
    assert source not in decoded_keys


@pytest.mark.parametrize("button", ["again", "vary"])
@pytest.mark.slow_but_first
def test_another_seed_and_variations_do_not_decode_the_picture_that_is_stored(
    ready, studio, dispatcher, leaving, decoded_keys, button
):
    widget(ready, "text_area", "prompt").set_value("a cat").run()
    generate(ready)
    page = finished(ready, dispatcher)
    [id] = draft(studio, page).generations
    source = studio.gallery.get(id).source
    decoded_keys.clear()
    leaving()

    click(page, f"{button}-{id}")

    assert studio.gallery.count() > 1
    assert {row.source for row in studio.gallery.browse().generations} == {source}
    assert source not in decoded_keys


def test_a_double_click_submits_once(ready, studio, monkeypatch):
    monkeypatch.setattr(actions, "DOUBLE_CLICK_S", 60)

    click(ready, "generate")
    click(ready, "generate-another")
    click(ready, "generate-another")

    assert studio.gallery.count() == 2


def test_generate_in_another_tab_of_a_draft_that_is_painted_already_adds_nothing(ready, inpaint, studio):
    other = inpaint(draft=draft_id(ready))
    generate(ready)

    click(other, "generate")

    assert studio.gallery.count() == 1


def test_a_sheet_of_a_form_that_was_never_drawn_is_refused_in_a_sentence(studio):
    with pytest.raises(InvalidInput, match="Choose what varies across the columns"):
        sheet_now(studio, "draft", InpaintParams(), None, {})


def test_a_mask_without_a_picture_is_refused_in_a_sentence(studio):
    with pytest.raises(InvalidInput, match="Open one first"):
        mask_of(studio, Draft())


def test_a_sheet_counts_though_the_visitor_leaves_at_that_moment(ready, studio, leaving):
    id = draft_id(ready)
    ready.text_input(key=f"{id}.sheet.columns.guidance_scale").set_value("1, 5")
    leaving()

    click(ready, f"{id}.sheet")

    made = studio.sheets.get(draft(studio, ready).sheet)
    assert [g.params.guidance_scale for g in made.generations] == [1.0, 5.0]


def test_what_was_refused_is_told_below_the_button_until_something_is_changed(opened, studio):
    generate(opened)
    assert "The mask is empty" in opened.error[0].value
    opened.run()
    assert "The mask is empty" in opened.error[0].value

    widget(opened, "text_area", "prompt").set_value("a cat").run()

    assert not opened.error


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
@pytest.mark.slow_but_first
def test_a_text_that_is_too_long_is_refused_with_both_numbers_and_the_old_one_is_not_painted(ready, studio, field):
    kind = "text_area" if field == "prompt" else "text_input"
    widget(ready, kind, field).set_value("a cat").run()
    # The browser itself must take it: it refuses without a word.
    assert widget(ready, kind, field).proto.max_chars == 0

    widget(ready, kind, field).set_value(TOO_LONG)
    generate(ready)

    most = MAX_PROMPT
    said = ready.error[0].value.replace("\\", "").replace(",", "")
    assert f"has {len(TOO_LONG)} characters" in said
    assert f"at most {most} are taken" in said
    assert studio.gallery.count() == 0
    assert draft(studio, ready).params[field] == TOO_LONG


def test_nothing_that_comes_with_the_words_stands_above_generate(ready, studio):
    def before_generate() -> list[str]:
        order = []

        def walk(block) -> None:
            for element in block.children.values():
                if hasattr(element, "children"):
                    walk(element)
                else:
                    order.append((element.type, getattr(element, "key", None)))

        walk(ready.main)
        return order[: next(n for n, (_, key) in enumerate(order) if key == "generate")]

    widget(ready, "text_area", "prompt").set_value("a cat").run()
    usual = before_generate()

    for words in ("remove the spaceship (soft light:1.3)", "a {cat|dog", TOO_LONG, ""):
        widget(ready, "text_area", "prompt").set_value(words).run()
        assert before_generate() == usual


def test_who_asks_to_remove_something_in_another_mode_is_led_to_remove_and_keeps_the_words(ready):
    widget(ready, "text_area", "prompt").set_value("remove the dog").run()
    assert widget(ready, "segmented_control", "mode").value == "add"

    widget(ready, "button", "to-remove").click().run()

    assert widget(ready, "segmented_control", "mode").value == "remove"
    assert widget(ready, "text_area", "prompt").value == "remove the dog"
    assert "to-remove" not in {button.key.partition(".")[2] for button in ready.button}


def test_removed_wallpaper_is_a_thing_like_any_other(ready):
    widget(ready, "text_area", "prompt").set_value("removed wallpaper").run()

    assert f"{draft_id(ready)}.to-remove" not in {button.key for button in ready.button}


def test_a_drawing_of_a_canvas_that_was_changed_behind_its_back_is_not_taken(ready, studio):
    before = draft(studio, ready).drawing
    session = {"studio.canvas": state.CanvasInstance(1, (), None), "canvas-1": {"drawing": {"raw": {"objects": []}}}}

    canvas.store_drawn(studio, draft_id(ready), session)

    assert draft(studio, ready).drawing == before


def test_words_that_were_just_typed_are_kept_though_the_visitor_leaves_at_that_moment(ready, studio, leaving):
    leaving()

    widget(ready, "text_area", "prompt").set_value("a cat").run()

    assert draft(studio, ready).params["prompt"] == "a cat"


def test_a_request_that_is_followed_by_another_one_still_has_its_callbacks_called(monkeypatch):
    from streamlit import config
    from streamlit.runtime.state import SafeSessionState, SessionState

    from pages.ui.shell import callbacks

    class Newer(BaseException):
        pass

    def newer_request() -> None:
        raise Newer

    called = []
    monkeypatch.setattr(SafeSessionState, "on_script_will_rerun", SafeSessionState.on_script_will_rerun)
    monkeypatch.setattr(SessionState, "on_script_will_rerun", lambda self, *_, **__: called.append(session["key"]))
    monkeypatch.setattr(config, "get_option", lambda name: False)
    session = SafeSessionState(SessionState(), lambda: None)
    session["key"] = "said"
    object.__setattr__(session, "_yield_callback", newer_request)
    callbacks.install()

    session.on_script_will_rerun(None)

    assert called == ["said"]
    with pytest.raises(Newer):
        session["key"]


@pytest.mark.parametrize("part", ["a", "a ", "(", "please ", "take the ", "a+", "__", "{", "."])
def test_what_is_looked_for_in_a_long_prompt_is_found_without_a_wait(part):
    prompt = part * (20_000 // len(part))
    began = time.perf_counter()

    LOOKS_WEIGHTED.search("(" + prompt)
    LOOKS_WEIGHTED.search(prompt)
    asks_to_remove(prompt)

    # Seconds, and not milliseconds, if each of its characters is a place to begin at.
    assert time.perf_counter() - began < 1
