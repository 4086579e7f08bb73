"""The Inpaint page: from a picture and a mask to rows, and what it shows of them."""

from __future__ import annotations

import io
from itertools import chain, repeat
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.domain.draft import Draft
from core.domain.errors import GateNotAccepted, ResultWithheld
from core.domain.generation import Relation, Status
from core.domain.params import PARAMETERS
from core.domain.pixels.mask import Mask
from tests.conftest import a_mask, a_picture, a_request, interrupt
from tests.fakes import POCKET, REMOTE
from tests.pages.conftest import ROOM_PX


def png(image: Image.Image, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def draft_id(page: AppTest) -> str:
    held = page.query_params["draft"]
    return held if isinstance(held, str) else held[0]


def draft(studio, page: AppTest) -> Draft:
    return studio.drafts.get(draft_id(page))


def widget(page: AppTest, kind: str, name: str):
    return getattr(page, kind)(key=f"{draft_id(page)}.{name}")


def upload(page: AppTest, data: bytes, name: str = "photo.png") -> AppTest:
    page.file_uploader(key=f"{draft_id(page)}.picture").upload(name, data, "image/png").run()
    assert not page.exception
    return page


def words_on(page: AppTest) -> str:
    kinds = ("title", "header", "markdown", "caption", "error", "warning", "info")
    return "\n".join(element.value for kind in kinds for element in page.get(kind)).replace("\\", "")


def generate(page: AppTest) -> AppTest:
    page.button(key="generate").click().run()
    assert not page.exception
    return page


def refused(page: AppTest, studio, why: str) -> None:
    """The button takes the click, and says why nothing comes of it."""
    generate(page)
    assert why in page.error[0].value.replace("\\", "")
    assert studio.gallery.count() == 0


# The picture ---------------------------------------------------------------------------------------------------


def test_a_visitor_is_asked_for_a_picture_and_offered_named_samples_with_their_licence(inpaint):
    page = inpaint()

    assert [uploader.label for uploader in page.file_uploader] == ["Your picture", "Open a saved draft"]
    assert "Mountain meadow" in [button.label for button in page.button]
    assert "Aitzol Berasategi, [CC&nbsp;BY&nbsp;4.0](https://creativecommons.org" in words_on(page)
    assert "Generate" not in [button.label for button in page.button]


def test_a_sample_is_opened_with_one_click(inpaint, studio):
    page = inpaint()

    page.button(key="sample-dandelions.jpg").click().run()

    assert "dandelions.jpg" in words_on(page)
    assert draft(studio, page).source_name == "dandelions.jpg"
    assert studio.gallery.image(draft(studio, page).source).size[0] >= 640


@pytest.mark.slow_but_first
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_an_upload_is_decoded_once_however_often_the_page_runs(inpaint, studio, decoded, format):
    size = (1240, 700)  # more than is shown: what is made for the screen is opened too
    page = upload(inpaint(), png(a_picture(*size), format)).run().run()

    assert decoded.count(size) == 1
    assert studio.gallery.image(draft(studio, page).source).size == size


@pytest.mark.parametrize("data", [b"", b"not a picture", png(a_picture())[:500], b"<svg onload='alert(1)'/>"])
@pytest.mark.slow_but_first
def test_a_file_that_is_no_picture_shows_a_sentence_and_changes_nothing(inpaint, studio, data):
    page = upload(inpaint(), data)

    assert len(page.error) == 1
    assert draft(studio, page).source is None


def test_what_was_converted_is_said(inpaint):
    page = upload(inpaint(), png(a_picture().quantize()))

    assert "Palette colours are converted to full colour" in words_on(page)


def test_the_name_of_a_file_is_shown_as_it_is(inpaint):
    page = upload(inpaint(), png(a_picture()), "[click](https://example.org) **me**.png")

    assert any(r"\[click\]\(https" in element.value for element in page.markdown)


@pytest.mark.slow
def test_another_picture_starts_with_an_empty_mask_and_keeps_the_parameters(ready, studio):
    widget(ready, "text_area", "prompt").set_value("a red ball").run()
    before = draft_id(ready)

    upload(ready, png(a_picture(128, 96)))

    assert draft(studio, ready).drawing is None
    assert draft(studio, ready).params["prompt"] == "a red ball"
    assert widget(ready, "text_area", "prompt").value == "a red ball"
    assert studio.drafts.get(before).drawing is not None
    assert draft(studio, ready).before == before


@pytest.mark.slow
def test_samples_are_drawn_beside_an_open_picture_only_when_they_are_asked_for(opened, studio):
    assert "sample-dandelions.jpg" not in {button.key for button in opened.button}

    opened.session_state[f"{draft_id(opened)}.another"] = True
    opened.run().button(key="sample-dandelions.jpg").click().run()

    assert draft(studio, opened).source_name == "dandelions.jpg"
    assert "sample-dandelions.jpg" not in {button.key for button in opened.button}


# The mask ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_canvas_gets_a_small_jpeg_that_fits_the_room(inpaint, hand):
    upload(inpaint(), png(a_picture(1200, 800)))

    given = hand.calls[-1]
    assert (given["width"], given["height"]) == (ROOM_PX, 320)
    assert Image.open(io.BytesIO(given["background_image"])).format == "JPEG"
    assert Image.open(io.BytesIO(given["background_image"])).size == (ROOM_PX, 320)


def test_the_canvas_waits_until_the_browser_has_told_how_much_room_there_is(opened, hand, monkeypatch):
    hand.calls.clear()
    monkeypatch.setattr("pages.ui.inpaint.canvas._ruler", lambda **_: {})

    opened.run()

    assert not hand.calls


def test_every_stroke_is_stored_and_counted(opened, hand, studio):
    assert "Nothing is masked yet" in words_on(opened)

    hand.paint(0, 0, 240, 320)
    opened.run()

    assert '"type":"Rect"' in draft(studio, opened).drawing
    assert draft(studio, opened).canvas_width == ROOM_PX
    assert "50 % of the picture will be repainted" in words_on(opened)


def test_a_standing_canvas_is_never_given_another_drawing(opened, hand):
    for n in range(3):
        hand.paint(n * 50, 0, n * 50 + 40, 40)
        opened.run()

    strokes_later = [call for call in hand.calls if call["key"] == hand.key]
    assert len(hand.objects) == 3
    assert all(call["initial_drawing"] is None for call in strokes_later)


def test_undo_takes_the_last_stroke_back_into_a_new_canvas(ready, hand, studio):
    hand.paint(0, 0, 10, 10)
    ready.run()

    ready.button(key="canvas-undo").click().run()

    assert [item["left"] for item in hand.objects] == [100]
    assert "15 % of the picture" in words_on(ready)


def test_clear_removes_everything(ready, hand, studio):
    ready.button(key="canvas-invert").click().run()
    ready.button(key="canvas-clear").click().run()

    assert draft(studio, ready).drawing is None
    assert draft(studio, ready).base_mask is None
    assert hand.objects == []


def test_invert_puts_the_opposite_below_the_drawing_and_strokes_go_on_from_there(ready, hand, studio):
    ready.button(key="canvas-invert").click().run()
    hand.erase(0, 0, 480, 50)
    ready.run()

    base = Mask.from_image(studio.gallery.image(draft(studio, ready).base_mask))
    assert base == a_mask().inverted
    assert "70 % of the picture will be repainted" in words_on(ready)


def test_an_uploaded_mask_replaces_the_drawing(ready, hand, studio):
    file = png(a_mask(box=(0, 0, 48, 64)).to_image())

    ready.file_uploader(key=f"{draft_id(ready)}.mask").upload("mask.png", file, "image/png").run().run()

    assert hand.objects == []
    assert "50 % of the picture will be repainted" in words_on(ready)


def test_a_mask_of_another_shape_shows_a_sentence_and_the_drawing_stays(ready, hand):
    ready.file_uploader(key=f"{draft_id(ready)}.mask").upload("m.png", png(a_picture(64, 64)), "image/png").run()

    assert "they differ in shape" in words_on(ready)
    assert len(hand.objects) == 1


def test_the_mask_can_be_looked_at(ready):
    before = len(ready.image)

    ready.toggle(key="canvas-preview").set_value(True).run()

    assert len(ready.image) == before + 1


def test_a_drawing_of_another_kind_shows_a_sentence(opened, hand):
    hand.strokes.append({"type": "Image", "src": "https://example.org/x.png"})

    opened.run()

    assert "cannot be painted" in words_on(opened)


# The parameters ------------------------------------------------------------------------------------------------


def test_titles_explanations_and_limits_are_those_of_the_domain(opened):
    for name in ("num_inference_steps", "guidance_scale", "strength"):
        parameter, slider = PARAMETERS[name], widget(opened, "slider", name)
        assert (slider.label, slider.min, slider.max, slider.step) == (
            parameter.title,
            parameter.low,
            parameter.high,
            parameter.step,
        )
        assert slider.help == parameter.help


def test_the_values_recommended_for_the_model_are_there_at_first(opened):
    assert widget(opened, "slider", "num_inference_steps").value == POCKET.recommended["num_inference_steps"]
    assert widget(opened, "slider", "size").value == POCKET.native_px


def test_choosing_a_model_applies_what_is_recommended_for_it_and_keeps_the_prompt(opened, studio):
    widget(opened, "text_area", "prompt").set_value("a cat").run()

    widget(opened, "selectbox", "model").set_value(REMOTE.key).run()

    assert widget(opened, "slider", "num_inference_steps").value == PARAMETERS["num_inference_steps"].default
    assert widget(opened, "slider", "size").value == REMOTE.native_px
    assert draft(studio, opened).params["model"] == REMOTE.key
    assert widget(opened, "text_area", "prompt").value == "a cat"


def test_reset_brings_the_recommended_values_back(opened):
    widget(opened, "slider", "num_inference_steps").set_value(99).run()

    widget(opened, "button", "reset").click().run()

    assert widget(opened, "slider", "num_inference_steps").value == POCKET.recommended["num_inference_steps"]


def test_another_model_can_be_named_and_one_that_is_unknown_says_so(opened, studio):
    widget(opened, "selectbox", "model").set_value("another").run()

    widget(opened, "text_input", "model-other").set_value("nothing").run()

    assert "There is no such model" in words_on(opened)
    refused(opened, studio, "There is no such model")


def test_a_prompt_without_a_word_that_the_pocket_model_knows_is_warned_about(opened):
    widget(opened, "text_area", "prompt").set_value("a spaceship").run()
    assert "knows none of the things in the prompt" in words_on(opened)

    widget(opened, "text_area", "prompt").set_value("a red balloon").run()
    assert "knows none of the things in the prompt" not in words_on(opened)
    assert "balloon, cat" in words_on(opened)


def test_too_few_steps_for_the_strength_say_so_and_cannot_be_generated(opened, studio):
    widget(opened, "slider", "strength").set_value(0.05).run()

    assert "leaves no step to run" in words_on(opened)
    refused(opened, studio, "leaves no step to run")


@pytest.mark.slow
def test_a_model_that_is_not_here_is_downloaded_only_when_asked_for(ready, studio):
    widget(ready, "selectbox", "model").set_value(REMOTE.key).run()
    refused(ready, studio, "Download it first")
    assert studio.models.downloads == []

    ready.button(key="model-download").click().run()
    assert studio.models.downloads == [], "the worker fetches it"
    studio.downloads.run_next()
    ready.run()

    assert studio.models.downloads == [REMOTE.key]
    generate(ready)
    assert studio.gallery.count() == 1


def test_a_download_that_fails_says_why_with_its_link(ready, studio):
    studio.models.error = GateNotAccepted(link="https://huggingface.co/CompVis")
    widget(ready, "selectbox", "model").set_value(REMOTE.key).run()

    ready.button(key="model-download").click().run()
    studio.downloads.run_next()
    ready.run()

    assert "accept its licence first" in ready.error[0].value
    assert "https://huggingface.co/CompVis" in ready.error[0].value


# Generating ----------------------------------------------------------------------------------------------------


def test_an_empty_mask_shows_a_sentence_and_queues_nothing(opened, studio):
    generate(opened)

    assert "The mask is empty" in words_on(opened)
    assert studio.gallery.count() == 0


def test_each_image_is_a_row_with_a_seed_of_its_own(ready, studio, dispatcher):
    widget(ready, "toggle", "random").set_value(False).run()
    widget(ready, "number_input", "seed").set_value(41)
    widget(ready, "number_input", "count").set_value(3).run()

    generate(ready)

    rows = studio.gallery.browse().generations
    assert sorted(row.params.seed for row in rows) == [41, 42, 43]
    assert sorted(dispatcher.waiting) == sorted(draft(studio, ready).generations)
    assert {row.source_name for row in rows} == {"photo.png"}


def test_the_row_has_the_picture_that_was_uploaded_and_the_mask_at_full_size(inpaint, hand, studio):
    page = upload(inpaint(), png(a_picture()))
    hand.paint(100, 50, 250, 200)

    generate(page.run())

    [row] = studio.gallery.browse().generations
    assert studio.gallery.image(row.source).tobytes() == a_picture().tobytes()
    assert studio.gallery.mask(row) == a_mask()


def test_the_stroke_that_comes_in_with_the_click_counts(opened, hand, studio):
    hand.paint(100, 50, 250, 200)

    generate(opened)

    [row] = studio.gallery.browse().generations
    assert studio.gallery.mask(row) == a_mask()


@pytest.mark.slow
def test_a_random_seed_is_concrete_in_the_row_and_another_one_each_time(ready, studio, dispatcher):
    for _ in range(2):
        generate(ready)
        dispatcher.drain()
        ready.run()

    first, second = (row.params.seed for row in studio.gallery.browse().generations)
    assert first != second


def test_while_it_works_generate_is_off_and_the_place_in_the_queue_is_shown(ready, studio):
    studio.generations.submit(a_request())

    generate(ready)

    assert ready.button(key="generate").disabled
    assert "1 ahead" in ready.get("progress")[0].proto.text


def test_the_button_says_whether_it_is_painted_or_waits_or_the_queue_is_paused(ready, studio, dispatcher, inpainter):
    button, said = "generate", []
    [other] = studio.generations.submit(a_request())
    generate(ready)
    said.append(ready.button(key=button).label)
    studio.queue.pause()
    said.append(ready.run().button(key=button).label)
    studio.queue.resume()
    studio.generations.cancel(other)
    inpainter.after_step(1, lambda: said.append(ready.run().button(key=button).label))

    dispatcher.drain()

    assert said == ["Waiting", "Paused", "Painting"]
    assert ready.run().button(key=button).label == "Generate"


@pytest.mark.slow
def test_a_queue_that_is_paused_while_one_waits_changes_the_button_by_itself(ready, studio, monkeypatch):
    generate(ready)
    after_the_button = chain([False], repeat(True))
    monkeypatch.setattr(studio.queue.repo, "is_paused", after_the_button.__next__)
    alone = SimpleNamespace(fragment_ids_this_run=["the one that watches"])
    monkeypatch.setattr("pages.ui.shell.watching.get_script_run_ctx", lambda: alone)

    ready.run()

    assert ready.button(key="generate").label == "Paused"


def test_cancel_ends_what_waits(ready, studio):
    widget(ready, "number_input", "count").set_value(2).run()
    generate(ready)

    ready.button(key="live-cancel").click().run()

    assert {row.status for row in studio.gallery.browse().generations} == {Status.CANCELLED}
    assert "Images 1 to 2: Cancelled." in words_on(ready.run())


def test_cancel_counts_also_in_the_moment_in_which_one_of_several_ends(ready, studio, monkeypatch):
    from pages.ui.inpaint import live_panel

    widget(ready, "number_input", "count").set_value(2).run()
    generate(ready)
    before_one_ended = chain([-1], repeat(0))
    monkeypatch.setattr(live_panel, "_finished", lambda _: next(before_one_ended))

    ready.button(key="live-cancel").click().run()

    assert {row.status for row in studio.gallery.browse().generations} == {Status.CANCELLED}


@pytest.mark.slow
def test_all_that_were_cancelled_are_tried_again_with_one_click(ready, studio):
    widget(ready, "number_input", "count").set_value(3).run()
    generate(ready)
    ready.button(key="live-cancel").click().run()
    cancelled = draft(studio, ready).generations

    ready.run().button(key=f"retry-{cancelled[0]}").click().run()

    again = draft(studio, ready).generations
    assert len(again) == 3
    assert {studio.gallery.get(id).status for id in again} == {Status.QUEUED}
    assert [studio.gallery.get(id).params for id in again] == [studio.gallery.get(id).params for id in cancelled]


def test_a_failed_one_shows_the_sentence_that_was_recorded(ready, dispatcher, inpainter):
    inpainter.fail_with(ResultWithheld())
    generate(ready)

    dispatcher.drain()

    assert "safety checker withheld" in words_on(ready.run())
    assert not ready.button(key="generate").disabled


@pytest.mark.slow
def test_an_interrupted_one_can_be_continued_in_its_own_row(ready, studio):
    generate(ready)
    [id] = draft(studio, ready).generations
    interrupt(studio, id)

    ready.run().button(key=f"retry-{id}").click().run()

    assert studio.gallery.get(id).status is Status.QUEUED


# The result ----------------------------------------------------------------------------------------------------


@pytest.fixture
def painted(ready, dispatcher) -> AppTest:
    generate(ready)
    dispatcher.drain()
    return ready.run()


def test_the_result_stands_beside_the_original_with_what_was_checked(painted, studio):
    [row] = studio.gallery.browse().generations

    assert "Outside the mask: unchanged (checked)" in words_on(painted)
    assert f"Seed {row.params.seed}" in words_on(painted)
    [link] = [link for link in painted.get("page_link") if link.label == "View details"]
    assert link.proto.query_string == f"generation={row.id}"


def test_a_changed_pixel_outside_the_mask_is_said_in_red(ready, dispatcher, monkeypatch):
    monkeypatch.setattr("core.domain.pixels.compositing.unchanged_outside", lambda *_: False)
    generate(ready)
    dispatcher.drain()

    assert "Outside the mask: changed" in words_on(ready.run())


def test_going_on_from_a_result_opens_it_as_a_new_picture_with_its_parent(painted, studio):
    [row] = studio.gallery.browse().generations
    before = draft_id(painted)

    painted.button(key=f"continue-{row.id}").click().run()

    after = draft(studio, painted)
    assert draft_id(painted) != before
    assert (after.source, after.parent_id, after.relation) == (row.output, row.id, Relation.CONTINUATION)
    assert after.drawing is None


@pytest.mark.slow
def test_from_a_result_that_was_gone_on_from_a_click_leads_back(painted, studio):
    [row] = studio.gallery.browse().generations
    before = draft_id(painted)
    painted.button(key=f"continue-{row.id}").click().run()

    painted.button(key=f"{draft_id(painted)}.before").click().run()

    assert draft_id(painted) == before
    assert painted.button(key=f"continue-{row.id}")


@pytest.mark.slow
def test_going_on_from_a_variation_sets_chance_free_again(painted, studio, dispatcher):
    [row] = studio.gallery.browse().generations
    painted.button(key=f"vary-{row.id}").click().run()
    dispatcher.drain()
    painted.run()

    painted.button(key=f"continue-{draft(studio, painted).generations[-1]}").click().run()

    assert widget(painted, "slider", "variation_strength").value == 0
    assert widget(painted, "toggle", "random").value is True


def test_another_seed_is_tried_with_everything_else_the_same(painted, studio):
    [row] = studio.gallery.browse().generations

    painted.button(key=f"again-{row.id}").click().run()

    again = studio.gallery.browse().generations[0]
    assert (again.parent_id, again.relation, again.mask) == (row.id, Relation.VARIATION, row.mask)
    assert again.params == row.params.changed(seed=again.params.seed)
    assert again.params.seed != row.params.seed


@pytest.mark.slow
def test_what_was_text_in_a_prompt_is_text_for_another_seed_too(ready, studio, dispatcher):
    widget(ready, "text_area", "prompt").set_value(r"a \{red|blue\} ball").run()
    generate(ready)
    dispatcher.drain()
    ready.run()
    [row] = studio.gallery.browse().generations

    ready.button(key=f"again-{row.id}").click().run()

    assert {g.params.prompt for g in studio.gallery.browse().generations} == {"a {red|blue} ball"}


@pytest.mark.slow
def test_a_seed_can_be_kept_for_the_next_one(painted, studio):
    [row] = studio.gallery.browse().generations

    painted.button(key=f"seed-{row.id}").click().run()

    assert widget(painted, "number_input", "seed").value == row.params.seed
    assert widget(painted, "toggle", "random").value is False


# What survives -------------------------------------------------------------------------------------------------


def test_picture_drawing_and_parameters_survive_a_page_switch(ready, hand, studio, monkeypatch):
    widget(ready, "text_area", "prompt").set_value("a red ball")
    widget(ready, "slider", "num_inference_steps").set_value(7).run()
    id, key = draft_id(ready), hand.key

    ready.switch_page("pages/2_Gallery.py").run()
    hand.key = None  # the browser has thrown the canvas away
    widths = iter([{}])  # and measures its room anew
    monkeypatch.setattr("pages.ui.inpaint.canvas._ruler", lambda **_: next(widths, {"width": ROOM_PX}))
    ready.switch_page("pages/1_Inpaint.py").run()
    ready.run()

    assert draft_id(ready) == id
    assert hand.key != key
    assert [item["left"] for item in hand.objects] == [100]
    assert widget(ready, "text_area", "prompt").value == "a red ball"
    assert widget(ready, "slider", "num_inference_steps").value == 7


def test_a_refresh_brings_picture_drawing_parameters_and_generations_back(ready, inpaint, hand, studio):
    widget(ready, "text_area", "prompt").set_value("a red ball").run()
    generate(ready)

    hand.key = None
    again = inpaint(draft=draft_id(ready))

    assert "photo.png" in words_on(again)
    assert [item["left"] for item in hand.objects] == [100]
    assert widget(again, "text_area", "prompt").value == "a red ball"
    assert again.button(key="live-cancel")


def test_going_back_in_the_browser_opens_the_draft_of_that_address(painted, studio, monkeypatch):
    monkeypatch.setattr("pages.ui.shell.address.UNDER_WAY_S", 0)
    [row] = studio.gallery.browse().generations
    before = draft_id(painted)
    painted.button(key=f"continue-{row.id}").click().run()
    assert draft_id(painted) != before

    painted.query_params["draft"] = before
    painted.run()

    assert draft_id(painted) == before
    assert painted.button(key=f"continue-{row.id}")


def test_an_address_of_no_draft_starts_a_new_one(inpaint, studio):
    page = inpaint(draft="0123456789ab")

    assert draft_id(page) != "0123456789ab"
    assert draft(studio, page) == Draft()


@pytest.mark.slow
def test_a_drawing_from_a_wider_canvas_is_scaled_to_the_room_there_is_now(ready, inpaint, hand, studio, monkeypatch):
    monkeypatch.setattr("pages.ui.inpaint.canvas._ruler", lambda **_: {"width": 240})

    hand.key = None
    again = inpaint(draft=draft_id(ready))
    generate(again)

    [row] = studio.gallery.browse().generations
    assert np.array_equal(studio.gallery.mask(row).pixels, a_mask().pixels)


def test_a_generation_opened_to_try_again_keeps_its_mask_and_its_seed(inpaint, studio, dispatcher):
    studio.generations.submit(a_request(seed=77))
    dispatcher.drain()
    [row] = studio.gallery.browse().generations
    id = studio.drafts.start()
    studio.drafts.save(id, studio.drafts.from_generation(row))

    page = generate(inpaint(draft=id))

    again = studio.gallery.browse().generations[0]
    assert (again.params, again.mask, again.parent_id) == (row.params, row.mask, row.id)
    assert draft_id(page) == id


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("prompt", "told"),
    [("a {cat|dog", "{ is not closed"), ("a }", "has no opening bracket"), ("a __nope__", "no wildcard “nope”")],
)
def test_a_prompt_with_an_open_choice_is_told_below_it_and_nothing_is_generated(ready, studio, prompt, told):
    widget(ready, "text_area", "prompt").set_value(prompt).run()

    assert told in words_on(ready)
    refused(ready, studio, told)

    widget(ready, "text_area", "prompt").set_value("a {cat|dog}").run()

    assert not ready.warning
    assert not ready.error


def test_a_weight_that_cannot_be_read_is_told_while_the_prompt_is_written(ready, studio):
    widget(ready, "toggle", "prompt_weights").set_value(True)
    widget(ready, "text_area", "prompt").set_value("(soft light:1.3) cat").run()

    assert "write (soft light)1.3, not (soft light:1.3)" in words_on(ready)
    refused(ready, studio, "write (soft light)1.3, not (soft light:1.3)")

    widget(ready, "toggle", "prompt_weights").set_value(False).run()

    assert not ready.warning
    assert not ready.error
