"""LoRAs as they are written: as an option, as a tag of A1111 in the prompt, and as values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidLora, InvalidParams
from core.domain.lora import MAX_WEIGHT, Lora, shared_name, tagged, values_of, without_tags, written
from core.domain.params import FIRST_LORA_TAGS, InpaintParams

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<>:"), min_size=1)
weights = st.floats(-MAX_WEIGHT, MAX_WEIGHT)


@given(names.map(str.strip).filter(bool), weights, st.none() | weights)
def test_a_tag_is_read_as_it_is_written(name, weight, of_text):
    lora = Lora(name=name, weight=weight, text_encoder_weight=of_text)

    assert tagged(f"a cat{lora.tag}, red") == (lora,)
    assert without_tags(f"a cat{lora.tag}, red") == "a cat, red"
    assert Lora(**values_of(str(lora))) == lora


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [
        ("oil", "oil", 1),
        ("oil:0.8", "oil", 0.8),
        (" oil : -1e0 ", "oil", -1),
        ("C:\\loras\\oil.safetensors", "C:\\loras\\oil.safetensors", 1),
        ("C:\\loras\\oil.safetensors:0.5", "C:\\loras\\oil.safetensors", 0.5),
        ("style/oil:pen.safetensors", "style/oil:pen.safetensors", 1),
        ("oil:pen:1", "oil:pen", 1),
    ],
)
def test_an_option_is_a_name_and_a_weight(text, name, weight):
    assert values_of(text) == {"name": name, "weight": weight}


@pytest.mark.parametrize(
    ("weights", "unet", "text_encoder"),
    [
        ("0.5:0.8", 0.8, 0.5),
        ("te=0.5:unet=0.8", 0.8, 0.5),
        ("unet=0.8:te=0.5", 0.8, 0.5),
        ("unet=0", 0, 1),
        ("te=0.5", 0.5, None),
        ("0.5:unet=0", 0, 0.5),
        ("0.7:0.7", 0.7, None),
    ],
)
def test_two_weights_are_read_as_a1111_reads_them_the_text_encoder_first(weights, unet, text_encoder):
    expected = Lora(name="oil", weight=unet, text_encoder_weight=text_encoder)

    assert tagged(f"a cat <lora:oil:{weights}>") == (expected,)
    assert Lora(**values_of(f"oil:{weights}")) == expected


@pytest.mark.parametrize(("text", "weight"), [("oil:abc", "abc"), ("oil:", ""), ("oil:nan", "nan"), ("a:b:1,5", "1,5")])
def test_what_stands_for_a_weight_and_is_none_is_told_as_that(text, weight):
    with pytest.raises(InvalidLora, match=f"“{weight}” in {text} is not a weight"):
        InpaintParams(loras=[text])


@pytest.mark.parametrize("text", ["oil:te=abc", "oil:1:1:1", "oil:te=1:te=1", "oil:1:te=1"])
def test_weights_that_cannot_be_read_are_told(text):
    with pytest.raises(InvalidLora, match="weights of oil.* cannot be read"):
        values_of(text)


def test_with_one_weight_the_values_are_those_of_before():
    one, two = Lora(name="oil", weight=0.8), Lora(name="oil", weight=0.8, text_encoder_weight=0.5)

    assert one.model_dump() == {"name": "oil", "weight": 0.8}
    assert two.model_dump() == {"name": "oil", "weight": 0.8, "text_encoder_weight": 0.5}
    assert written([one.model_dump(), two.model_dump()]) == "oil:0.8, oil:0.8 (text encoder 0.5)"


@pytest.mark.parametrize(
    "tag", ["<lora:>", "<lora: :1>", "<lora:a:b>", "<lora:a:1:1:8>", "<lora:a:>", "<lora:a:dyn=1>"]
)
def test_a_tag_that_cannot_be_read_is_told_and_never_taken_for_words(tag):
    with pytest.raises(InvalidLora, match="cannot be read. Write <lora:name:0.8>"):
        tagged(f"a cat {tag}")
    assert without_tags(f"a cat {tag}") == "a cat "


def test_a_weight_beyond_the_limit_is_told():
    with pytest.raises(InvalidLora, match="must be from -10 to 10"):
        tagged("<lora:a:11>")
    with pytest.raises(InvalidLora, match="must be from -10 to 10"):
        tagged("<lora:a:1:11>")


def test_those_of_the_form_come_first_and_older_rules_read_no_tags():
    params = InpaintParams(prompt="a cat <lora:ink> <lyco:pen:2>", loras=["oil:0.8"])
    old = params.processed_by(FIRST_LORA_TAGS - 1)

    assert [str(lora) for lora in params.all_loras] == ["oil:0.8", "ink:1", "pen:2"]
    assert params.spoken_prompt == "a cat  "
    assert ([str(lora) for lora in old.all_loras], old.spoken_prompt) == (["oil:0.8"], params.prompt)


@pytest.mark.parametrize(
    "value",
    ["oil", None, 5, [5], [""], [" "], ["a\x00"], [{"name": "a", "weight": "x"}], [{"name": "a", "strength": 1}]]
    + [[{"name": "a", "text_encoder_weight": 11}], [{"name": "a", "text_encoder_weight": "x"}]]
    + [[{"name": "a", "weight": float("nan")}], ["a"] * 21, [{"name": "a" * 501}], [{"name": "a", "weight": 10.5}]],
)
def test_what_is_no_list_of_loras_is_refused_with_a_message(value):
    with pytest.raises(InvalidParams, match="^LoRA: "):
        InpaintParams(loras=value)


def test_records_of_before_have_one_weight_for_both():
    stored = InpaintParams(loras=["oil:0.8"]).to_dict() | {"schema": 6}

    assert [lora.text_encoder_weight for lora in InpaintParams.from_dict(stored).loras] == [None]


@given(st.lists(st.tuples(names.filter(str.strip), weights), max_size=5))
def test_they_come_back_from_their_json_values_in_their_order(chosen):
    params = InpaintParams(loras=[{"name": name, "weight": weight} for name, weight in chosen])

    assert InpaintParams.from_dict(json.loads(json.dumps(params.to_dict()))) == params
    assert params.changed(seed=1).loras == params.loras


def test_of_a_path_only_the_files_own_name_is_shown_to_others():
    for path in ("/home/me/oil.safetensors", "C:\\me\\oil.safetensors", "style/oil", "oil"):
        assert shared_name(path) == "oil"
