"""What each tool writes, in every kind of file that it or a converter of files may write it to."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from core.metadata import exif
from core.metadata.carriers import Carried
from core.metadata.read import read, read_text, understood
from tests.metadata import make_samples as made
from tests.metadata.files import (
    A1111,
    BARN,
    EULER_A,
    LINE,
    SIZED,
    commented,
    element,
    is_valid_import,
    png_with,
    raw_profile,
    with_xmp,
    xmp,
)
from tests.metadata.graphs import PLAIN, SAID, graph

EXTRA = {
    "prompt": "a red barn",
    "negativePrompt": "blurry",
    "steps": 20,
    "cfgScale": 7,
    "sampler": "Euler a",
    "seed": 42,
    "resources": [{"modelVersionId": 1, "strength": 1}],
}
BUSY = graph(n6={"class_type": "CLIPTextEncode", "inputs": {"text": "a red barn, style: oil, x: y", "clip": ["4", 1]}})
NOVELAI = {
    "prompt": "a red barn",
    "uc": "blurry",
    "steps": 20,
    "scale": 7.0,
    "seed": 42,
    "sampler": "k_euler_ancestral",
    "noise_schedule": "native",
    "width": 768,
    "height": 512,
    "request_type": "PromptGenerateRequest",
    "strength": 0.7,
}
SWARM = {
    "sui_image_params": {
        "prompt": "a red barn",
        "negativeprompt": "blurry",
        "model": "oil",
        "seed": 42,
        "steps": 20,
        "cfgscale": 7.0,
        "aspectratio": "3:2",
        "width": 768,
        "height": 512,
        "sampler": "euler_ancestral",
        "scheduler": "normal",
        "swarm_version": "0.9.6.2",
    },
    "sui_extra_data": {"date": "2026-01-02", "original_prompt": "a <wildcard:red> barn"},
    "sui_models": [{"name": "oil", "param": "model", "hash": "0x00"}],
}
SPACE = {
    "prompt": "a red barn",
    "negative_prompt": "blurry",
    "resolution": "768 x 512",
    "guidance_scale": 7,
    "num_inference_steps": 20,
    "seed": 42,
    "sampler": "Euler a",
    "use_upscaler": None,
    "Model": {"Model": "oil", "Model hash": "00"},
}
RUINED = {
    "Prompt": "a red barn",
    "Negative": "blurry",
    "steps": 20,
    "cfg": 7,
    "width": 768,
    "height": 512,
    "seed": 42,
    "sampler_name": "euler_ancestral",
    "scheduler": "normal",
    "base_model_name": "oil",
    "base_model_hash": "00",
    "loras": [],
    "start_step": 0,
    "denoise": "",
    "clip_skip": 1,
    "software": "RuinedFooocus",
}
EASY = {
    "prompt": "a red barn",
    "negative_prompt": "blurry",
    "seed": 42,
    "use_stable_diffusion_model": "oil",
    "sampler_name": "euler_a",
    "num_inference_steps": 20,
    "guidance_scale": 7,
    "width": 768,
    "height": 512,
}
EASY_TITLES = {
    "Prompt": "a red barn",
    "Negative Prompt": "blurry",
    "Seed": 42,
    "Stable Diffusion model": "oil",
    "Sampler": "euler_a",
    "Steps": 20,
    "Guidance Scale": 7,
    "Width": 768,
    "Height": 512,
}
DRAW_THINGS = {
    "c": "a red barn",
    "uc": "blurry",
    "seed": 42,
    "steps": 20,
    "scale": 7,
    "sampler": "Euler a",
    "size": "768x512",
    "model": "oil",
    "strength": 1,
    "v2": {"hiresFix": False, "width": 768},
}
TENSORART = {
    "prompt": "a red barn",
    "negativePrompt": "blurry",
    "width": 768,
    "height": 512,
    "seed": "42",
    "steps": 20,
    "cfgScale": 7,
    "samplerName": "Euler a",
    "clipSkip": 2,
    "baseModel": {"label": "Oil", "modelFileName": "oil"},
    "models": [{"label": "Brush", "type": "LORA", "weight": 0.8}],
    "workEngine": "TAMS_V1",
}
MATRIX = {
    "PositivePrompt": "a red barn",
    "NegativePrompt": "blurry",
    "Width": 768,
    "Height": 512,
    "Seed": 42,
    "Steps": 20,
    "CfgScale": 7,
    "Sampler": "Euler a",
    "ModelName": "oil",
    "ModelHash": "00",
}
SD_METADATA = {
    "model": "stable diffusion",
    "model_weights": "oil",
    "model_hash": "00",
    "app_id": "invoke-ai/InvokeAI",
    "app_version": "2.3.5",
    "image": {
        "prompt": [{"prompt": "a red barn [blurry]", "weight": 1.0}],
        "steps": 20,
        "cfg_scale": 7.0,
        "seed": 42,
        "width": 768,
        "height": 512,
        "sampler": "k_euler_a",
        "type": "txt2img",
        "strength": 0.75,
    },
}
INVOKEAI = {
    "generation_mode": "txt2img",
    "positive_prompt": "a red barn",
    "negative_prompt": "blurry",
    "width": 768,
    "height": 512,
    "seed": 42,
    "cfg_scale": 7.0,
    "steps": 20,
    "scheduler": "euler_a",
    "model": {"name": "oil", "key": "k"},
    "app_version": "6.1.0",
}
FOOOCUS = {
    "prompt": "a red barn",
    "negative_prompt": "blurry",
    "full_prompt": ["a red barn", "cinematic"],
    "steps": 20,
    "guidance_scale": 7,
    "seed": "42",
    "resolution": "(768, 512)",
    "sampler": "euler_ancestral",
    "scheduler": "normal",
    "base_model": "oil",
    "performance": "Speed",
    "metadata_scheme": "fooocus",
}
PLAIN_JSON = {"prompt": "a red barn", "negative_prompt": "blurry", "cfg_scale": 7, "steps": 20, "seed": 42}

OBJECTS: dict[str, tuple[dict[str, Any], str, dict[str, Any], str | None]] = {
    "civitai": (PLAIN | {"extra": {"airs": ["urn:air:sd1"]}, "extraMetadata": json.dumps(EXTRA)}, "civitai",
                SIZED | EULER_A, "oil.safetensors"),
    "civitai, nested": (PLAIN | {"extraMetadata": EXTRA}, "civitai", SIZED | EULER_A, None),
    "civitai, with a base model": (PLAIN | {"extraMetadata": EXTRA | {"baseModel": "SDXL"}}, "civitai",
                                   SIZED | EULER_A, None),
    "civitai, without a graph": ({"extraMetadata": json.dumps(EXTRA)}, "civitai", BARN | EULER_A, None),
    "comfyui, bare": (PLAIN, "comfyui", SAID, "oil.safetensors"),
    "comfyui, named": ({"prompt": PLAIN, "workflow": {"nodes": []}}, "comfyui", SAID, "oil.safetensors"),
    "comfyui, as text": ({"prompt": json.dumps(PLAIN), "workflow": "{}"}, "comfyui", SAID, "oil.safetensors"),
    "comfyui, deeper": ({"extra": {"data": {"Prompt": PLAIN}}}, "comfyui", SAID, None),
    "novelai": (NOVELAI, "novelai", SIZED | EULER_A, None),
    "novelai, as chunks": ({"Comment": json.dumps(NOVELAI), "Software": "NovelAI", "Source": "NAI V4",
                            "Description": "a red barn"}, "novelai", SIZED | EULER_A, "NAI V4"),
    "novelai, nested": ({"Comment": NOVELAI, "Software": "NovelAI"}, "novelai", SIZED | EULER_A, None),
    "swarmui": (SWARM, "swarmui", SIZED | EULER_A, "oil"),
    "swarmui, as text": ({"prompt": "{}", "parameters": json.dumps(SWARM)}, "swarmui", SIZED | EULER_A, "oil"),
    "a space": (SPACE, "json", SIZED | EULER_A, "oil"),
    "ruinedfooocus": (RUINED, "ruinedfooocus", SIZED | EULER_A, "oil"),
    "easydiffusion": (EASY, "easydiffusion", SIZED | EULER_A, "oil"),
    "easydiffusion, titles": (EASY_TITLES, "easydiffusion", SIZED | EULER_A, "oil"),
    "drawthings": (DRAW_THINGS, "drawthings", SIZED | EULER_A, "oil"),
    "tensorart": (TENSORART, "tensorart", SIZED | EULER_A, "oil"),
    "stabilitymatrix": (MATRIX, "stabilitymatrix", SIZED | EULER_A, "oil"),
    "invokeai 2": (SD_METADATA, "invokeai", SIZED | EULER_A, "oil"),
    "invokeai 2, two texts": (SD_METADATA | {"image": SD_METADATA["image"] | {"prompt": "a red barn",
                                             "negative_prompt": "blurry"}}, "invokeai", SIZED | EULER_A, "oil"),
    "invokeai": (INVOKEAI, "invokeai", SIZED | EULER_A, "oil"),
    "invokeai, with a strength that means nothing": (
        INVOKEAI | {"strength": 0.7, "generation_mode": "sdxl_txt2img"}, "invokeai", SIZED | EULER_A, "oil"),
    "invokeai, as chunks": ({"invokeai_metadata": json.dumps(INVOKEAI), "invokeai_graph": "{}"}, "invokeai",
                            SIZED | EULER_A, "oil"),
    "fooocus": (FOOOCUS, "fooocus", SIZED | EULER_A, "oil"),
    "json": (PLAIN_JSON, "json", BARN, None),
    "json, spelt otherwise": ({"Positive Prompt": "a red barn", "Negative Prompt": "blurry", "Noise Seed": "42",
                               "Num Inference Steps": "20", "Guidance-Scale": "7.0"}, "json", BARN, None),
    "json, around": ({"settings": PLAIN_JSON, "version": 3}, "json", BARN, None),
    "a1111 in json": ({"parameters": A1111, "postprocessing": "{}"}, "a1111", SIZED | EULER_A, None),
}  # fmt: skip

CARRIERS = {
    "chunk": lambda text: made.png({"parameters": text}),
    "another chunk": lambda text: made.png({"Comment": text}),
    "compressed": lambda text: png_with(b"zTXt", b"parameters\0\0" + zlib.compress(text.encode())),
    "JPEG": lambda text: commented(b"UNICODE\0" + text.encode("utf-16-be"), "JPEG"),
    "PNG, of a JPEG": lambda text: raw_profile("exif", exif.with_comment(text)),
    "PNG, of a JPEG, long ago": lambda text: raw_profile("APP1", exif.with_comment(text)),
    "PNG, of a WEBP": lambda text: raw_profile("xmp", xmp(element("exif:UserComment", text))),
    "JPEG, without prefix": lambda text: commented(text.encode(), "JPEG"),
    "WEBP": lambda text: commented(b"UNICODE\0" + text.encode("utf-16-le"), "WEBP"),
    "AVIF": lambda text: commented(b"ASCII\0\0\0" + text.encode(), "AVIF"),
    "description": lambda text: made.jpeg({0x010E: text}),
    "xmp, JPEG": lambda text: with_xmp(xmp(element("exif:UserComment", text, listed=True)), "JPEG"),
    "xmp, PNG": lambda text: with_xmp(xmp(element("exif:UserComment", text, listed=True)), "PNG"),
    "xmp, AVIF": lambda text: with_xmp(xmp(element("dc:description", text)), "AVIF"),
    "xmp, attribute": lambda text: with_xmp(xmp(metadata=text), "WEBP"),
}


@pytest.mark.parametrize(
    ("name", "carrier"),
    [
        # Every object somewhere and every carrier with some object are enough for everyday work.
        pytest.param(name, carrier, marks=() if place == nth % len(CARRIERS) else pytest.mark.slow)
        for nth, name in enumerate(OBJECTS)
        for place, carrier in enumerate(CARRIERS)
    ],
)
def test_json_is_understood_wherever_it_stands(name, carrier):
    written, tool, params, model = OBJECTS[name]

    found = read(CARRIERS[carrier](json.dumps(written)))

    is_valid_import(found, tool, params, model=model)


@pytest.mark.parametrize("name", list(OBJECTS))
def test_json_that_was_pasted_is_understood_too(name):
    written, tool, params, model = OBJECTS[name]

    is_valid_import(read_text(f"\ufeff {json.dumps(written, indent=2)}\n"), tool, params, model=model)


def test_a_generator_that_says_what_was_asked_for_is_believed_before_its_graph():
    other = {**EXTRA, "prompt": "asked for", "seed": 7}

    found = read_text(json.dumps(PLAIN | {"extraMetadata": json.dumps(other)}))

    assert (found.params["prompt"], found.params["seed"]) == ("asked for", 7)
    assert found.params["size"] == 768


@pytest.mark.parametrize("name", ["prompt", "Prompt", "PROMPT"])
@pytest.mark.parametrize("tag", [0x010E, 0x010F, 0x0110, 0x010D])
def test_a_graph_is_found_in_any_tag_that_names_it(name, tag):
    found = read(made.jpeg({tag: f"{name}: {json.dumps(BUSY)}", 0x0131: "Workflow:{}"}, "WEBP"))

    assert found.tool == "comfyui"
    assert found.params["prompt"] == "a red barn, style: oil, x: y"
    assert found.raw["workflow"] == "{}"


@pytest.mark.parametrize("format", ["AVIF", "WEBP", "JPEG", "PNG"])
def test_a_graph_in_xmp_is_a_chunk_of_its_name(format):
    found = read(with_xmp(xmp(prompt=json.dumps(PLAIN), workflow='{"nodes":[]}'), format))

    is_valid_import(found, "comfyui", SAID, model="oil.safetensors")
    assert json.loads(found.raw["prompt"]) == PLAIN
    assert found.raw["workflow"] == '{"nodes":[]}'


def test_of_several_names_for_the_same_the_plainest_counts_and_the_others_are_kept():
    said = {"scale": 2, "c": 1, "ckpt": "other", "negative": "other"} | PLAIN_JSON | {"model": "oil"}

    found = read_text(json.dumps(said))

    is_valid_import(found, "json", BARN, model="oil")
    assert found.raw.items() >= {"scale": "2", "c": "1", "ckpt": "other", "negative": "other"}.items()


def test_draw_things_with_all_that_it_writes():
    text = f"a red barn\n-blurry\n{LINE}"
    packet = xmp(
        element("xmp:CreatorTool", "Draw Things"),
        element("dc:description", text, listed=True),
        element("exif:UserComment", json.dumps(DRAW_THINGS | {"strength": 0.6}), listed=True),
    )

    is_valid_import(read(with_xmp(packet, "PNG")), "drawthings", SIZED | EULER_A | {"strength": 0.6}, model="oil")


@pytest.mark.parametrize("strength", ["1.0", "0.6"])
def test_draw_things_with_its_description_alone(strength):
    line = LINE.replace("CFG scale", "Guidance Scale") + f", Model: oil, Strength: {strength}, Seed Mode: Scale Alike"
    packet = xmp(
        element("xmp:CreatorTool", "Draw Things"),
        element("dc:description", f"a red barn\n-blurry\n{line}", listed=True),
    )

    painted_over = {} if strength == "1.0" else {"strength": 0.6}
    is_valid_import(read(with_xmp(packet, "JPEG")), "drawthings", SIZED | EULER_A | painted_over, model="oil")


def test_easy_diffusion_with_a_chunk_for_each_value():
    texts = {name: str(value) for name, value in EASY.items()}

    found = read(made.png(texts | {"use_vae_model": "some-vae", "prompt_strength": "0.6"}))

    is_valid_import(found, "easydiffusion", SIZED | EULER_A | {"strength": 0.6}, model="oil")
    assert found.raw["use_vae_model"] == "some-vae"


def test_easy_diffusion_with_titles_for_each_value():
    is_valid_import(
        read(made.png({name: str(value) for name, value in EASY_TITLES.items()})),
        "easydiffusion",
        SIZED | EULER_A,
        model="oil",
    )


def test_tensorart_beside_its_graph():
    texts = {"generation_data": json.dumps(TENSORART) + "\0", "prompt": json.dumps(PLAIN)}

    found = understood(Carried(texts))

    is_valid_import(found, "tensorart", SIZED | EULER_A, model="oil")
    assert json.loads(found.raw["prompt"]) == PLAIN


def test_stability_matrix_beside_its_graph():
    texts = {"parameters-json": json.dumps(MATRIX), "parameters": A1111, "prompt": json.dumps(PLAIN), "smproj": "{}"}

    is_valid_import(understood(Carried(texts)), "stabilitymatrix", SIZED | EULER_A, model="oil")


@pytest.mark.parametrize(
    "command",
    [
        '"a red barn [blurry]" -s 20 -S 42 -W 768 -H 512 -C 7.0 -A k_euler_a',
        '"a red barn [blurry]" -s20 -S42 -W768 -H512 -C7.0 -A k_euler_a -seamless -cf 0.75',
        '"a red barn, [blurry]" --steps 20 --seed 42 --width 768 --height 512 --cfg_scale 7.0 --sampler k_euler_a',
    ],
)
def test_the_first_invokeai_wrote_a_command(command):
    is_valid_import(read(made.png({"Dream": command})), "invokeai", SIZED | EULER_A)


def test_swarmui_with_a_picture_it_began_from():
    params = SWARM["sui_image_params"] | {"initimagecreativity": 0.6}

    is_valid_import(read_text(json.dumps({"sui_image_params": params})), "swarmui", SIZED | EULER_A | {"strength": 0.6})


@pytest.mark.parametrize("name", ["Description", "comment"])
def test_midjourney_says_its_prompt(name):
    job = "Job ID: 01234567-89ab-cdef-0123-456789abcdef"
    text = f"a red barn, soft light --ar 3:2 --seed 42 --v 6.1 --no people, cars {job}"

    found = read(made.png({name: text, "Author": "somebody"}))

    is_valid_import(
        found, "midjourney", {"prompt": "a red barn, soft light", "seed": 42, "negative_prompt": "people, cars"}
    )
    assert found.raw["options"].startswith("--ar 3:2")


# Models --------------------------------------------------------------------------------------------------------------

BAD_NAMES = ["/etc/passwd", "../../x", "C:\\models\\x", "~nosuchuser", "x" * 5_000, "\ud800", "a\x00b", "owner/name"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("tool", ["swarmui", "a1111", "comfyui", "json"])
def test_a_model_that_a_file_names_is_a_word_and_opens_nothing(name, tool):
    written = {
        "swarmui": {"sui_image_params": SWARM["sui_image_params"] | {"model": name}},
        "a1111": {"parameters": f"{A1111}, Model: {json.dumps(name)}"},
        "comfyui": graph(n4={"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": name}}),
        "json": PLAIN_JSON | {"model": name},
    }[tool]

    found = read(made.png({"parameters": json.dumps(written)}), models=["sd15-inpainting"])

    assert found.tool == tool
    assert "model" not in found.params
    assert "\x00" not in found.raw["model"]
    found.raw["model"].encode()
