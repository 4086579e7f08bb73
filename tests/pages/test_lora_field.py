"""The LoRAs of the form: chosen by name, weighted, kept in the draft, and submitted in their order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.bootstrap import Studio
from tests.fakes import POCKET
from tests.loras import write_lora
from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on
from tests.pages.test_inpaint_session import press


@pytest.fixture
def loras(studio: Studio) -> None:
    folder = studio.settings.models / "loras"
    write_lora(folder / "oil.safetensors", words="in oils")
    write_lora(folder / "style" / "ink.safetensors", text=True)


def names_of(field) -> list[str]:
    return list(field.options)


def test_without_a_file_there_is_no_field(ready):
    assert [field.label for field in ready.get("multiselect") if field.label == "LoRA"] == []


def test_they_are_submitted_in_the_order_of_choice_and_come_back_with_the_draft(
    loras, studio, ready, inpaint, dispatcher
):
    field = widget(ready, "multiselect", "loras")
    assert names_of(field) == ["ink", "oil"]
    field.set_value(["oil", "ink"]).run()
    weight = widget(ready, "number_input", "lora-weight.oil")
    assert "Trigger words: in oils" in weight.help
    weight.set_value(0.65).run()

    generate(ready)
    dispatcher.drain()
    params = studio.gallery.get(draft(studio, ready).generations[0]).params
    again = inpaint(draft=draft_id(ready))

    assert [(lora.name, lora.weight) for lora in params.loras] == [("oil", 0.65), ("ink", 1)]
    assert draft(studio, ready).params["loras"] == [{"name": "oil", "weight": 0.65}, {"name": "ink", "weight": 1}]
    assert widget(again, "multiselect", "loras").value == ["oil", "ink"]
    assert widget(again, "number_input", "lora-weight.oil").value == 0.65


def test_one_that_changes_the_text_encoder_has_a_second_weight_which_may_stay_empty(loras, studio, ready, inpaint):
    widget(ready, "multiselect", "loras").set_value(["oil", "ink"]).run()
    assert not [field for field in ready.number_input if field.key.endswith("lora-text-weight.oil")]
    of_text = widget(ready, "number_input", "lora-text-weight.ink")
    assert of_text.value is None
    of_text.set_value(0.4).run()
    chosen = {"name": "ink", "weight": 1, "text_encoder_weight": 0.4}
    assert draft(studio, ready).params["loras"][1] == chosen

    again = inpaint(draft=draft_id(ready))
    assert widget(again, "number_input", "lora-text-weight.ink").value == 0.4
    widget(again, "number_input", "lora-text-weight.ink").set_value(None).run()
    assert draft(studio, again).params["loras"][1] == {"name": "ink", "weight": 1}


@pytest.mark.slow
def test_its_weight_can_vary_in_a_grid(loras, studio, ready, dispatcher):
    id = draft_id(ready)
    widget(ready, "multiselect", "loras").set_value(["oil"]).run()
    ready.selectbox(key=f"{id}.sheet.columns").set_value("loras").run()
    values = ready.text_input(key=f"{id}.sheet.columns.loras")
    assert values.value == "oil 0, 0.5, 1"
    values.set_value("oil 0, 1").run()

    press(ready, f"{id}.sheet")

    [line] = studio.sheets.get(draft(studio, ready).sheet).cells
    assert [[str(lora) for lora in cell.params.loras] for cell in line] == [["oil:0"], ["oil:1"]]


def test_one_that_has_gone_stays_chosen_and_is_told_before_anything_is_queued(loras, studio, ready):
    widget(ready, "multiselect", "loras").set_value(["oil"]).run()
    (studio.settings.models / "loras" / "oil.safetensors").unlink()

    ready.run()

    assert widget(ready, "multiselect", "loras").value == ["oil"]
    assert "oil.safetensors is not on this machine" in words_on(ready)


@pytest.fixture
def flux(studio: Studio) -> None:
    studio.models.specs["flux"] = replace(POCKET, key="flux", title="Flux", unused=("loras",))
    studio.models.ready.add("flux")


def test_a_model_that_takes_none_shows_no_field_and_the_next_one_has_them_again(loras, flux, studio, ready, dispatcher):
    widget(ready, "multiselect", "loras").set_value(["oil"]).run()
    widget(ready, "selectbox", "model").set_value("flux").run()
    assert not [field for field in ready.get("multiselect") if field.label == "LoRA"]
    widget(ready, "selectbox", "model").set_value("pocket-inpaint").run()
    assert widget(ready, "multiselect", "loras").value == ["oil"]
    widget(ready, "selectbox", "model").set_value("flux").run()

    generate(ready)
    dispatcher.drain()

    assert studio.gallery.get(draft(studio, ready).generations[0]).params.loras == ()
