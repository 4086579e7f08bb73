"""The line of settings that A1111 and many others write: every spelling, and what is no such line."""

from __future__ import annotations

import pytest

from core.metadata.carriers import Carried
from core.metadata.read import read, read_text, understood
from core.metadata.samplers import scheduler_of
from tests.metadata import make_samples as made
from tests.metadata.files import A1111, EULER_A, LINE, SIZED, commented, is_valid_import


@pytest.mark.parametrize(
    "more",
    [
        "Denoising strength: 0.3, Hires upscale: 2, Hires upscaler: Latent",
        "Denoising strength: 0.3, Hires steps: 10, Hires resize: 1536x1024",
        "First pass size: 384x256, Denoising strength: 0.3",
        "Denoising strength: 0.3, Hires Module 1: Use same choices, Hires CFG Scale: 7, Version: f2.0",
        "Denoising strength: 0.3, HiRes mode: 2, HiRes upscaler: ESRGAN, App: SD.Next",
        "Denoising strength: 0.3, Second pass: true, Hires force: False",
    ],
)
def test_the_denoising_of_a_second_pass_is_no_strength(more):
    found = understood(Carried({"parameters": f"{A1111}, {more}"}))

    assert "strength" not in found.params
    assert found.raw["Denoising strength"] == "0.3"


@pytest.mark.parametrize(
    "after",
    [
        "Template: a {red|blue} barn\nNegative Template: blurry",
        "\nTemplate: a barn, seen: far, from: above",
        'Wildcard prompt: "a __colour__ barn", File includes: x',
        "postprocessing: GFPGAN\n\n",
    ],
)
def test_lines_behind_the_settings_are_kept_and_are_no_prompt(after):
    found = understood(Carried({"parameters": f"{A1111}, Version: v1\n{after}"}))

    is_valid_import(found, "a1111", SIZED | EULER_A)
    assert found.raw["after"] == after.strip()


def test_a_prompt_may_have_a_line_about_steps():
    text = f"a stair\nSteps: stone, worn: much, seed: none\nNegative prompt: blurry\n{LINE}"

    assert understood(Carried({"parameters": text})).params["prompt"] == "a stair\nSteps: stone, worn: much, seed: none"


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("CFG scale", "CFG Scale"),
        LINE.replace("CFG scale", "CFGScale"),
        LINE.replace("CFG scale", "Guidance Scale"),
        LINE.replace("CFG scale", "cfg_scale").replace("Seed", "seed").replace("Sampler", "sampler"),
        LINE.replace("Euler a", "euler_ancestral"),
        LINE.replace("Euler a", "k_euler_a"),
        LINE.replace("Euler a", "Euler a, Scheduler: EulerAncestralDiscreteScheduler"),
        LINE.replace("Euler a", "Default, Scheduler: EulerAncestralDiscreteScheduler"),
        LINE.replace("Euler a", "EulerAncestralDiscreteScheduler"),
        LINE.replace("Euler a", "Euler a, Schedule type: Automatic"),
        LINE.replace(", ", " ,  "),
        LINE.replace("Steps: 20, ", "Size: 768x512, Steps: 20, ").replace(", Size: 768x512", ""),
    ],
)
def test_every_spelling_of_the_line_is_understood(line):
    is_valid_import(
        understood(Carried({"parameters": f"a red barn\nNegative prompt: blurry\n{line}"})), "a1111", SIZED | EULER_A
    )


def test_clip_skip_counts_as_in_a1111():
    assert understood(Carried({"parameters": f"{A1111}, Clip skip: 2"})).params["clip_skip"] == 2


@pytest.mark.parametrize(
    "pair",
    [
        'TI hashes: "EasyNegative: c74b4e810b03, Bad: 2d356134903e, c74b: 1, EasyNegative: c74b4e810b03"',
        'TI hashes: {"EasyNegative": "c74b4e810b03", "other": "1"}',
        'Hashes: {"model": "00", "embed:EasyNegative": "c74b4e810b"}',
    ],
)
def test_embeddings_are_those_of_which_the_name_stands_in_a_prompt(pair):
    text = f"a ball\nNegative prompt: easynegative, (blurry:1.2)\n{A1111.splitlines()[-1]}, {pair}"

    assert understood(Carried({"parameters": text})).params["embeddings"] == ["EasyNegative"]


@pytest.mark.parametrize(
    ("pair", "raw"),
    [
        (
            'Civitai resources: [{"type":"checkpoint","modelName":"Oil","modelVersionName":"v1"},'
            '{"type":"lora","weight":0.8,"modelName":"Brush, wet"}], Civitai metadata: {}',
            {"model": "Oil", "LoRAs": "Brush, wet: 0.8", "Civitai metadata": "{}"},
        ),
        ('Hashes: {"model": "00", "lora:brush": "11"}', {"Hashes": '{"model": "00", "lora:brush": "11"}'}),
        ("ADM Guidance: (1.5, 0.8, 0.3)", {"ADM Guidance": "(1.5, 0.8, 0.3)"}),
        ('Lora hashes: "brush: 11, ink: 22"', {"Lora hashes": "brush: 11, ink: 22"}),
        ("Model: oil [00112233], VAE: x", {"model": "oil [00112233]", "VAE": "x"}),
        ("Odd: [1, 2", {"Odd": "[1"}),
        ('Styles: ["a", "b [c"], Tail: 1', {"Styles": '["a", "b [c"]', "Tail": "1"}),
    ],
)
def test_values_with_commas_are_kept_whole(pair, raw):
    found = understood(Carried({"parameters": f"{A1111}, {pair}, Created Date: 2026-01-02"}))

    is_valid_import(found, "a1111", SIZED | EULER_A)
    assert found.raw.items() >= (raw | {"Created Date": "2026-01-02"}).items()


def test_a_text_that_lost_its_lines_is_understood():
    is_valid_import(read_text(A1111.replace("\n", " ")), "a1111", SIZED | EULER_A)


@pytest.mark.parametrize(
    "text",
    [
        "Lens: 50mm, ISO: 100, Shutter: 1/250",
        "Camera: X100V, Seed: none, Film: Velvia, Author: me",
        "Steps: 12, Height: 3 m, Material: oak",
        "Recipe: bread, Steps: 4, Time: 1 h, Serves: 2",
        "Dear all: here it is, sampler: no, thanks: yes",
        "Title: x, Prompt: y, Note: z",
        "{not json, at: all, really: not}",
        '{"camera": "X100V", "steps": 3}',
        '{"prompt": "Enter your name", "type": "form"}',
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_not_every_colon_is_a_generation(text, format):
    assert read(commented(b"ASCII\0\0\0" + text.encode(), format)) is None
    assert read(made.jpeg({0x010E: text}, format)) is None
    assert read_text(text) is None


def test_fooocus_tells_what_was_written_and_not_what_its_styles_made_of_it():
    more = "Raw prompt: barn, Raw negative prompt: text, Version: Fooocus v2.5.5"
    texts = {"parameters": f"{A1111}, {more}", "fooocus_scheme": "a1111"}

    is_valid_import(
        understood(Carried(texts)), "fooocus", SIZED | EULER_A | {"prompt": "barn", "negative_prompt": "text"}
    )


# Samplers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "schedule", "key"),
    [
        ("dpmpp_2m_karras", None, "dpmpp-2m-karras"),
        ("dpm++2m", None, "dpmpp-2m"),
        ("sample_dpmpp_2m", "normal", "dpmpp-2m"),
        ("DPM++ 2M", "karras", "dpmpp-2m-karras"),
        ("DPM++ 2M Karras", None, "dpmpp-2m-karras"),
        ("DPM++2M Karras", "", "dpmpp-2m-karras"),
        ("dpmpp-2m", "normal", "dpmpp-2m"),
        ("DPMSolverMultistepScheduler", None, "dpmpp-2m"),
        ("DPM++ 2M", "DPMSolverMultistepScheduler", "dpmpp-2m"),
        ("DPM++ 2M Karras", "DPMSolverMultistepScheduler", "dpmpp-2m-karras"),
        ("Default", "UniPCMultistepScheduler", "unipc"),
        ("UniPC", "UniPCMultistepScheduler", "unipc"),
        ("LMS", "LMSDiscreteScheduler", "lms"),
        ("PNDMScheduler", None, "pndm"),
        ("euler_ancestral_karras", None, None),
        ("Euler", "DDIMScheduler", None),
        ("Euler", "FlowMatchEulerDiscreteScheduler", None),
        ("dpmpp_2m_sde_gpu", "karras", None),
        ("scheduler", "scheduler", None),
        ("karras", None, None),
    ],
)
def test_a_sampler_is_known_by_every_spelling_and_only_if_it_is_ours(sampler, schedule, key):
    assert scheduler_of(sampler, schedule) == key
