"""The text of A1111: what it holds comes back; what it is known to lose is lost, and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.metadata import a1111
from core.metadata.carriers import Carried
from core.metadata.samplers import A1111_NAMES, scheduler_of
from tests.metadata.generations import GENERATION, a_generation, generations


def holds(prompt: str) -> bool:
    """Whether the format can hold this prompt."""
    lines = prompt.split("\n")
    return (
        prompt == prompt.strip()
        and all(line == line.strip() for line in lines)
        and not any(line.startswith(a1111.NEGATIVE) for line in lines)
    )


line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\n"), max_size=30).map(str.strip)
prompts = st.lists(line, max_size=4).map("\n".join).map(str.strip).filter(holds)


def parsed(generation):
    return a1111.read(Carried({"parameters": a1111.text_of(generation)}))


@settings(deadline=None)
@given(generations(prompts=prompts))
@example(a_generation(prompt="", negative_prompt=""))
@example(a_generation(prompt="", negative_prompt="only this"))
@example(a_generation(prompt="a: 1, b: 2, c: 3", negative_prompt="aa: 1, bb: 2, cc: 3"))
@example(a_generation(prompt='a "quoted, word": \\"', negative_prompt="first\n\nthird"))
def test_whatever_the_format_can_hold_comes_back(generation):
    params, found = generation.params, parsed(generation).params

    assert (found.get("prompt", ""), found.get("negative_prompt", "")) == (params.prompt, params.negative_prompt)
    for name in (
        "num_inference_steps",
        "guidance_scale",
        "strength",
        "seed",
        "mask_feather_px",
        "crop_padding_px",
    ):
        assert found[name] == getattr(params, name)
    assert found["scheduler"] == params.scheduler.replace("model-default", "dpmpp-2m-karras")


def test_the_line_of_pairs_reads_as_a1111_writes_it():
    assert a1111.text_of(GENERATION).splitlines() == [
        "a red balloon, “soft” light: <evening> & stars",
        "Negative prompt: text",
        "watermark",
        "Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4294967295, Size: 512x504, "
        "Model: sd15-inpainting, Denoising strength: 0.8, Mask blur: 5, Inpaint area: Only masked, "
        "Masked area padding: 40, RNG: CPU, Version: Inpaint Studio 0123456789ab",
    ]


@pytest.mark.parametrize(
    ("prompt", "negative", "read_as"),
    [
        ("  two blanks \n at the ends ", "", ("two blanks\nat the ends", "")),
        ("\n\nempty lines before", "", ("empty lines before", "")),
        ("a cat\nNegative prompt: of a cat", "x", ("a cat", "of a cat\nx")),
        ("a cat", "x\nNegative prompt: y", ("a cat", "x\ny")),
        ("   ", "x", ("", "x")),
    ],
)
def test_known_losses_stay_the_known_ones(prompt, negative, read_as):
    found = parsed(a_generation(prompt=prompt, negative_prompt=negative)).params

    assert (found.get("prompt", ""), found.get("negative_prompt", "")) == read_as


def test_a_last_line_that_only_looks_like_pairs_is_not_taken_for_them():
    assert a1111.parse("a cat\nNegative prompt: aa: 1, bb: 2, cc: 3") == a1111.ParsedText(
        "a cat", "aa: 1, bb: 2, cc: 3", {}
    )


def test_an_empty_first_line_of_the_negative_prompt_leaves_no_trace():
    assert a1111.parse("a\nNegative prompt:\nx\nSteps: 1, Seed: 2, Size: 8x8").negative == "x"


def test_keys_of_one_character_are_lost():
    assert a1111.parse("a cat\nSteps: 1, Seed: 2, x: 5, Sampler: Euler").pairs == {
        "Steps": "1",
        "Seed": "2",
        "Sampler": "Euler",
    }


def test_empty_and_broken_values_do_no_harm():
    pairs = a1111.parse('a\nSteps: , Seed: "1, Model: "\\x, y", CFG scale: "2"').pairs

    assert (pairs["Steps"], pairs["Seed"], pairs["CFG scale"]) == ("", '"1', "2")


def test_two_pairs_belong_to_the_prompt():
    assert a1111.parse("a cat\nSteps: 1, Seed: 2") == a1111.ParsedText("a cat\nSteps: 1, Seed: 2", "", {})


@pytest.mark.parametrize("key", list(A1111_NAMES))
def test_every_scheduler_of_ours_has_a_name_there_that_leads_back(key):
    assert scheduler_of(*A1111_NAMES[key]) == key


@pytest.mark.parametrize(
    ("sampler", "schedule", "key"),
    [
        ("DPM++ 2M Karras", None, "dpmpp-2m-karras"),
        ("DPM++ 2M", None, "dpmpp-2m"),
        ("DPM++ 2M", "Automatic", "dpmpp-2m-karras"),
        ("DPM++ 2M", "Exponential", None),
        ("Euler a", "Automatic", "euler-ancestral"),
        ("Euler", "Karras", None),
        ("DDIM", "DDIM", "ddim"),
        ("dpmpp_2m", "karras", "dpmpp-2m-karras"),
        ("uni_pc", "normal", "unipc"),
        ("lcm", "sgm_uniform", "lcm"),
        ("euler", "sgm_uniform", None),
        ("DPM++ SDE", "Karras", None),
        ("", None, None),
        (7, None, None),
    ],
)
def test_a_sampler_is_ours_only_with_a_schedule_that_we_have(sampler, schedule, key):
    assert scheduler_of(sampler, schedule) == key


def test_context_counts_only_where_only_the_mask_is_painted():
    whole = a1111.read(Carried({"parameters": "a\nSteps: 9, Seed: 1, Masked area padding: 64"}))

    assert "crop_padding_px" not in whole.params
    assert whole.raw["Masked area padding"] == "64"


def test_exif_goes_before_the_chunk_as_in_a1111():
    texts = {
        "parameters": "chunk\nSteps: 9, Seed: 1, Size: 64x64",
        "exif:UserComment": "exif\nSteps: 8, Seed: 1, Size: 64x64",
    }

    assert a1111.read(Carried(texts)).params["prompt"] == "exif"


@pytest.mark.parametrize("comment", ["", "Holiday 2026", "Lens: 50, Flash: off"])
def test_a_photographers_comment_is_no_prompt(comment):
    assert a1111.read(Carried({"exif:UserComment": comment, "comment": comment})) is None


def test_a_line_made_to_take_for_ever_is_read_at_once():
    for hostile in ("a" * 90_000, "a " * 45_000, 'aa:"' * 22_000, 'aa:"\\' * 18_000, "\n" * 90_000, '"' * 90_000):
        started = time.process_time()

        a1111.parse(hostile)

        assert time.process_time() - started < 1


CONTROLS = (
    'ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 0.8, Resize Mode: Crop and '
    "Resize, Processor Res: 512, Threshold A: 100.0, Threshold B: 200.0, Guidance Start: 0.1, Guidance End: 0.75, "
    'Pixel Perfect: True, Control Mode: Balanced", '
    'ControlNet 1: "preprocessor: depth_midas, model: control_v11f1p_sd15_depth [cfd03158], weight: 1, '
    "starting/ending: (0, 0.5), resize mode: Crop and Resize, pixel perfect: False, control mode: Balanced, "
    'preprocessor params: (512, -1, -1)", '
    'ControlNet 2: "Module: none, Model: control_v11f1e_sd15_tile [a371b31b], Weight: 1", '
    'ControlNet 3: "Module: reference_only, Model: None, Weight: 1.0"'
)


def test_what_strangers_say_of_controlnets_becomes_ours_and_stays_as_it_was_written():
    text = f"a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x512, {CONTROLS}, Version: v1.10.1"

    found = a1111.read(Carried({"parameters": text}))

    assert [tuple(one.values()) for one in found.params["controlnet"]] == [
        ("control_v11p_sd15_canny", "canny", 0.8, 0.1, 0.75),
        ("control_v11f1p_sd15_depth", "none", 1.0, 0.0, 0.5),
        ("control_v11f1e_sd15_tile", "tile", 1.0, 0.0, 1.0),
    ]
    assert "[d14c016b]" in found.raw["ControlNet 0"]
    assert "reference_only" in found.raw["ControlNet 3"]


@pytest.mark.parametrize(
    "unit",
    [
        "Module: canny, Model: /, Weight: 1",
        "Module: canny, Model: x, Weight: 999",
        "Module: canny",
        "",
        "(((((",
        "a, b",
    ],
)
def test_a_line_of_a_controlnet_that_cannot_be_read_stays_text(unit):
    text = f'a cat\nSteps: 20, Sampler: Euler, Seed: 1, ControlNet 0: "{unit}", Version: v1'

    assert "controlnet" not in a1111.read(Carried({"parameters": text})).params


def test_an_ip_adapter_is_a_unit_of_controlnet_there():
    unit = '"Module: ip-adapter_clip_sd15, Model: ip-adapter-plus_sd15 [836b5c2e], Weight: 0.7, Control Mode: Balanced"'
    text = f"a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, ControlNet 0: {unit}, Version: v1.10.1"
    ours = a_generation(ip_adapter="/models/look.safetensors", ip_adapter_scale=0.35, controlnet=["depth"])

    found, again = a1111.read(Carried({"parameters": text})).params, parsed(ours).params

    assert (found["ip_adapter"], found["ip_adapter_scale"]) == ("ip-adapter-plus_sd15", 0.7)
    assert "controlnet" not in found
    assert (again["ip_adapter"], again["ip_adapter_scale"]) == ("look", 0.35)
    assert [one["name"] for one in again["controlnet"]] == ["depth"]
    assert 'ControlNet 1: "Module: ip-adapter-auto, Model: look, Weight: 0.35' in a1111.text_of(ours)


def test_our_own_lines_of_controlnets_come_back():
    controls = [
        {"name": "edges", "hint": "canny", "controlnet_conditioning_scale": 0.65, "control_guidance_end": 0.8},
        {"name": "depth-map"},
        {"name": "control_v11p_sd15_inpaint", "hint": "inpaint"},
        {"name": "my tile", "hint": "tile"},
    ]
    generation = a_generation(controlnet=controls)

    assert parsed(generation).params["controlnet"] == [one.model_dump() for one in generation.params.controlnet]
