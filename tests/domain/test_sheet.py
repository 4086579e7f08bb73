"""Sheets over one or two parameters."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidInput, InvalidParams
from core.domain.hashing import canonical_json
from core.domain.params import InpaintParams
from core.domain.sheet import Axis, Sheet


def no_speed(params: InpaintParams, speed: str) -> InpaintParams:
    raise AssertionError(f"nobody asked for {speed}")


def test_every_row_meets_every_column():
    sheet = Sheet(Axis("seed", (1, 2)), Axis("guidance_scale", (1.0, 5.0, 9.0)))

    found = sheet.all_params(InpaintParams(prompt="a cat"), no_speed)

    assert [[(p.guidance_scale, p.seed) for p in line] for line in found] == [
        [(1.0, 1), (1.0, 2)],
        [(5.0, 1), (5.0, 2)],
        [(9.0, 1), (9.0, 2)],
    ]


def test_the_first_words_of_an_axis_are_replaced_by_the_others():
    axis = Axis.parse("prompt", "red, blue, light green")

    [line] = Sheet(axis).all_params(InpaintParams(prompt="a red balloon"), no_speed)

    assert [p.prompt for p in line] == ["a red balloon", "a blue balloon", "a light green balloon"]


def test_words_that_are_not_in_the_prompt_are_refused():
    with pytest.raises(InvalidParams, match="“red”"):
        Sheet(Axis.parse("prompt", "red, blue")).all_params(InpaintParams(prompt="a balloon"), no_speed)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("guidance_scale", "1-3 (+0.5)", (1.0, 1.5, 2.0, 2.5, 3.0)),
        ("num_inference_steps", "10-30 (+10), 50", (10, 20, 30, 50)),
        ("num_inference_steps", "4,8 ,20", (4, 8, 20)),
        ("scheduler", "ddim, euler", ("ddim", "euler")),
        ("dtype", "float32, bfloat16", ("float32", "bfloat16")),
        ("seed", "1-4", (1, 2, 3, 4)),
        ("strength", "0.1-0.5 (+0.1)", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("ip_adapter_scale", "0-0.9 (+0.3)", (0.0, 0.3, 0.6, 0.9)),
        ("loras", "oil 0, 0.5, 1", ("oil:0", "oil:0.5", "oil:1")),
        ("loras", "Ink Wash:0-1 (+0.5), style 2 -0.5", ("Ink Wash:0", "Ink Wash:0.5", "Ink Wash:1", "style 2:-0.5")),
    ],
)
def test_values_are_read_as_artists_write_them(name, text, values):
    assert Axis.parse(name, text).values == values


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("num_inference_steps", "4, many", "not a number"),
        ("num_inference_steps", "4.5", "whole numbers"),
        ("num_inference_steps", "", "at least one"),
        ("num_inference_steps", "4, 4", "twice"),
        ("seed", "1-1000000000000", "the limit is 100"),
        ("seed", "5-1", "smaller number"),
        ("seed", "1-5 (+0)", "smaller number"),
        ("size", "64", "can vary"),
        ("seed", "1e400", "from 0 to 4294967295"),
        ("seed", "1e999999999", "from 0 to 4294967295"),
        ("seed", "9" * 5000, "from 0 to 4294967295"),
        ("guidance_scale", "nan", "not a number"),
        ("guidance_scale", "1-inf", "not a number"),
        ("controlnet", "canny 3", "from 0 to 2"),
        ("controlnet", "canny", "“canny” cannot be read. Write a name"),
        ("loras", "0, 0.5", "“0” cannot be read. Write a name"),
        ("loras", "oil", "“oil” cannot be read. Write a name"),
        ("loras", "oil 0, 1, 1.0", "twice"),
        ("loras", "oil 11", "from -10 to 10"),
        ("loras", "", "at least one"),
    ],
)
def test_what_cannot_be_read_is_reported_with_a_message(name, text, words):
    with pytest.raises(InvalidInput, match=words):
        Axis.parse(name, text)


def test_a_controlnet_gets_each_weight_and_keeps_its_hint_or_comes_behind_the_others():
    sheet = Sheet(Axis.parse("controlnet", "edges 0, 0.5"))
    edges = {"name": "edges", "hint": "canny", "control_guidance_end": 0.7}

    [chosen] = sheet.all_params(InpaintParams(controlnet=[edges, "depth"]), no_speed)
    [new] = sheet.all_params(InpaintParams(controlnet=["depth"]), no_speed)

    assert [str(params.controlnet[0]) for params in chosen] == [
        "edges:0 (canny, 0 to 0.7)",
        "edges:0.5 (canny, 0 to 0.7)",
    ]
    assert [str(params.controlnet[1]) for params in chosen] == ["depth:1 (none)"] * 2
    assert [[one.name for one in params.controlnet] for params in new] == [["depth", "edges"]] * 2


def test_a_lora_gets_each_weight_where_it_stands_or_else_behind_the_others():
    sheet = Sheet(Axis.parse("loras", "oil 0, 0.5"))

    [chosen] = sheet.all_params(InpaintParams(loras=["oil:1", "ink:1"]), no_speed)
    [tagged] = sheet.all_params(InpaintParams(loras=["ink:1"], prompt="a cat <lora:oil:1>, <lora:pen>"), no_speed)
    [new] = sheet.all_params(InpaintParams(loras=["ink:1"]), no_speed)

    assert [[str(lora) for lora in params.all_loras] for params in chosen] == [["oil:0", "ink:1"], ["oil:0.5", "ink:1"]]
    assert [params.prompt for params in tagged] == [
        "a cat <lora:oil:0>, <lora:pen>",
        "a cat <lora:oil:0.5>, <lora:pen>",
    ]
    assert [len(params.all_loras) for params in tagged] == [3, 3]
    assert [[str(lora) for lora in params.loras] for params in new] == [["ink:1", "oil:0"], ["ink:1", "oil:0.5"]]
    assert sheet.columns.labels == ("LoRA oil:0", "LoRA oil:0.5")
    assert Sheet.from_dict(json.loads(json.dumps(sheet.to_dict()))) == sheet


@pytest.mark.parametrize("value", ["oil:abc", "oil:11", "", 0.5])
def test_a_sheet_from_elsewhere_with_what_is_no_lora_is_refused(value):
    with pytest.raises(InvalidInput):
        Sheet.from_dict({"columns": {"name": "loras", "values": [value]}, "rows": None})


def test_a_value_outside_the_limits_is_refused_before_anything_is_made():
    with pytest.raises(InvalidParams, match="Steps"):
        Sheet(Axis.parse("num_inference_steps", "10, 9999")).all_params(InpaintParams(), no_speed)


def test_the_same_parameter_on_both_sides_is_refused():
    with pytest.raises(InvalidInput, match="same parameter"):
        Sheet(Axis("seed", (1,)), Axis("seed", (2,)))


def test_too_many_pictures_are_refused():
    with pytest.raises(InvalidInput, match="the limit is 100"):
        Sheet(Axis("seed", tuple(range(50))), Axis("num_inference_steps", (10, 20, 30)))


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9, unique=True), st.booleans())
def test_a_sheet_survives_its_json(seeds, with_rows):
    sheet = Sheet(Axis("seed", tuple(seeds)), Axis("prompt", ("red", "", "a “blue” one")) if with_rows else None)

    assert Sheet.from_dict(json.loads(canonical_json(sheet.to_dict()))) == sheet


STEPS_OF = {"draft": 4, "balanced": 17, "best": 50}


def at_speed(params: InpaintParams, speed: str) -> InpaintParams:
    return params.changed(num_inference_steps=STEPS_OF[speed], guidance_scale=7.5 if params.model == "large" else 4.0)


def test_a_row_of_speeds_has_each_one_s_parameters_and_its_name():
    axis = Axis.parse("speed", "draft, balanced, best")

    [line] = Sheet(axis).all_params(InpaintParams(), at_speed)

    assert [params.num_inference_steps for params in line] == [4, 17, 50]
    assert axis.labels == ("Speed Draft", "Speed Balanced", "Speed Best")
    assert Sheet.from_dict(json.loads(json.dumps(Sheet(axis).to_dict()))) == Sheet(axis)


@pytest.mark.parametrize("are_columns", [True, False])
def test_a_speed_is_that_of_the_model_on_the_other_axis_and_a_parameter_on_the_other_axis_wins(are_columns):
    def crossed(other: Axis) -> list[InpaintParams]:
        axes = (Axis("speed", ("draft",)), other)
        cells = Sheet(*(axes if are_columns else axes[::-1])).all_params(InpaintParams(), at_speed)
        return [params for line in cells for params in line]

    assert [params.guidance_scale for params in crossed(Axis("model", ("small", "large")))] == [4.0, 7.5]
    assert [params.num_inference_steps for params in crossed(Axis("num_inference_steps", (9, 30)))] == [9, 30]


@pytest.mark.parametrize("values", ["fast", "draft, draft", ""])
def test_what_is_no_speed_is_refused(values):
    with pytest.raises(InvalidInput, match="Speed"):
        Axis.parse("speed", values)
