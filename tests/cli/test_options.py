"""The parameters as options of inpaint: all are there, and what is given arrives."""

from __future__ import annotations

import json

import pytest

from tests.conftest import a_mask, a_picture

GIVEN = {
    "--prompt": ("prompt", "a cat"),
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
    assert params.model_dump() == dict(GIVEN.values())


def test_the_help_names_every_option_with_its_limits_or_choices(run):
    shown = " ".join(run("inpaint", "--help").stdout.split())

    assert all(flag in shown for flag in GIVEN)
    assert "[0.01 to 1;" in shown
    assert "[original, blur," in shown
