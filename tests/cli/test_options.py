"""The parameters as options of inpaint: all are there, and what is given arrives."""

from __future__ import annotations

import json

import pytest

from tests.conftest import a_mask, a_picture
from tests.loras import write_lora

GIVEN = {
    "--prompt": ("prompt", "a cat"),
    "--instruction": ("instruction", "add {prompt}"),
    "--negative-prompt": ("negative_prompt", "a dog"),
    "--model": ("model", "sd15-inpainting"),
    "--scheduler": ("scheduler", "ddim"),
    "--steps": ("num_inference_steps", 7),
    "--guidance-scale": ("guidance_scale", 2.5),
    "--strength": ("strength", 0.75),
    "--seed": ("seed", 11),
    "--size": ("size", 128),
    "--grow": ("mask_grow_px", 3),
    "--feather": ("mask_feather_px", 2),
    "--padding": ("crop_padding_px", 16),
    "--area": ("area", "whole"),
    "--refine-strength": ("refine_strength", 0.3),
    "--colour-match": ("colour_match", 0.25),
    "--keep": ("keep_threshold", 0.1),
    "--fill": ("fill", "blur"),
    "--variation-strength": ("variation_strength", 0.5),
    "--variation-seed": ("variation_seed", 13),
    "--soft-mask": ("soft_mask", True),
    "--prompt-weights": ("prompt_weights", True),
    "--long-prompt": ("long_prompt", True),
}
"""Options keep their names for ever. None of the values is a default."""


@pytest.fixture
def files(tmp_path):
    a_picture().save(tmp_path / "photo.png")
    a_mask().to_image().save(tmp_path / "mask.png")
    return tmp_path / "photo.png", tmp_path / "mask.png"


def test_every_option_sets_its_parameter(run, studio, files):
    options = [word for flag, (_, value) in GIVEN.items() for word in ([flag] if value is True else [flag, value])]

    made = json.loads(run("inpaint", *files, *options, "--json").stdout)

    params = studio.gallery.get(made["id"]).params
    assert params.model_dump() == {**dict(GIVEN.values()), "loras": []}


def test_loras_are_given_by_name_or_by_path_each_with_its_weight_in_their_order(run, studio, files, tmp_path):
    write_lora(studio.settings.models / "loras" / "style" / "oil.safetensors")
    write_lora(elsewhere := tmp_path / "ink: v2.safetensors")

    made = json.loads(run("inpaint", *files, "--lora", f"{elsewhere}:-0.5", "--lora", "oil", "--json").stdout)

    loras = studio.gallery.get(made["id"]).params.loras
    assert [(lora.name, lora.weight) for lora in loras] == [(str(elsewhere), -0.5), ("oil", 1)]


def test_a_lora_that_is_not_there_is_refused_before_anything_is_queued(run, studio, files):
    for options in (["--lora", "oil:0.8"], ["--prompt", "a cat <lora:oil:0.8>"]):
        told = run("inpaint", *files, *options, code=2)

        assert "oil.safetensors is not on this machine" in " ".join(told.stderr.split())
    assert "LoRA: " in run("inpaint", *files, "--lora", "oil:99", code=2).stderr
    assert json.loads(run("queue", "list", "--json").stdout or "[]") == []


def test_the_help_names_every_option_with_its_limits_or_choices(run):
    shown = " ".join(run("inpaint", "--help").stdout.split())

    assert all(flag in shown for flag in GIVEN)
    assert "[0.01 to 1;" in shown
    assert "[original, blur," in shown
