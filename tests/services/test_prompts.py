"""Choices in prompts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidParams
from core.domain.params import InpaintParams
from core.services.prompts import Prompts, escape
from tests.conftest import a_request


@pytest.fixture
def prompts(tmp_path) -> Prompts:
    folder = tmp_path / "wildcards"
    (folder / "places").mkdir(parents=True)
    (folder / "colour.txt").write_text("red\nblue\n", encoding="utf-8")
    (folder / "places" / "far.txt").write_text("on the moon\n", encoding="utf-8")
    return Prompts((folder, tmp_path / "missing"), lambda params: None)


def test_the_seed_decides_and_always_the_same_way(prompts):
    text = "a {small|large} __colour__ balloon __places/far__"

    found = {prompts.resolve(text, seed) for seed in range(30)}

    assert found == {
        f"a {size} {colour} balloon on the moon" for size in ("small", "large") for colour in ("red", "blue")
    }
    assert all(prompts.resolve(text, seed) == prompts.resolve(text, seed) for seed in range(5))


@pytest.mark.parametrize(
    "text",
    ["a (red:1.3) balloon", "100 % wool, #hashtag", "cost $5 {a}", "snake_case__name", "a # comment", "[x] y", "___"],
)
def test_a_prompt_without_choices_is_left_as_it_was_written(prompts, text):
    assert prompts.resolve(text, 1) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a {cat|dog", "{ is not closed"),
        ("a {cat|{dog|fox}", "{ is not closed"),
        ("a {", "{ is not closed"),
        ("a cat|dog}", "has no opening bracket"),
        ("}{", "has no opening bracket"),
        ("a __colour ball", "__colour is not closed"),
        ("__colour__ and __places/far_", "__places/far_ is not closed"),
        ("__my colour__", "__my is not closed"),
        ("__nope__", "no wildcard “nope”"),
    ],
)
def test_what_is_left_open_is_told_instead_of_going_to_the_model(prompts, text, told):
    with pytest.raises(InvalidParams) as refused:
        prompts.resolve(text, 1)

    assert str(refused.value).startswith("Prompt: ")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [("a \\{ b", "a { b"), ("\\}\\{", "}{"), ("\\{a|b\\}", "{a|b}"), ("{\\{x\\}|\\{x\\}} \\{", "{x} {")],
)
def test_a_bracket_that_is_text_has_a_backslash(prompts, text, read):
    assert prompts.resolve(text, 1) == read


def test_the_field_is_named_in_which_something_is_left_open(prompts):
    with pytest.raises(InvalidParams, match="^Negative prompt: "):
        prompts.expand(InpaintParams(prompt="a cat", negative_prompt="{dog"))


@given(st.text(alphabet="ab {}|_$:*/.#\\\n", max_size=40), st.integers(0, 9))
def test_whatever_is_written_it_is_decided_or_refused_with_a_message(text, seed):
    prompts = Prompts((), lambda params: None)

    try:
        resolved = prompts.resolve(text, seed)
    except InvalidParams as error:
        assert str(error).startswith("Prompt: ")
    else:
        assert isinstance(resolved, str)


@pytest.mark.parametrize("name", ["nope", "/etc/passwd", "places/../colour", "a" * 1000, "***"])
def test_a_wildcard_without_a_file_is_reported_with_a_message(prompts, name):
    text = f"__{name}__ {{a|b}}"

    try:
        resolved = prompts.resolve(text, 1)
    except InvalidParams as error:
        assert "no wildcard" in str(error) or "is not closed" in str(error)
    else:
        assert name in resolved  # left as it was: not the name of a wildcard


@given(st.text("{}|\\\\$ a1"))
def test_a_prompt_as_written_says_the_same_again(text):
    assert Prompts((), lambda params: None).resolve(escape(text), 1) == text


def test_wildcards_are_listed_by_name(prompts):
    assert prompts.wildcards() == ["colour", "places/far"]


def test_several_images_of_one_request_each_get_their_own_choice_on_record(studio):
    ids = studio.generations.submit(a_request(prompt="a {cat|dog|fox|owl}"), count=12)

    found = [studio.gallery.get(id).params.prompt for id in ids]

    assert len(set(found)) > 1
    assert set(found) <= {"a cat", "a dog", "a fox", "a owl"}


def test_running_one_again_keeps_the_choice_that_was_made(studio):
    [id] = studio.generations.submit(a_request(prompt="a {cat|dog}"))

    again = studio.generations.rerun(id)

    assert studio.gallery.get(again).params == studio.gallery.get(id).params


def test_the_bundled_wildcards_are_there(studio):
    [id] = studio.generations.submit(a_request(prompt="a __colour__ __animal__"))

    assert "__" not in studio.gallery.get(id).params.prompt


@pytest.mark.parametrize(
    "params",
    [
        {"prompt": "a {cat|dog"},
        {"negative_prompt": "a }"},
        {"prompt": "(soft light", "prompt_weights": True},
        {"prompt": "(soft light:1.3)", "prompt_weights": True},
    ],
)
def test_nothing_is_queued_of_a_prompt_that_cannot_be_read(studio, params):
    request = a_request(**params)

    with pytest.raises(InvalidParams):
        studio.generations.check(request.params)
    with pytest.raises(InvalidParams):
        studio.generations.submit(request, count=2)

    assert studio.gallery.browse().generations == ()
    assert list(studio.gallery.images.keys()) == []


def test_weights_are_read_after_the_choices_are_made(studio):
    request = a_request(prompt="a {(red)1.3|blue++} ball", prompt_weights=True)

    ids = studio.generations.submit(request, count=8)

    assert {studio.gallery.get(id).params.prompt for id in ids} == {"a (red)1.3 ball", "a blue++ ball"}


@pytest.mark.parametrize(
    "text",
    [
        "{a|b} " * 2_000,
        "{" + "|".join("a" * 9_000) + "}",
        "__*__ " * 3_000,
        "{2$$a|b} " * 2_000,
        "{a|" * 999 + "{a|b}" + "}" * 999,
    ],
)
def test_more_choices_than_can_be_read_at_once_are_refused_at_once_with_a_message(prompts, text):
    started = time.process_time()

    with pytest.raises(InvalidParams, match="^Prompt: .*can(not)? be read"):
        prompts.resolve(text[:20_000], 1)

    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text", ["{" + "|" * 19_999, "{a|b" * 5_000, "_" * 20_000, "{$" * 10_000, "__a " * 5_000, "{" * 20_000]
)
def test_whether_a_long_prompt_has_choices_is_seen_at_once(prompts, text):
    started = time.process_time()

    prompts.has_choices(text)
    escape(text)

    assert time.process_time() - started < 0.5


def test_the_longest_prompt_without_choices_stays_as_it_is(prompts):
    text = "a | red barn, " * 1_428

    assert prompts.resolve(text, 1) == text
