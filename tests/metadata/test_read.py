"""What other tools embed, and what wins where several have written. The samples are our own work, by the grammars."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.domain.imported import Imported
from core.domain.params import MAX_PROMPT, InpaintParams
from core.metadata.carriers import Carried, carried_by, open_picture
from core.metadata.read import read, read_text, understood
from core.metadata.write import embedded
from core.metadata.xmp import NAMESPACE, record_in
from tests.conftest import a_picture
from tests.metadata import make_samples as made
from tests.metadata.generations import GENERATION

DATA = Path(__file__).parents[1] / "data" / "metadata"

A1111 = {
    "prompt": "a lighthouse, (storm:1.2)\nsecond line",
    "negative_prompt": "people, boats",
    "num_inference_steps": 30,
    "scheduler": "dpmpp-2m-karras",
    "guidance_scale": 6.5,
    "seed": 4294967295,
    "strength": 0.75,
    "size": 768,
    "mask_feather_px": 6,
    "crop_padding_px": 48,
    "clip_skip": 2,
}
SDNEXT = {
    "prompt": "a mill by a stream",
    "negative_prompt": "fog",
    "num_inference_steps": 20,
    "scheduler": "euler-ancestral",
    "guidance_scale": 5.0,
    "seed": 77,
    "strength": 0.4,
    "size": 1024,
    "clip_skip": 1,
}
FOOOCUS = {
    "prompt": "a red barn",
    "negative_prompt": "text",
    "num_inference_steps": 30,
    "guidance_scale": 4.0,
    "seed": 123,
    "size": 1152,
}
FOOOCUS_A1111 = {
    "prompt": "a red barn",
    "negative_prompt": "text",
    "num_inference_steps": 30,
    "scheduler": "dpmpp-2m-karras",
    "guidance_scale": 4.0,
    "size": 1152,
}
INVOKEAI = {
    "prompt": "a cabin in the snow",
    "negative_prompt": "rain",
    "num_inference_steps": 28,
    "scheduler": "dpmpp-2m-karras",
    "guidance_scale": 7.0,
    "strength": 0.7,
    "seed": 1234567,
    "size": 640,
    "clip_skip": 1,
}
COMFYUI = {
    "prompt": "a glass bottle with a galaxy inside",
    "negative_prompt": "watermark",
    "num_inference_steps": 25,
    "scheduler": "euler-ancestral",
    "guidance_scale": 8.0,
    "strength": 0.9,
    "mask_grow_px": 6,
}
COMFYUI_CUSTOM = {
    "prompt": "a paper boat",
    "negative_prompt": "",
    "num_inference_steps": 12,
    "guidance_scale": 3.5,
    "strength": 1.0,
    "seed": 5,
}
NOVELAI = {
    "prompt": "an owl on a fence",
    "negative_prompt": "lowres",
    "num_inference_steps": 28,
    "scheduler": "euler-ancestral",
    "guidance_scale": 5.0,
    "seed": 3071474384,
    "size": 1216,
}


@pytest.mark.parametrize(
    ("name", "tool", "params", "size", "seed_text"),
    [
        ("a1111.png", "a1111", A1111, (768, 512), None),
        ("a1111.jpg", "a1111", A1111, (768, 512), None),
        ("a1111.webp", "a1111", A1111, (768, 512), None),
        ("a1111-stealth.png", "a1111", A1111, (768, 512), None),
        ("a1111-stealth-rgb.png", "a1111", A1111, (768, 512), None),
        ("sdnext.png", "sdnext", SDNEXT, (1024, 768), None),
        ("fooocus.png", "fooocus", FOOOCUS, (1152, 896), None),
        ("fooocus.jpg", "fooocus", FOOOCUS, (1152, 896), None),
        ("fooocus-a1111.png", "fooocus", FOOOCUS_A1111, (1152, 896), "8888888888888888888"),
        ("invokeai.png", "invokeai", INVOKEAI, (640, 512), None),
        ("invokeai-graph.png", "invokeai", INVOKEAI, (640, 512), None),
        ("comfyui.png", "comfyui", COMFYUI, None, "156680208700286"),
        ("comfyui.webp", "comfyui", COMFYUI, None, "156680208700286"),
        ("comfyui-custom.png", "comfyui", COMFYUI_CUSTOM, None, None),
        ("novelai.png", "novelai", NOVELAI, (832, 1216), None),
        ("novelai-stealth.png", "novelai", NOVELAI, (832, 1216), None),
    ],
)
def test_each_tools_picture_is_understood(name, tool, params, size, seed_text):
    found = read((DATA / name).read_bytes())

    assert found.tool == tool
    assert dict(found.params) == params
    assert (found.size, found.seed_text) == (size, seed_text)
    assert not found.record


def test_the_samples_are_what_their_maker_makes():
    stored = {path.name for path in DATA.iterdir() if not path.name.startswith("studio-")}

    assert stored == set(made.samples())


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "avif"])
def test_what_we_wrote_with_the_first_schema_is_read_for_ever(suffix):
    found = read((DATA / f"studio-1.{suffix}").read_bytes())

    record = json.loads((DATA / "studio-1.json").read_text(encoding="utf-8"))
    assert found.tool == "inpaint-studio"
    assert found.record == record
    assert InpaintParams(**found.params) == InpaintParams(
        **{name: value for name, value in record["params"].items() if name != "schema"}
    )


def test_what_could_not_be_mapped_is_kept():
    raw = read((DATA / "a1111.png").read_bytes()).raw

    assert raw == {
        "model": "some-model",
        "Model hash": "0123456789",
        "Inpaint area": "Only masked",
        "RNG": "CPU",
        "TI hashes": "one: 1a, two: 2b",
        "Version": "v1.10.1",
    }


def test_a_scheduler_that_we_do_not_have_is_kept_in_the_tools_own_words():
    raw = read((DATA / "comfyui-custom.png").read_bytes()).raw

    assert (raw["sampler_name"], raw["scheduler"]) == ("uni_pc", "beta")


def test_a_graph_and_the_drawing_of_it_are_kept_whole():
    raw = read((DATA / "comfyui.png").read_bytes()).raw

    assert json.loads(raw["prompt"]) == made.COMFYUI
    assert json.loads(raw["workflow"]) == made.WORKFLOW


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("a1111.png", "some-model"),
        ("fooocus.png", "some-xl"),
        ("invokeai.png", "some-model"),
        ("comfyui.png", "some-model.safetensors"),
        ("novelai.png", "NovelAI Diffusion V4"),
    ],
)
def test_a_foreign_model_is_a_word_unless_it_is_one_of_ours(name, model):
    data = (DATA / name).read_bytes()

    assert read(data).raw["model"] == model
    assert "model" not in read(data).params
    assert read(data, models=[model]).params["model"] == model
    assert "model" not in read(data, models=[model]).raw


def test_the_more_exact_format_wins_and_the_others_are_kept():
    ladder = {
        "parameters": made.A1111,
        "Comment": json.dumps(made.NOVELAI_COMMENT),
        "exif:UserComment": json.dumps(made.FOOOCUS),
        "prompt": json.dumps(made.COMFYUI),
        "invokeai_metadata": json.dumps(made.INVOKEAI),
        "inpaint_studio": '{"schema":1,"params":{"prompt":"ours"}}',
    }
    carried: dict[str, str] = {}

    winners = []
    for name, text in ladder.items():
        carried[name] = text
        winners.append(understood(Carried(carried)).tool)

    assert winners == ["a1111", "novelai", "fooocus", "comfyui", "invokeai", "inpaint-studio"]
    assert understood(Carried(carried)).raw["invokeai_metadata"] == json.dumps(made.INVOKEAI)


def test_a_graph_without_a_sampler_leaves_the_word_to_the_next():
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}}}

    found = understood(Carried({"prompt": json.dumps(graph), "parameters": made.A1111}))

    assert found.tool == "a1111"
    assert json.loads(found.raw["prompt"]) == graph


def test_a_newer_schema_of_ours_is_read_as_far_as_it_is_understood():
    record = {"schema": 99, "params": {"schema": 9, "prompt": "x", "seed": "many", "colour": "red"}, "more": 1}

    found = understood(Carried({"inpaint_studio": json.dumps(record)}))

    assert found.params == {"prompt": "x"}
    assert found.raw == {"seed": "many", "colour": "red"}
    assert found.record == record


def test_a_strangers_record_names_files_of_models_by_their_names_alone():
    lora = {"name": "/x/ink", "weight": 0.8, "text_encoder_weight": 0.5}
    files = {"vae": "/etc/ft-mse.safetensors", "embeddings": ["C:\\bad\\oil"], "loras": [lora]}
    params = {"schema": 12, "prompt": "oil", **files}

    found = Imported.of("inpaint-studio", params).params

    assert (found["vae"], found["embeddings"], found["loras"]) == ("ft-mse", ["oil"], [{**lora, "name": "ink"}])


def test_an_instruction_too_long_for_its_prompt_is_left_out_of_a_strangers_params():
    prompt, instruction = {"prompt": "x" * MAX_PROMPT}, {"instruction": "add {prompt} now"}

    found = Imported.of("inpaint-studio", {**prompt, **instruction})
    filled = Imported.of("inpaint-studio", instruction).filled_by(Imported.of("a1111", prompt))

    assert (found.params, found.raw) == (prompt, instruction)
    assert filled.params == instruction


@pytest.mark.parametrize("files", [{"embeddings": ["/x/"]}, {"loras": ["/x/"]}, {"controlnet": ["/x/"]}])
def test_a_path_without_a_name_is_left_out_of_a_strangers_params(files):
    found = Imported.of("inpaint-studio", {"prompt": "oil", **files})

    assert found.params == {"prompt": "oil"}
    assert found.raw.keys() == files.keys()


@pytest.mark.parametrize(
    "model", ["/etc", "../x", "~/x", "C:\\x", "a/../../etc", "a/b/c", "\\\\server\\x", "file://x", 7]
)
def test_a_strangers_record_cannot_name_a_folder_of_this_machine(model):
    found = understood(Carried({"inpaint_studio": json.dumps({"schema": 1, "params": {"model": model}})}))

    assert "model" not in found.params
    assert found.raw["model"] == str(model)


def test_a_picture_that_says_nothing_gives_nothing():
    assert read(made.png({})) is None
    assert read(made.png({"Title": "Holiday", "Software": "A camera"})) is None
    assert read(made.jpeg({0x010F: "A maker", 0x0131: "A camera"})) is None


def test_texts_behind_the_pixels_are_found():
    data = (DATA / "a1111.png").read_bytes()
    start = data.index(b"tEXtparameters") - 4
    chunk = data[start : start + 12 + int.from_bytes(data[start : start + 4], "big")]

    moved = data.replace(chunk, b"").replace(data[-12:], chunk + data[-12:])

    assert moved != data
    assert dict(read(moved).params) == A1111


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le", "utf-16"])
def test_exif_text_is_read_in_either_byte_order(order):
    comment = b"UNICODE\0" + made.A1111.encode(order)

    found = read(made.jpeg({made.EXIF_IFD: {made.USER_COMMENT: comment}}))

    assert dict(found.params) == A1111


@pytest.mark.parametrize("prefix", [b"ASCII\0\0\0", bytes(8), b""])
def test_plain_exif_text_is_read_too(prefix):
    found = read(made.jpeg({made.EXIF_IFD: {made.USER_COMMENT: prefix + made.A1111.encode()}}))

    assert dict(found.params) == A1111


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        (made.A1111, "a1111"),
        (json.dumps(made.FOOOCUS), "fooocus"),
        (json.dumps(made.INVOKEAI), "invokeai"),
        (json.dumps(made.COMFYUI), "comfyui"),
        (json.dumps(made.NOVELAI_COMMENT), "novelai"),
        ('{"schema":1,"params":{}}', "inpaint-studio"),
    ],
)
def test_a_text_that_lay_beside_the_picture_is_understood(text, tool):
    assert read_text(text).tool == tool


@pytest.mark.parametrize("text", ["", "a cat", "Dear reader,\nthis folder holds pictures.", "{}", "[]", '{"a": 1}'])
def test_any_other_text_is_not(text):
    assert read_text(text) is None


def test_an_editor_that_rewrites_xmp_as_attributes_loses_nothing():
    data = embedded(a_picture(), GENERATION, format="WEBP")
    carried = carried_by(open_picture(data))
    record = record_in(carried.xmp)

    escaped = record.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")

    assert record_in(f'<x xmlns:any="{NAMESPACE}" any:record="{escaped}"/>') == record


def test_every_parameter_that_a_record_of_ours_states_is_understood():
    stated = json.loads((Path(__file__).parents[1] / "data" / "params-schema-2.json").read_text(encoding="utf-8"))
    del stated["schema"]

    assert Imported.of("inpaint-studio", stated).params == stated


def test_a_switch_that_is_no_yes_or_no_is_not_understood():
    assert "soft_mask" not in Imported.of("inpaint-studio", {"soft_mask": "yes", "strength": True}).params
