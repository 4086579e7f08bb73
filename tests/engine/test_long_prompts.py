"""Prompts beyond what a text encoder reads at once: counted before anything is painted, and read whole if wanted."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import DamagedModel, InvalidParams
from core.domain.params import InpaintParams
from core.engine import families
from core.engine.models.catalogue import ROOT, Catalogue
from core.engine.run import prompts, tokens
from tests.engine.tiny import LONGEST_PROMPT, a_working_request, save_xl_pipeline

SD = families.named("Stable Diffusion")
READ = LONGEST_PROMPT - 2
"""Of the tiny pipelines, whose tokens are single letters."""

LONG = "a red ball, " * 8


def run(inpainter, prompt: str, **params):
    return inpainter.inpaint(a_working_request(prompt=prompt, **params), lambda report: None)


@pytest.fixture(scope="module")
def xl(tmp_path_factory, models):
    from core.engine.diffusers_inpainter import load
    from core.settings import Settings

    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    return load(str(save_xl_pipeline(tmp_path_factory.mktemp("xl"))), "cpu", Catalogue(settings), settings)


# Counting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.title)
def test_the_table_knows_how_many_tokens_each_pipeline_takes(family):
    import diffusers

    taken = inspect.signature(getattr(diffusers, family.pipeline).__call__).parameters.get("max_sequence_length")

    assert family.max_sequence_length == (taken.default if taken else None)


@given(st.text(max_size=60))
def test_what_is_read_and_what_is_not_make_up_the_prompt(text):
    tokenizer = _pocket_tokenizer()
    length = tokens.measure(tokenizer, SD, text)

    assert text.endswith(length.unread) or text.strip().endswith(length.unread)
    assert length.is_cut == (length.tokens > length.limit)
    if not length.is_cut:
        assert length.unread == ""
    else:
        read = text.strip()[: len(text.strip()) - len(length.unread)]
        assert tokens.measure(tokenizer, SD, read).tokens <= length.limit + 1


def test_the_unread_words_are_told_as_they_were_written():
    length = tokens.measure(_pocket_tokenizer(), SD, "A Red Balloon in the sky, a Cat, a Dog, a House and a TREE")

    assert length.limit == 14
    assert length.unread.endswith("and a TREE")


@pytest.mark.slow
def test_a_prompt_is_counted_without_loading_the_model():
    """A page asks it at each run, and must neither wait for torch nor hold it."""
    code = (
        "import sys\n"
        "from core.domain.params import InpaintParams\n"
        "from core.engine.models.catalogue import Catalogue\n"
        "from core.settings import Settings\n"
        "lengths = Catalogue(Settings(_env_file=None)).prompt_lengths(InpaintParams(prompt='a cat ' * 20))\n"
        "print(lengths['prompt'].tokens, lengths['prompt'].limit, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert done.stdout.split() == ["40", "14", "False"]


def test_the_catalogue_counts_what_the_loaded_model_reads(nine, models, settings):
    params = InpaintParams(model=str(models(in_channels=9)), prompt=LONG, negative_prompt="blurry", guidance_scale=5)

    told = Catalogue(settings).prompt_lengths(params)

    assert told == prompts.lengths(nine._pipe, SD, params)
    assert told["prompt"].limit == READ
    assert not told["negative_prompt"].is_cut


def test_weights_are_counted_as_the_words_they_stand_at(models, settings):
    params = {"model": str(models(in_channels=9)), "guidance_scale": 1}
    plain = Catalogue(settings).prompt_lengths(InpaintParams(prompt="a red ball", **params))
    weighted = Catalogue(settings).prompt_lengths(
        InpaintParams(prompt="a (red)1.3 ball", prompt_weights=True, **params)
    )

    assert weighted == plain
    assert set(plain) == {"prompt"}


def test_a_model_without_words_or_not_on_this_machine_has_no_lengths(settings):
    catalogue = Catalogue(settings)

    assert catalogue.prompt_lengths(InpaintParams(model="content-fill", prompt=LONG)) == {}
    assert catalogue.prompt_lengths(InpaintParams(model="somebody/not-here", prompt=LONG)) == {}


def test_a_damaged_tokenizer_is_told_as_that(models, tmp_path):
    folder = tmp_path / "model"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer" / "tokenizer.json").write_text("[1, 2")
    index = {"_class_name": "StableDiffusionInpaintPipeline", "tokenizer": ["transformers", "CLIPTokenizer"]}

    with pytest.raises(DamagedModel):
        tokens.reader_of_folder(folder, index, SD)
    for declared in (None, 7, ["transformers", "Trainer"], ["os", "system"], ["transformers"]):
        assert tokens.reader_of_folder(folder, {**index, "tokenizer": declared}, SD) is None


# Reading it whole ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["", "a red ball", "r" * READ])
@pytest.mark.slow_but_first
def test_a_prompt_that_is_read_at_once_is_not_affected(nine, prompt):
    old, new = run(nine, prompt), run(nine, prompt, long_prompt=True)

    assert old.image.tobytes() == new.image.tobytes()
    assert {name for name in new.record if name.startswith(("compel", "prompt_"))} == set()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("kind", ["nine", "four", "xl"])
def test_the_end_of_a_long_prompt_counts(request, kind):
    inpainter = request.getfixturevalue(kind)
    cut = [run(inpainter, LONG + end) for end in ("a cat", "a dog")]
    whole = [run(inpainter, LONG + end, long_prompt=True) for end in ("a cat", "a dog")]

    assert cut[0].image.tobytes() == cut[1].image.tobytes()
    assert whole[0].image.tobytes() != whole[1].image.tobytes()
    assert cut[0].record["prompt_cut"].endswith("a cat")
    assert "prompt_cut" not in whole[0].record
    assert whole[0].record["prompt_tokens"] > READ
    assert whole[0].record["compel"]


def test_a_long_prompt_gives_the_same_bits_again(nine):
    once, twice = (run(nine, LONG, long_prompt=True, negative_prompt="blurry") for _ in range(2))

    assert once.image.tobytes() == twice.image.tobytes()


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "params",
    [
        {"negative_prompt": ""},
        {"negative_prompt": LONG * 2},
        {"negative_prompt": LONG, "guidance_scale": 1.0},
        {"prompt_weights": True},
        {"prompt_weights": True, "negative_prompt": "(blurry)1.3"},
    ],
)
@pytest.mark.parametrize("kind", ["nine", "xl"])
def test_prompts_of_different_lengths_go_together(request, kind, params):
    prompt = LONG + ("(a cat)1.2" if params.get("prompt_weights") else "a cat")

    assert run(request.getfixturevalue(kind), prompt, long_prompt=True, **params).image.size == (64, 64)


def test_what_looks_like_a_weight_is_text_in_a_long_prompt_too(nine):
    plain, looking = (run(nine, LONG + end, long_prompt=True) for end in ("a cat)1.2", "a catxx1.2"))

    assert plain.image.tobytes() != looking.image.tobytes()
    assert plain.record["prompt_tokens"] == looking.record["prompt_tokens"] - 1


@pytest.mark.slow_but_first
@pytest.mark.parametrize("prompt", ["x" * 200, ". " * 100, "日本語" * 60, "a\n" * 100, "," * 150])
def test_a_long_prompt_needs_no_place_to_split(nine, prompt):
    assert run(nine, prompt, long_prompt=True).image.size == (64, 64)


def test_a_model_of_another_text_encoder_refuses_with_a_message(transformer):
    inpainter = transformer("FLUX.1")

    with pytest.raises(InvalidParams, match="Use the whole prompt"):
        run(inpainter, "x y " * 480, long_prompt=True, num_inference_steps=2)


def _pocket_tokenizer():
    folder = Path(ROOT) / "assets/models/pocket-inpaint"
    index = {"tokenizer": ["transformers", "CLIPTokenizer"]}
    return tokens.reader_of_folder(folder, index, SD)
