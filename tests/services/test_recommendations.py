"""Which values suit, as tables: what a model, a mode and a short vocabulary come to."""

from __future__ import annotations

import pytest

from core.domain import instructions
from core.domain.errors import InvalidInput, UnknownModel
from core.domain.model import ModelSpec
from core.domain.modes import CONTENT_FILL, MODES
from core.domain.params import OF_ONE_MODEL, PARAMETERS, InpaintParams
from core.services.recommendations import Recommendations
from tests.fakes import POCKET, FakeCatalogue

FEW_WORDS, GENERAL, ABSENT = POCKET.key, "general", "~nosuchmodel"
SPECS = (
    POCKET,
    ModelSpec(GENERAL, "General", "Knows the language.", 512, recommended={"strength": 0.8}, unused=("scheduler",)),
    ModelSpec(
        CONTENT_FILL, "Content fill", "Knows no words.", 256, unused=("prompt",), recommended={"guidance_scale": 1.0}
    ),
)
SHOWN = ("model", "size", "num_inference_steps", "guidance_scale", "strength", "fill", "mask_grow_px")
STAYS = None


@pytest.fixture
def suits() -> Recommendations:
    return Recommendations(FakeCatalogue(*SPECS, ready=(POCKET.key, GENERAL, CONTENT_FILL)), usual_model=FEW_WORDS)


def shown(values) -> tuple:
    return tuple(values.get(name, STAYS) for name in SHOWN)


@pytest.mark.parametrize(
    ("mode", "model", "expected"),
    [
        # What is to be done, with which model: that model or a better one, size, steps, guidance, strength, fill, grow.
        ("replace", FEW_WORDS, (STAYS, STAYS, STAYS, STAYS, 1.0, "original", 4)),
        ("add", FEW_WORDS, (STAYS, STAYS, STAYS, STAYS, 0.9, "border", 0)),
        ("remove", FEW_WORDS, (CONTENT_FILL, 256, 50, 1.0, 0.6, "telea", 8)),
        ("edges", FEW_WORDS, (CONTENT_FILL, 256, 50, 1.0, 0.8, "border", 0)),
        ("replace", GENERAL, (STAYS, STAYS, STAYS, STAYS, 0.8, "original", 4)),
        ("add", GENERAL, (STAYS, STAYS, STAYS, STAYS, 0.9, "border", 0)),
        ("remove", GENERAL, (STAYS, STAYS, STAYS, STAYS, 0.6, "telea", 8)),
        ("edges", GENERAL, (STAYS, STAYS, STAYS, STAYS, 0.8, "border", 0)),
        ("replace", CONTENT_FILL, (FEW_WORDS, 64, 4, 3.0, 1.0, "original", 4)),
        ("add", CONTENT_FILL, (FEW_WORDS, 64, 4, 3.0, 0.9, "border", 0)),
        ("remove", CONTENT_FILL, (STAYS, STAYS, STAYS, STAYS, 0.6, "telea", 8)),
        ("edges", CONTENT_FILL, (STAYS, STAYS, STAYS, STAYS, 0.8, "border", 0)),
        ("replace", ABSENT, (STAYS, STAYS, STAYS, STAYS, 1.0, "original", 4)),
        ("remove", ABSENT, (STAYS, STAYS, STAYS, STAYS, 0.6, "telea", 8)),
    ],
)
def test_choosing_a_mode_sets_its_values_and_takes_a_better_model_where_one_knows_few_words(
    suits, mode, model, expected
):
    assert shown(suits.for_mode(mode, model)) == expected


def test_a_model_of_few_words_stays_where_content_fill_is_not_among_the_models():
    suits = Recommendations(FakeCatalogue(POCKET), FEW_WORDS)

    assert {suits.model_for(mode, FEW_WORDS) for mode in MODES} == {FEW_WORDS}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (FEW_WORDS, (STAYS, 64, 4, 3.0, 1.0, STAYS, 4)),
        (GENERAL, (STAYS, 512, 50, 7.5, 0.8, STAYS, 4)),
        (CONTENT_FILL, (STAYS, 256, 50, 1.0, 1.0, STAYS, 4)),
    ],
)
def test_a_model_sets_every_value_that_depends_on_it_and_leaves_the_others(suits, model, expected):
    values = suits.for_model(model)

    assert shown(values) == expected
    assert set(values) == set(OF_ONE_MODEL)


def test_of_a_model_that_cannot_be_found_nothing_is_known(suits):
    assert (suits.for_model(ABSENT), suits.unused(ABSENT), suits.vocabulary(ABSENT)) == ({}, (), None)


def test_what_a_model_does_not_use_and_the_few_words_that_it_knows_are_its_own(suits):
    assert (suits.unused(GENERAL), suits.unused(FEW_WORDS)) == (("scheduler",), ())
    assert suits.vocabulary(GENERAL) is None
    assert suits.vocabulary(FEW_WORDS).knows("a red balloon")


@pytest.mark.parametrize(
    ("params", "mode", "expected"),
    [
        # A new draft; a draft of each model; what was chosen before goes before all else.
        ({}, "add", (FEW_WORDS, 64, 4, 3.0, 0.9, "border", 0)),
        ({"model": FEW_WORDS}, "replace", (FEW_WORDS, 64, 4, 3.0, 1.0, "original", 4)),
        ({"model": GENERAL}, "replace", (GENERAL, 512, 50, 7.5, 0.8, "original", 4)),
        ({"model": CONTENT_FILL}, "remove", (CONTENT_FILL, 256, 50, 1.0, 0.6, "telea", 8)),
        ({"model": ABSENT}, "replace", (ABSENT, 512, 50, 7.5, 1.0, "original", 4)),
        ({"model": None, "size": None}, "add", (FEW_WORDS, 64, 4, 3.0, 0.9, "border", 0)),
        ({"size": 96, "strength": 0.3}, "replace", (FEW_WORDS, 96, 4, 3.0, 0.3, "original", 4)),
        ({"mode": "edges"}, "edges", (FEW_WORDS, 64, 4, 3.0, 1.0, "original", 4)),
    ],
)
def test_a_form_begins_with_what_its_draft_says_and_what_suits_it_for_the_rest(suits, params, mode, expected):
    values = suits.for_form(params)

    assert (values["mode"], shown(values)) == (mode, expected)
    assert set(values) == {*PARAMETERS, "mode", "random_seed", "auto_size", "count", "device"}


@pytest.mark.parametrize(
    ("params", "is_random"), [({}, True), ({"seed": 3}, False), ({"seed": 3, "random_seed": True}, True)]
)
def test_the_seed_of_a_generation_that_is_tried_again_is_kept(suits, params, is_random):
    assert suits.for_form(params)["random_seed"] is is_random


@pytest.mark.parametrize(
    ("model", "mode", "chosen", "expected"),
    [
        (None, None, {}, (FEW_WORDS, 64, 4, 3.0, 1.0, STAYS, 4)),
        (None, "remove", {}, (CONTENT_FILL, 256, 50, 1.0, 0.6, "telea", 8)),
        (FEW_WORDS, "remove", {}, (FEW_WORDS, 64, 4, 3.0, 0.6, "telea", 8)),
        (GENERAL, None, {}, (GENERAL, 512, 50, 7.5, 0.8, STAYS, 4)),
        (GENERAL, "replace", {}, (GENERAL, 512, 50, 7.5, 1.0, "original", 4)),
        (GENERAL, "add", {"strength": 0.2, "size": 768}, (GENERAL, 768, 50, 7.5, 0.2, "border", 0)),
    ],
)
def test_a_request_takes_what_was_chosen_then_what_suits_the_mode_then_the_model(suits, model, mode, chosen, expected):
    values = suits.for_request(model, mode, chosen)

    assert shown(values) == expected
    assert InpaintParams(**values).model == values["model"]


def test_a_request_for_an_unknown_mode_or_model_is_refused(suits):
    with pytest.raises(InvalidInput, match="no mode 'repaint'"):
        suits.for_request(None, "repaint", {})
    with pytest.raises(UnknownModel):
        suits.for_request(ABSENT, None, {})


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"prompt": "a cat", "seed": 5, "count": 8, "area": "whole"}, {"area": "whole"}),
        ({"model": GENERAL, "size": 768}, {"model": GENERAL, "size": 768}),
        ({"model": CONTENT_FILL, "area": "whole"}, {}),
        ({"model": ABSENT, "size": 768, "area": "whole"}, {"area": "whole"}),
    ],
)
def test_a_new_draft_takes_what_was_used_last_but_nothing_of_one_picture_or_of_a_model_that_cannot_paint(
    suits, last, expected
):
    assert suits.for_new_draft(last) == expected


def test_another_picture_keeps_its_prompt_and_drops_a_model_that_cannot_paint(suits):
    chosen = {"prompt": "a cat", "seed": 5, "size": 768}

    assert suits.for_another_picture({**chosen, "model": GENERAL}) == {**chosen, "model": GENERAL}
    assert suits.for_another_picture({**chosen, "model": ABSENT}) == {"prompt": "a cat", "seed": 5}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (CONTENT_FILL, 256, 50, 1.0, 1.0, "original", 4)),
        ({"model": FEW_WORDS, "size": 96}, (CONTENT_FILL, 256, 50, 1.0, 1.0, "original", 4)),
        ({"model": GENERAL, "size": 768}, (GENERAL, 768, STAYS, STAYS, 0.8, "original", 0)),
    ],
)
def test_an_extended_canvas_takes_the_values_of_edges_and_begins_with_its_own_colours(suits, params, expected):
    values = suits.for_extended(params)

    assert (values["mode"], shown(values)) == ("edges", expected)


# Edit models ---------------------------------------------------------------------------------------------------

EDIT = "edit"
SAYS = instructions.TEMPLATES[instructions.SENTENCES]


@pytest.fixture
def edits() -> Recommendations:
    recommended = {"num_inference_steps": 28, "guidance_scale": 2.5, **instructions.SUITED}
    spec = ModelSpec(EDIT, "Edit", "Is told.", 512, recommended=recommended, wording=instructions.SENTENCES)
    return Recommendations(FakeCatalogue(*SPECS, spec, ready=(EDIT, GENERAL)), usual_model=GENERAL)


@pytest.mark.parametrize("mode", MODES)
def test_an_edit_model_begins_with_the_picture_as_it_is_in_every_mode(edits, mode):
    values = [
        edits.for_mode(mode, EDIT),
        edits.for_request(EDIT, mode, {}),
        edits.for_form({"model": EDIT, "instruction": SAYS[mode].alone}),
        edits.for_extended({"model": EDIT}),
    ]

    assert {(one["strength"], one["fill"]) for one in values} == {(1.0, "original")}
    assert MODES["remove"].values["fill"] == "telea"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("prompt", ["", "a cat"])
def test_a_form_says_the_instruction_of_its_mode_until_the_artist_writes_another(edits, mode, prompt):
    form = {**edits.for_form({"model": EDIT}), "mode": mode, "prompt": prompt}
    own = {**form, "instruction": "Paint {prompt} in oil."}

    assert edits.instruction(form) == (SAYS[mode].words if prompt else SAYS[mode].alone)
    assert edits.instruction({**form, "instruction": SAYS["add"].alone}) == edits.instruction(form)
    assert edits.instruction(own) == "Paint {prompt} in oil."
    assert edits.instruction({**own, **edits.for_mode(mode, EDIT)}) == edits.instruction(form)
    assert edits.instruction({**form, "instruction": ""}) == ""
    assert edits.instruction({**own, "model": GENERAL}) == ""


def test_a_model_that_is_chosen_after_another_kind_gets_the_instruction_of_the_mode(edits):
    form = {**edits.for_form({"model": GENERAL}), "prompt": "a cat"}

    form |= {"model": EDIT, **edits.for_model(EDIT)}

    assert edits.instruction(form) == SAYS["replace"].words


@pytest.mark.parametrize("mode", MODES)
def test_a_generation_that_is_tried_again_is_in_the_mode_that_wrote_its_instruction(edits, mode):
    made = InpaintParams(model=EDIT, prompt="a cat", instruction=SAYS[mode].words)

    form = edits.for_form(made.model_dump())

    assert (form["mode"], edits.instruction(form)) == (mode, made.instruction)


def test_a_draft_of_before_there_were_instructions_has_its_prompt_read_as_it_is(edits):
    form = edits.for_form({"model": EDIT, "mode": "replace", "prompt": "the cat becomes a dog"})

    assert edits.instruction(form) == ""


def test_a_command_with_a_mode_writes_the_instruction_and_one_without_leaves_the_prompt_alone(edits):
    def told(model, mode, **chosen):
        return InpaintParams(**edits.for_request(model, mode, chosen)).full_prompt

    assert told(EDIT, "remove", prompt="the lamp").startswith("Remove the lamp and")
    assert told(EDIT, "remove").startswith("Remove the main object")
    assert told(EDIT, None, prompt="the lamp") == "the lamp"
    assert told(EDIT, "add", prompt="a lamp", instruction="Paint {prompt}") == "Paint a lamp"
    assert told(GENERAL, "remove", prompt="the lamp") == "the lamp"


def test_an_instruction_of_one_picture_is_not_that_of_the_next(edits):
    assert edits.for_new_draft({"model": EDIT, "prompt": "a cat", "instruction": "Paint {prompt}"}) == {"model": EDIT}
    extended = edits.for_extended({"model": EDIT, "prompt": "a cat", "instruction": "Paint {prompt}"})
    assert edits.instruction(edits.for_form(extended)) == SAYS["edges"].words
