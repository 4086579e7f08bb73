"""LoRAs as they are written: as an option, as a tag of A1111 in the prompt, and as values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidLora, InvalidParams
from core.domain.lora import MAX_WEIGHT, Lora, shared_name, tagged, values_of, without_tags
from core.domain.params import FIRST_LORA_TAGS, InpaintParams

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<>:"), min_size=1)
weights = st.floats(-MAX_WEIGHT, MAX_WEIGHT)


@given(names.map(str.strip).filter(bool), weights)
def test_a_tag_is_read_as_it_is_written(name, weight):
    lora = Lora(name=name, weight=weight)

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
        ("oil:nan", "oil:nan", 1),
    ],
)
def test_an_option_is_a_name_and_a_weight(text, name, weight):
    assert values_of(text) == {"name": name, "weight": weight}


@pytest.mark.parametrize("tag", ["<lora:>", "<lora: :1>", "<lora:a:b>", "<lora:a:1:1>", "<lora:a:>", "<lora:a:te=1>"])
def test_a_tag_that_cannot_be_read_is_told_and_never_taken_for_words(tag):
    with pytest.raises(InvalidLora, match="cannot be read. Write <lora:name:0.8>"):
        tagged(f"a cat {tag}")
    assert without_tags(f"a cat {tag}") == "a cat "


def test_a_weight_beyond_the_limit_is_told():
    with pytest.raises(InvalidLora, match="must be from -10 to 10"):
        tagged("<lora:a:11>")


def test_those_of_the_form_come_first_and_older_rules_read_no_tags():
    params = InpaintParams(prompt="a cat <lora:ink> <lyco:pen:2>", loras=["oil:0.8"])
    old = params.processed_by(FIRST_LORA_TAGS - 1)

    assert [str(lora) for lora in params.all_loras] == ["oil:0.8", "ink:1", "pen:2"]
    assert params.spoken_prompt == "a cat  "
    assert ([str(lora) for lora in old.all_loras], old.spoken_prompt) == (["oil:0.8"], params.prompt)


@pytest.mark.parametrize(
    "value",
    ["oil", None, 5, [5], [""], [" "], ["a\x00"], [{"name": "a", "weight": "x"}], [{"name": "a", "strength": 1}]]
    + [[{"name": "a", "weight": float("nan")}], ["a"] * 21, [{"name": "a" * 501}], [{"name": "a", "weight": 10.5}]],
)
def test_what_is_no_list_of_loras_is_refused_with_a_message(value):
    with pytest.raises(InvalidParams, match="^LoRA: "):
        InpaintParams(loras=value)


@given(st.lists(st.tuples(names.filter(str.strip), weights), max_size=5))
def test_they_come_back_from_their_json_values_in_their_order(chosen):
    params = InpaintParams(loras=[{"name": name, "weight": weight} for name, weight in chosen])

    assert InpaintParams.from_dict(json.loads(json.dumps(params.to_dict()))) == params
    assert params.changed(seed=1).loras == params.loras


def test_of_a_path_only_the_files_own_name_is_shown_to_others():
    for path in ("/home/me/oil.safetensors", "C:\\me\\oil.safetensors", "style/oil", "oil"):
        assert shared_name(path) == "oil"
