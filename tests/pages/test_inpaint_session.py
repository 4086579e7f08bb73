"""A session on the Inpaint page: queueing more, sheets, presets, and what is done with results."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.errors import OutOfMemory
from core.domain.generation import Relation, Status
from core.domain.model import ModelSpec
from core.domain.modes import CONTENT_FILL
from core.domain.params import InpaintParams
from tests.conftest import a_picture
from tests.pages.test_inpaint import draft, draft_id, generate, png, upload, widget, words_on


def finished(page: AppTest, dispatcher) -> AppTest:
    dispatcher.drain()
    page.run()
    assert not page.exception
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


def opened(page: AppTest, popover: str) -> AppTest:
    page.session_state[popover] = True
    page.run()
    assert not page.exception
    return page


def test_another_one_is_queued_while_the_first_is_painted(studio, ready):
    widget(ready, "text_area", "prompt").set_value("a cat")
    generate(ready)
    widget(ready, "text_area", "prompt").set_value("a dog").run()

    press(ready, "generate-another")

    prompts = [studio.gallery.get(id).params.prompt for id in draft(studio, ready).generations]
    assert prompts == ["a cat", "a dog"]


@pytest.mark.slow
def test_how_long_it_takes_is_told_once_there_is_experience(studio, ready, dispatcher):
    assert "About" not in words_on(ready)

    generate(ready)
    finished(ready, dispatcher)

    assert ":material/schedule: About" in words_on(ready)


@pytest.mark.slow
def test_a_paused_queue_is_told_where_one_waits_for_it(studio, ready):
    studio.queue.pause()

    generate(ready)

    assert "The queue is paused" in words_on(ready)


@pytest.mark.slow
def test_a_sheet_makes_every_combination_and_shows_them_as_one_picture(studio, ready, dispatcher):
    id = draft_id(ready)
    ready.text_input(key=f"{id}.sheet.columns.guidance_scale").set_value("1, 5").run()
    ready.selectbox(key=f"{id}.sheet.rows").set_value("seed").run()
    ready.text_input(key=f"{id}.sheet.rows.seed").set_value("7-9").run()

    press(ready, f"{id}.sheet")
    finished(ready, dispatcher)

    made = studio.sheets.get(draft(studio, ready).sheet)
    assert [[(g.params.seed, g.params.guidance_scale) for g in line] for line in made.cells] == [
        [(seed, guidance) for guidance in (1.0, 5.0)] for seed in (7, 8, 9)
    ]
    assert "6 of 6 done" in words_on(ready)


@pytest.mark.slow
def test_what_cannot_be_varied_is_told_and_makes_no_sheet(ready, studio):
    id = draft_id(ready)

    ready.text_input(key=f"{id}.sheet.columns.guidance_scale").set_value("1, many").run()

    assert "“many” is not a number" in words_on(ready)
    press(ready, f"{id}.sheet")
    assert "“many” is not a number" in ready.error[0].value
    assert studio.gallery.count() == 0


@pytest.mark.slow
def test_an_empty_mask_refuses_a_sheet_with_a_message(studio, inpaint):
    page = upload(inpaint(), png(a_picture()))

    press(page, f"{draft_id(page)}.sheet")

    assert studio.gallery.count() == 0
    assert page.error


def test_a_preset_is_saved_and_fills_the_form_again(studio, ready):
    widget(ready, "slider", "num_inference_steps").set_value(7).run()
    opened(ready, "presets")
    ready.text_input(key="preset-name").set_value("Quick").run()
    press(ready, "preset-save")
    widget(ready, "slider", "num_inference_steps").set_value(30).run()

    press(ready, "preset-use-0")

    assert widget(ready, "slider", "num_inference_steps").value == 7
    assert "Quick" in studio.presets.all()


@pytest.mark.slow
def test_a_preset_can_be_forgotten(studio, ready):
    studio.presets.save("Old", InpaintParams())
    opened(ready, "presets")

    press(ready, "preset-delete-0")

    assert studio.presets.all() == {}


def test_an_earlier_prompt_comes_back_with_a_click(studio, ready, dispatcher):
    widget(ready, "text_area", "prompt").set_value("a fox")
    generate(ready)
    finished(ready, dispatcher)
    widget(ready, "text_area", "prompt").set_value("something else").run()
    opened(ready, "prompts")

    press(ready, "prompt-use-0")

    assert widget(ready, "text_area", "prompt").value == "a fox"


@pytest.mark.slow
def test_a_result_is_kept_as_a_favourite(studio, ready, dispatcher):
    finished(generate(ready), dispatcher)
    [id] = draft(studio, ready).generations

    press(ready, f"keep-{id}")
    assert studio.gallery.get(id).favourite

    press(ready, f"unkeep-{id}")
    assert not studio.gallery.get(id).favourite


def test_a_result_goes_to_the_trash_at_once_and_out_of_sight(studio, ready, dispatcher):
    finished(generate(ready), dispatcher)
    [id] = draft(studio, ready).generations

    press(ready, f"trash-{id}")

    assert studio.gallery.get(id).deleted_at is not None
    assert "Result" not in [heading.value for heading in ready.header]


@pytest.mark.slow
def test_a_result_that_went_to_the_trash_comes_back_with_undo(studio, ready, dispatcher):
    finished(generate(ready), dispatcher)
    [id] = draft(studio, ready).generations
    press(ready, f"trash-{id}")
    assert "1 generation moved to the trash." in words_on(ready)

    press(ready, "undo-trash")

    assert studio.gallery.get(id).deleted_at is None
    keys = [button.key for button in ready.button]
    assert f"trash-{id}" in keys, "it is the candidate again"
    assert "undo-trash" not in keys


def test_the_result_can_be_painted_on_with_the_same_mask(studio, ready, dispatcher):
    finished(generate(ready), dispatcher)
    [id] = draft(studio, ready).generations
    generation = studio.gallery.get(id)

    press(ready, f"continue-masked-{id}")

    now = draft(studio, ready)
    assert (now.source, now.base_mask) == (generation.output, generation.mask)
    assert (now.parent_id, now.relation) == (id, Relation.CONTINUATION)


def test_choices_in_the_prompt_give_each_image_its_own(studio, ready):
    widget(ready, "text_area", "prompt").set_value("a {cat|dog|fox|owl}")
    widget(ready, "number_input", "count").set_value(8)

    generate(ready)

    prompts = {studio.gallery.get(id).params.prompt for id in draft(studio, ready).generations}
    assert len(prompts) > 1
    assert all("{" not in prompt for prompt in prompts)


def test_choices_that_cannot_be_read_are_told_before_anything_is_stored(studio, ready):
    widget(ready, "text_area", "prompt").set_value("a {cat|dog} {")

    generate(ready)

    assert "is not closed" in words_on(ready)
    assert studio.gallery.count() == 0


@pytest.mark.slow
def test_cancelled_ones_do_not_count_as_results(studio, ready):
    generate(ready)
    [id] = draft(studio, ready).generations

    studio.generations.cancel(id)
    ready.run()

    assert studio.gallery.get(id).status is Status.CANCELLED
    assert "Result" not in [heading.value for heading in ready.header]


def test_a_new_visit_begins_with_the_parameters_used_last(studio, ready, inpaint):
    widget(ready, "slider", "num_inference_steps").set_value(17)
    widget(ready, "text_area", "prompt").set_value("a cat").run()

    page = upload(inpaint(), png(a_picture()))

    assert widget(page, "slider", "num_inference_steps").value == 17
    assert widget(page, "text_area", "prompt").value == ""


def test_removing_takes_content_fill_in_place_of_the_pocket_model_and_gives_it_back(studio, ready):
    studio.models.specs[CONTENT_FILL] = ModelSpec(
        CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",)
    )
    studio.models.ready.add(CONTENT_FILL)
    ready.run()

    widget(ready, "segmented_control", "mode").set_value("remove").run()
    assert widget(ready, "selectbox", "model").value == CONTENT_FILL
    assert not ready.button(key="generate").disabled

    widget(ready, "segmented_control", "mode").set_value("replace").run()
    assert widget(ready, "selectbox", "model").value == "pocket-inpaint"


def test_after_removing_the_model_that_comes_back_is_used_as_is_recommended_for_it(studio, ready):
    filler = ModelSpec(
        CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",), recommended={"guidance_scale": 1.0}
    )
    studio.models.specs[CONTENT_FILL] = filler
    studio.models.ready.add(CONTENT_FILL)
    before = {name: widget(ready, "slider", name).value for name in ("guidance_scale", "num_inference_steps", "size")}

    widget(ready, "segmented_control", "mode").set_value("remove").run()
    widget(ready, "segmented_control", "mode").set_value("replace").run()

    assert {name: widget(ready, "slider", name).value for name in before} == before


@pytest.mark.slow
def test_removing_keeps_a_model_that_knows_the_language(studio, ready):
    studio.models.specs[CONTENT_FILL] = ModelSpec(
        CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",)
    )
    widget(ready, "selectbox", "model").set_value("sd15-inpainting").run()

    widget(ready, "segmented_control", "mode").set_value("remove").run()

    assert widget(ready, "selectbox", "model").value == "sd15-inpainting"


def test_what_failed_is_tried_again_with_one_click(studio, ready, dispatcher, inpainter):
    inpainter.fail_with(OutOfMemory())
    finished(generate(ready), dispatcher)
    [failed] = draft(studio, ready).generations

    press(ready, f"retry-{failed}")
    finished(ready, dispatcher)

    [again] = draft(studio, ready).generations
    assert studio.gallery.get(again).status is Status.SUCCEEDED
    assert studio.gallery.get(again).params == studio.gallery.get(failed).params


def test_presets_are_taken_from_a_file_and_what_is_no_such_file_is_told(studio, ready):
    studio.presets.save("Mine", InpaintParams(num_inference_steps=10))
    file = studio.presets.export().encode()
    studio.presets.delete("Mine")

    opened(ready, "presets")
    ready.file_uploader(key="presets-import").upload("presets.json", file, "application/json").run()

    assert "Mine" in studio.presets.all()
    assert not ready.error

    ready.file_uploader(key="presets-import").upload("other.json", b"{}", "application/json").run()

    assert "no presets" in words_on(ready)
