"""The parameters as options of inpaint: all are there, and what is given arrives."""

from __future__ import annotations

import json

import pytest

from core.domain.model import ModelSpec
from core.domain.modes import CONTENT_FILL
from tests.conftest import a_mask, a_picture
from tests.controlnets import write_controlnet
from tests.embeddings import write_embedding
from tests.ipadapters import write_image_encoder, write_ip_adapter
from tests.loras import write_lora
from tests.vaes import write_vae

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
    "--clip-skip": ("clip_skip", 2),
    "--dtype": ("dtype", "float32"),
    "--cache-interval": ("cache_interval", 3),
    "--reference-scale": ("ip_adapter_scale", 0.45),
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
    assert params.model_dump() == {
        **dict(GIVEN.values()),
        "loras": [],
        "controlnet": [],
        "embeddings": [],
        **dict.fromkeys(("vae", "ip_adapter"), ""),
    }


def test_a_vae_is_given_by_name_or_by_path(run, studio, files, tmp_path):
    write_vae(studio.settings.models / "vae" / "ft-mse.safetensors")
    write_vae(elsewhere := tmp_path / "other.safetensors")

    made = [json.loads(run("inpaint", *files, "--vae", vae, "--json").stdout) for vae in ("ft-mse", str(elsewhere))]

    assert [studio.gallery.get(one["id"]).params.vae for one in made] == ["ft-mse", str(elsewhere)]
    assert "gone.safetensors is not on this machine" in run("inpaint", *files, "--vae", "gone", code=2).stderr


def test_the_name_of_an_embedding_in_a_prompt_is_found_and_what_is_none_told(run, studio, files):
    folder = studio.settings.models / "embeddings"
    write_embedding(folder / "oil.safetensors")
    write_lora(folder / "ink.safetensors")

    result = run("inpaint", *files, "--prompt", "oil and ink", "--json")

    assert studio.gallery.get(json.loads(result.stdout)["id"]).params.embeddings == ("oil",)
    assert "“ink” is read as a word. Embedding: ink.safetensors is not an embedding" in result.stderr


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


def test_controlnets_are_given_each_with_its_picture_its_hint_and_its_part_of_the_steps(run, studio, files, tmp_path):
    write_controlnet(studio.settings.models / "controlnet" / "canny.safetensors")
    write_controlnet(elsewhere := tmp_path / "depth.safetensors")
    a_picture(48, 32).save(tmp_path / "lines.png")
    options = ["--controlnet", "canny:0.8", "--controlnet", str(elsewhere), "--control-image", tmp_path / "lines.png"]
    options += ["--control-image", tmp_path / "lines.png", "--control-hint", "none", "--control-guidance-end", "0.5"]

    made = json.loads(run("inpaint", *files, *options, "--json").stdout)

    generation = studio.gallery.get(made["id"])
    canny, depth = generation.params.controlnet
    assert str(canny) == "canny:0.8 (none, 0 to 0.5)"
    assert str(depth) == f"{elsewhere}:1 (none)"
    assert [(guide.title, guide.picture) for guide in generation.guides] == [
        ("Control picture", generation.guides[0].picture),
        ("Control picture 2", generation.guides[0].picture),
    ]


def test_with_more_canvas_the_control_picture_is_extended_with_the_picture(run, studio, files, tmp_path):
    write_controlnet(studio.settings.models / "controlnet" / "depth.safetensors")
    a_picture(48, 32).save(tmp_path / "depth.png")
    options = ["--controlnet", "depth", "--control-image", tmp_path / "depth.png", "--extend", "left=96"]

    made = json.loads(run("inpaint", files[0], *options, "--json").stdout)

    [guide] = studio.gallery.get(made["id"]).guides
    picture = studio.gallery.image(guide.picture)
    assert picture.size == (192, 64)
    assert picture.crop((0, 0, 96, 64)).getbbox() is None
    assert picture.crop((96, 0, 192, 64)).getbbox() == (0, 0, 96, 64)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--controlnet", "depth"], "depth needs a control picture"),
        (["--controlnet", "canny", "--control-hint", "canny", "--control-hint", "none"], "--control-hint is given 2"),
        (["--control-image", "tall.png"], "--controlnet 0 times"),
        (["--controlnet", "canny", "--control-image", "tall.png"], "tall.png: The control picture is 32 x 48"),
        (["--controlnet", "lineart"], "lineart.safetensors is not on this machine"),
        (["--controlnet", "canny", "--control-hint", "magic"], "hint must be one of"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_queued(
    run, studio, files, tmp_path, monkeypatch, options, words
):
    for name in ("canny", "depth"):
        write_controlnet(studio.settings.models / "controlnet" / f"{name}.safetensors")
    a_picture(32, 48).save(tmp_path / "tall.png")
    monkeypatch.chdir(tmp_path)

    told = run("inpaint", *files, *options, code=2)

    assert words in " ".join(told.stderr.split())
    assert studio.gallery.count() == 0


def test_the_help_names_every_option_with_its_limits_or_choices(run):
    shown = " ".join(run("inpaint", "--help").stdout.split())

    assert all(flag in shown for flag in GIVEN)
    assert "[0.01 to 1;" in shown
    assert "[original, blur," in shown


def test_a_reference_is_given_with_the_only_adapter_and_its_scale(run, studio, files, tmp_path):
    models = studio.settings.models
    write_ip_adapter(models / "ipadapter" / "look.safetensors")
    write_image_encoder(models / "clip_vision" / "vit-h.safetensors")
    a_picture(30, 50).save(tmp_path / "style.png")

    made = run("inpaint", *files, "--reference", tmp_path / "style.png", "--reference-scale", "0.4", "--json")

    generation = studio.gallery.get(json.loads(made.stdout)["id"])
    assert (generation.params.ip_adapter, generation.params.ip_adapter_scale) == ("look", 0.4)
    assert [guide.title for guide in generation.guides] == ["Reference picture"]
    assert studio.gallery.image(generation.guides[0].picture).size == (30, 50)
    write_ip_adapter(models / "ipadapter" / "other.safetensors")
    assert "Choose one (--ip-adapter)" in " ".join(
        run("inpaint", *files, "--reference", tmp_path / "style.png", code=2).stderr.split()
    )


def test_a_speed_is_that_of_the_model_that_the_mode_chooses(run, studio, files):
    studio.models.specs[CONTENT_FILL] = ModelSpec(
        CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",), recommended={"size": 1536}
    )
    studio.models.ready.add(CONTENT_FILL)

    made = json.loads(run("inpaint", *files, "--mode", "remove", "--speed", "balanced", "--json").stdout)

    params = studio.gallery.get(made["id"]).params
    assert (params.model, params.size) == (CONTENT_FILL, 1536)
