"""Weights in prompts: only where they are wanted and written, and refused in words where they cannot be read."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pyparsing
import pytest

from core.domain.errors import InvalidParams
from core.domain.params import InpaintParams
from core.engine import families
from core.engine.run import prompts
from tests.engine.tiny import a_working_request

SD = families.named("Stable Diffusion")
PLAIN = ["", "a red ball", "a red ball, soft light", "50mm f/1.8"]


def run(inpainter, prompt: str, **params):
    return inpainter.inpaint(a_working_request(prompt=prompt, **params), lambda report: None)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("prompt", PLAIN)
def test_a_prompt_without_weights_takes_the_old_road(nine, prompt):
    old, new = run(nine, prompt), run(nine, prompt, prompt_weights=True)

    assert old.image.tobytes() == new.image.tobytes()
    assert "compel" not in new.record
    assert prompts.arguments(None, SD, InpaintParams(prompt=prompt, prompt_weights=True))["prompt"] == prompt


@pytest.mark.slow_but_first
@pytest.mark.parametrize("prompt", ["(red)1.5 ball", "a red++ ball", "a red-- ball", "(a red ball)0.6"])
def test_weights_change_the_picture_and_the_library_is_recorded(nine, prompt):
    plain, weighted = run(nine, "a red ball"), run(nine, prompt, prompt_weights=True)

    assert plain.image.tobytes() != weighted.image.tobytes()
    assert weighted.record["compel"]


def test_weights_are_text_where_they_are_not_wanted(nine):
    assert "compel" not in run(nine, "a red++ ball").record
    assert run(nine, "a red++ ball").image.tobytes() != run(nine, "a red ball").image.tobytes()


def test_weights_in_the_negative_prompt_count_only_with_guidance(nine):
    params = {"negative_prompt": "(blurry)1.4", "prompt_weights": True}

    assert "compel" in run(nine, "a ball", **params).record
    assert "compel" not in run(nine, "a ball", guidance_scale=1.0, **params).record


def test_the_same_weights_give_the_same_bits(four):
    weighted = [run(four, "a (red)1.3 ball", prompt_weights=True, guidance_scale=scale) for scale in (3.0, 3.0, 1.0)]

    assert weighted[0].image.tobytes() == weighted[1].image.tobytes() != weighted[2].image.tobytes()


@pytest.mark.parametrize(
    "prompt",
    [
        '("a cat", "a dog").blend(1, 1)',
        '("a cat", "a dog").and()',
        "a cat.swap(dog)",
        "(" * 2000,
        "(" * 9 + "a" + ")" * 9,
        "a)1.2",
        "a ++",
    ],
)
def test_what_else_compel_knows_is_refused_or_read_as_text(nine, prompt):
    try:
        result = run(nine, prompt, prompt_weights=True)
    except InvalidParams as error:
        assert "weights" in str(error)
    else:
        assert result.image.size == (64, 64)


def test_what_was_cut_off_is_told_without_the_signs_for_weights(nine):
    record = run(nine, "(abcdefghij)1.2 " * 4, prompt_weights=True).record

    assert "(" not in record["prompt_cut"]
    assert "1.2" not in record["prompt_cut"]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("(soft light", "every bracket must be closed"),
        ("soft light)1.3", "must close one"),
        ("((((a))))1.1", "at most 3"),
        ("a (soft light:1.3) ball", "not (soft light:1.3)"),
        ("a cat.swap(dog)", "no .swap()"),
        ('a ""-', "belongs to no word"),
        ("(a)" * 101, "at most 100"),
    ],
)
def test_a_slip_in_the_weights_is_told_before_anything_is_painted(prompt, told):
    with pytest.raises(InvalidParams) as refused:
        prompts.check(InpaintParams(prompt=prompt, prompt_weights=True))

    assert told in str(refused.value)
    prompts.check(InpaintParams(prompt=prompt))
    prompts.check(InpaintParams(negative_prompt=prompt, prompt_weights=True, guidance_scale=1))


@pytest.mark.parametrize("prompt", ["(soft light)1.3", "\\(a:1.3\\)", "a smile :\\)", "(a: b)1.1", "12:30"])
def test_what_is_no_slip_is_left_alone(prompt):
    try:
        prompts.check(InpaintParams(prompt=prompt, prompt_weights=True))
    except InvalidParams as error:
        pytest.fail(str(error))


def test_weights_are_checked_without_torch():
    code = (
        "import sys; from core.domain.params import InpaintParams; from core.engine.run import prompts\n"
        "prompts.check(InpaintParams(prompt='a (red)1.3 ball', prompt_weights=True))\n"
        "sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


HOSTILE = ["(((a)))" * 33, "(((" + "a " * 700 + ")))", '"(a)" ' * 50, "((a, b.)1.1 c)1.1 " * 45, "a.b++ " * 300]


@pytest.mark.slow
@pytest.mark.parametrize("prompt", HOSTILE)
def test_the_work_of_reading_weights_grows_with_the_length_of_the_prompt(prompt, monkeypatch):
    tried = 0
    try_once = pyparsing.ParserElement._parseNoCache

    def counted(*arguments):
        nonlocal tried
        tried += 1
        return try_once(*arguments)

    prompts._parts.cache_clear()
    prompts.check(InpaintParams(prompt="a (b)1.1", prompt_weights=True))
    monkeypatch.setattr(pyparsing.ParserElement, "_parseNoCache", counted)

    prompts.check(InpaintParams(prompt=prompt, prompt_weights=True))

    # Without its memory the parser tries 7,200 times for each character of the second one.
    assert 0 < tried < 120 * len(prompt)


def test_a_prompt_without_any_sign_of_weights_is_not_parsed(monkeypatch):
    monkeypatch.setattr(prompts, "_grammar", lambda: pytest.fail("parsed"))

    prompts.check(InpaintParams(prompt="a red barn, " * 1_600, prompt_weights=True))


@pytest.mark.slow
def test_a_prompt_with_weights_that_takes_too_long_to_read_is_refused_with_a_message():
    prompts.check(InpaintParams(prompt="(a)1.1" + " b" * 2_497, prompt_weights=True))
    prompts.check(InpaintParams(prompt="(a)1.1" + " b" * 9_000))

    with pytest.raises(InvalidParams, match="at most 5000 characters.*has 18006"):
        prompts.check(InpaintParams(prompt="(a)1.1" + " b" * 9_000, prompt_weights=True))


class T5Encoder: ...


class CLIPTextModel: ...


@pytest.mark.parametrize(
    "parts",
    [
        {"transformer": None, "text_encoder": CLIPTextModel()},
        {"unet": None, "text_encoder": CLIPTextModel(), "text_encoder_2": T5Encoder()},
        {"unet": None},
    ],
)
def test_families_that_read_prompts_otherwise_refuse_weights_with_a_message(parts):
    with pytest.raises(InvalidParams, match="cannot take weights"):
        prompts.arguments(SimpleNamespace(**parts), SD, InpaintParams(prompt="a (red)1.3 ball", prompt_weights=True))
