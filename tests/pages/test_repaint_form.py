"""The form's choices for the repaint: modes on top, the rest below, and all of it in what is submitted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.modes import MODES
from core.domain.params import PARAMETERS
from tests.conftest import a_request
from tests.controlnets import write_controlnet
from tests.ipadapters import write_image_encoder, write_ip_adapter
from tests.loras import write_lora
from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on
from tests.vaes import write_vae


def made(studio, page, dispatcher):
    generate(page)
    dispatcher.drain()
    return studio.gallery.get(draft(studio, page).generations[0])


@pytest.mark.slow_but_first
@pytest.mark.parametrize("mode", sorted(set(MODES) - {"replace"}))
def test_a_mode_sets_its_parameters_and_says_what_to_write(studio, ready, dispatcher, mode):
    widget(ready, "segmented_control", "mode").set_value(mode).run()

    params = made(studio, ready, dispatcher).params

    assert {name: getattr(params, name) for name in MODES[mode].values} == dict(MODES[mode].values)
    assert MODES[mode].advice in words_on(ready)
    assert draft(studio, ready).params["mode"] == mode


@pytest.mark.slow
def test_going_back_to_replace_leaves_nothing_of_another_mode(studio, ready, dispatcher):
    widget(ready, "segmented_control", "mode").set_value("remove").run()
    widget(ready, "segmented_control", "mode").set_value("replace").run()

    params = made(studio, ready, dispatcher).params

    assert {name: getattr(params, name) for name in MODES["replace"].values} == dict(MODES["replace"].values)


@pytest.mark.slow
def test_every_choice_below_is_submitted(studio, ready, dispatcher):
    widget(ready, "selectbox", "fill").set_value("noise").run()
    widget(ready, "selectbox", "area").set_value("two-pass").run()
    widget(ready, "slider", "refine_strength").set_value(0.5).run()
    widget(ready, "slider", "colour_match").set_value(0.25).run()
    widget(ready, "slider", "keep_threshold").set_value(0.12).run()
    widget(ready, "toggle", "soft_mask").set_value(True).run()
    widget(ready, "toggle", "prompt_weights").set_value(True).run()

    params = made(studio, ready, dispatcher).params

    assert (params.fill, params.area, params.refine_strength, params.colour_match) == ("noise", "two-pass", 0.5, 0.25)
    assert params.keep_threshold == 0.12
    assert params.soft_mask
    assert params.prompt_weights


def test_every_parameter_has_a_field_and_its_place_in_the_draft(studio, inpaint, pictured):
    write_lora(studio.settings.models / "loras" / "oil.safetensors")
    write_vae(studio.settings.models / "vae" / "ft-mse.safetensors")
    write_controlnet(studio.settings.models / "controlnet" / "canny.safetensors")
    write_ip_adapter(studio.settings.models / "ipadapter" / "look.safetensors")
    write_image_encoder(studio.settings.models / "clip_vision" / "vit-h.safetensors")
    draft = studio.drafts.get(pictured)
    studio.drafts.save(pictured, draft.changed(params={"area": "two-pass", "variation_strength": 0.2}))

    page = inpaint(draft=pictured)

    kinds = ("text_area", "text_input", "slider", "number_input", "selectbox", "multiselect", "toggle")
    fields = {field.key for kind in kinds for field in page.get(kind)}
    # The instruction has one with an edit model (see test_instruction_field.py); embeddings stand in the prompts.
    assert {f"{pictured}.{name}" for name in PARAMETERS.keys() - {"instruction", "embeddings"}} <= fields
    assert set(PARAMETERS) <= set(studio.drafts.get(pictured).params)


def test_with_a_variation_the_seed_stays_and_chance_decides_the_way(studio, ready, dispatcher):
    widget(ready, "slider", "variation_strength").set_value(0.2).run()
    widget(ready, "number_input", "seed").set_value(77).run()

    params = made(studio, ready, dispatcher).params

    assert (params.seed, params.variation_strength) == (77, 0.2)
    assert params.variation_seed != 0


@pytest.mark.slow
def test_a_fill_that_has_no_effect_is_said_to_have_none(ready):
    widget(ready, "selectbox", "fill").set_value("blur").run()
    widget(ready, "slider", "strength").set_value(1.0).run()

    assert "no effect at strength 1" in words_on(ready)


@pytest.mark.slow
def test_variations_of_a_result_share_its_seed_and_differ_in_theirs(studio, ready, dispatcher):
    generation = made(studio, ready, dispatcher)
    ready.run()

    ready.button(key=f"vary-{generation.id}").click().run()

    near = [studio.gallery.get(id).params for id in draft(studio, ready).generations]
    assert {params.seed for params in near} == {generation.params.seed}
    assert len({params.variation_seed for params in near}) == len(near) == 4
    assert all(params.changed(variation_strength=0, variation_seed=0) == generation.params for params in near)


@pytest.mark.slow
def test_variations_are_told_apart_where_one_of_them_is_chosen(studio, ready, dispatcher):
    generation = made(studio, ready, dispatcher)
    ready.run()

    ready.button(key=f"vary-{generation.id}").click().run()
    dispatcher.drain()
    studio.drafts.save(draft_id(ready), draft(studio, ready).changed(has_simple_canvas=True))
    ready.run()

    near = [studio.gallery.get(id) for id in draft(studio, ready).generations]
    assert ready.segmented_control(key=f"result-{near[0].id}").options == [
        f"{nth} · Variation {one.params.variation_seed}" for nth, one in enumerate(near, 1)
    ]


def test_a_model_without_chance_makes_one_image_and_offers_no_other_seed(studio, ready, dispatcher):
    widget(ready, "number_input", "count").set_value(4).run()
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=("seed",))

    ready.run()
    generation = made(studio, ready, dispatcher)
    ready.run()

    assert len(draft(studio, ready).generations) == 1
    assert not {f"{action}-{generation.id}" for action in ("again", "vary", "seed")} & {b.key for b in ready.button}


@pytest.mark.slow
def test_a_model_that_takes_a_seed_but_no_variation_offers_the_one_alone(studio, ready, dispatcher):
    specs = studio.models.specs
    specs["pocket-inpaint"] = replace(specs["pocket-inpaint"], unused=("variation_strength",))
    generation = made(studio, ready, dispatcher)

    ready.run()

    offered = {f"{action}-{generation.id}" for action in ("again", "vary", "seed")} & {b.key for b in ready.button}
    assert offered == {f"again-{generation.id}", f"seed-{generation.id}"}


@pytest.mark.slow
def test_a_model_without_chance_makes_no_sheet_over_seeds(studio, ready):
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=("seed",))

    ready.selectbox(key=f"{draft_id(ready)}.sheet.rows").set_value("seed").run()

    assert "Seed has no effect with this model" in words_on(ready)
    ready.button(key=f"{draft_id(ready)}.sheet").click().run()
    assert "has no effect with this model" in ready.error[0].value
    assert studio.gallery.count() == 0


def test_what_a_generation_was_made_with_comes_back_into_the_form(studio, inpaint, dispatcher):
    [id] = studio.generations.submit(
        a_request(fill="border", colour_match=0.5, keep_threshold=0.08, area="two-pass", refine_strength=0.6)
    )
    dispatcher.drain()
    opened = studio.drafts.start()
    studio.drafts.save(opened, studio.drafts.from_generation(studio.gallery.get(id)))

    page = inpaint(draft=opened)

    assert widget(page, "selectbox", "fill").value == "border"
    assert widget(page, "slider", "refine_strength").value == 0.6
    assert widget(page, "slider", "colour_match").value == 0.5
    assert widget(page, "slider", "keep_threshold").value == 0.08


def test_what_has_no_effect_with_a_model_is_grey_and_stays_as_it_is_by_default(studio, ready, dispatcher):
    widget(ready, "selectbox", "scheduler").set_value("euler").run()
    widget(ready, "toggle", "prompt_weights").set_value(True).run()
    unused = ("negative_prompt", "scheduler", "prompt_weights")
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=unused)

    ready.run()
    params = made(studio, ready, dispatcher).params

    assert widget(ready, "text_input", "negative_prompt").disabled
    assert not widget(ready, "text_area", "prompt").disabled
    assert "Fields in grey have no effect" in words_on(ready)
    assert (params.scheduler, params.prompt_weights) == ("model-default", False)


def test_a_model_that_takes_no_words_is_not_given_advice_about_them(studio, ready):
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=("prompt",))

    widget(ready, "segmented_control", "mode").set_value("remove").run()

    assert MODES["remove"].painting in words_on(ready)
    assert MODES["remove"].advice not in words_on(ready)
    assert widget(ready, "text_area", "prompt").disabled


def test_a_model_that_knows_some_things_only_begins_with_adding_them(studio, ready, dispatcher):
    params = made(studio, ready, dispatcher).params

    assert studio.models.vocabulary("pocket-inpaint") is not None
    assert widget(ready, "segmented_control", "mode").value == "add"
    assert {name: getattr(params, name) for name in MODES["add"].values} == dict(MODES["add"].values)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "prompt", ["a (red hat:1.3)", "a (red hat)1.3, sky", "a balloon++", "grass-- and sky", "a (red hat)+"]
)
def test_weights_that_are_read_as_text_are_switched_on_with_one_click(ready, prompt):
    widget(ready, "text_area", "prompt").set_value(prompt).run()

    assert "is read as text" in words_on(ready)
    widget(ready, "button", "weigh").click().run()

    assert widget(ready, "toggle", "prompt_weights").value
    assert "is read as text" not in words_on(ready)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "prompt",
    [
        "a cat (black)",
        "an A+ in C++",
        "16:9",
        "a T-shirt (aspect 16:9)",
        "cat- and dog-sized",
        r"a \(hat\)2",
        "a -- b :-)",
    ],
)
def test_a_prompt_that_only_resembles_weights_is_left_alone(ready, prompt):
    widget(ready, "text_area", "prompt").set_value(prompt).run()

    assert "is read as text" not in words_on(ready)


def test_a_model_that_takes_no_weights_says_so_of_those_in_either_prompt(studio, ready):
    unused = ("prompt_weights",)
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=unused)

    widget(ready, "text_input", "negative_prompt").set_value("blur++").run()

    assert "This model takes no weights: “blur++” is read as text." in words_on(ready)
    assert f"{draft_id(ready)}.weigh" not in {button.key for button in ready.button}


def test_a_model_that_takes_no_words_is_not_told_about_weights(studio, ready):
    unused = ("prompt", "negative_prompt", "prompt_weights")
    studio.models.specs["pocket-inpaint"] = replace(studio.models.specs["pocket-inpaint"], unused=unused)

    widget(ready, "text_area", "prompt").set_value("balloon++").run()

    assert "is read as text" not in words_on(ready)
