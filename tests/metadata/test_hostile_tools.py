"""Texts of other tools made to do harm, wherever they stand: nothing raises, and nothing takes long."""

from __future__ import annotations

import io
import json
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.metadata import xmp
from core.metadata.carriers import Carried
from core.metadata.read import read, understood
from tests.metadata import make_samples as made
from tests.metadata.graphs import encoded, graph, said_by
from tests.metadata.test_hostile import is_harmless, json_values

names = st.sampled_from(
    [
        "prompt",
        "Prompt",
        "negative_prompt",
        "seed",
        "steps",
        "cfg_scale",
        "model",
        "sampler",
        "size",
        "strength",
        "c",
        "uc",
        "scale",
        "sui_image_params",
        "use_stable_diffusion_model",
        "extraMetadata",
        "image",
        "app_id",
        "PositivePrompt",
        "Steps",
        "baseModel",
        "cfgScale",
        "software",
        "class_type",
        "inputs",
        "Comment",
        "parameters",
        "positive_prompt",
        "metadata_scheme",
        "schema",
        "params",
        "nodes",
        "resources",
    ]
)
objects = st.recursive(
    json_values | st.sampled_from(["RuinedFooocus", "a red barn", '{"prompt": "x", "seed": 1}', "{", '{"a":' * 70]),
    lambda inner: st.dictionaries(names, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=12,
)
chunks = st.sampled_from(
    [
        "parameters",
        "prompt",
        "exif:UserComment",
        "comment",
        "Comment",
        "Description",
        "Dream",
        "sd-metadata",
        "generation_data",
        "parameters-json",
        "xmp:UserComment",
        "invokeai_graph",
        "invokeai_metadata",
        "Software",
        "use_stable_diffusion_model",
        "fooocus_scheme",
        "extraMetadata",
    ]
)


@settings(deadline=None)
@given(st.dictionaries(chunks, objects | st.text(max_size=20), min_size=1, max_size=4))
def test_any_json_under_any_name_never_raises(texts):
    written = {name: text if isinstance(text, str) else json.dumps(text) for name, text in texts.items()}

    is_harmless(understood(Carried(written)))


kinds = st.sampled_from(
    [
        "KSampler",
        "KSamplerAdvanced",
        "SamplerCustomAdvanced",
        "FaceDetailer",
        "CLIPTextEncode",
        "StringConcatenate",
        "Text Concatenate",
        "ImpactSwitch",
        "ComfySwitchNode",
        "Efficient Loader",
        "SDXLPromptStyler",
        "SaveImage",
        "CheckpointLoaderSimple",
        "EmptyLatentImage",
        "ToBasicPipe",
        "ShowText|pysssss",
        "StringReplace",
        "",
        "\x00",
    ]
)
inputs = st.sampled_from(
    [
        "model",
        "positive",
        "negative",
        "latent_image",
        "samples",
        "images",
        "text",
        "text_0",
        "string_a",
        "string_b",
        "delimiter",
        "find",
        "replace",
        "select",
        "input1",
        "switch",
        "on_true",
        "on_false",
        "steps",
        "seed",
        "cfg",
        "sampler_name",
        "sigmas",
        "sampler",
        "guider",
        "noise",
        "pipe",
        "basic_pipe",
        "ckpt_name",
        "width",
        "height",
        "denoise",
        "conditioning",
        "populated_text",
        "POSITIVE",
        "",
        "dimensions",
        "lora_1",
    ]
)
links = st.tuples(st.sampled_from("123456"), st.integers(-1, 3)).map(list)
nodes = st.fixed_dictionaries({"class_type": kinds, "inputs": st.dictionaries(inputs, links | json_values, max_size=8)})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("123456"), nodes, max_size=6))
def test_any_graph_with_circles_or_without_is_read_and_never_raises(graph):
    is_harmless(understood(Carried({"prompt": json.dumps(graph)})))


@settings(deadline=None)
@given(st.binary(max_size=120), st.sampled_from([b"UNICODE\0", b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8), b""]))
def test_any_bytes_in_a_comment_are_some_text(data, prefix):
    is_harmless(read(made.jpeg({made.EXIF_IFD: {made.USER_COMMENT: prefix + data}})))


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_in_xmp_never_raises(inner, attribute):
    assert isinstance(xmp.texts_in(f"<x a='{attribute}'>{inner}</x>"), dict)


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghij"))
    + "]>"
)


@pytest.mark.parametrize(
    "packet",
    [
        f"{LAUGHS}<x xmlns:e='urn:e'><e:UserComment>&j;</e:UserComment></x>",
        "<x>" * 50_000,
        "<x>" * 20_000 + "</x>" * 20_000,
        "<x " + " ".join(f"a{n}='{n}'" for n in range(20_000)) + "/>",
        "<x>&#0;</x>",
        "<x xmlns:e='urn:e'><e:UserComment>" + "{" * 200_000 + "</e:UserComment></x>",
    ],
)
def test_xmp_made_to_do_harm_is_left_in_time(packet):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "WEBP", xmp=packet.encode())
    started = time.process_time()

    is_harmless(read(file.getvalue()))

    assert time.process_time() - started < 2


def nested(levels: int) -> str:
    text = '{"prompt": "x", "seed": 1}'
    for _ in range(levels):
        text = json.dumps({"parameters": text})
    return text


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        nested(12),
        json.dumps({f"k{n}": {"prompt": 1} for n in range(50_000)}),
        json.dumps({"a": ["{" * 1000] * 500}),
        json.dumps({str(n): "{" + "x" * 40 for n in range(20_000)}),
        json.dumps({"prompt": "x" * 1_000_000, "seed": 1, "steps": 10**400}),
        '{"prompt": "x", "seed": ' + "9" * 4_000 + ', "steps": 1e999, "cfg": NaN, "width": -Infinity, "height": 1}',
        f"a\nSteps: 1, Seed: 2, Sampler: x, {'aa: [' * 18_000}",
        f"a\nSteps: 1, Seed: 2, Sampler: x, {'aa: (b, ' * 12_000}",
        f"a\nSteps: 1, Seed: 2, Sampler: x, Civitai resources: {'[' * 15_000}{']' * 15_000}",
        "a\nSteps: 1, Seed: 2, Sampler: x, " + 'aa: ["' * 15_000,
        "Steps:\n" * 200_000,
        "Steps: 1 " * 100_000,
        "Negative prompt:\n" * 50_000,
        "[" * 100_000 + "]" * 100_000,
        '"' + "[" * 50_000 + '" -s 20 -S 42',
        '"x" ' + "-a " * 50_000,
        " --no " * 50_000 + "Job ID: 01234567-89ab-cdef-0123-456789abcdef",
        " --seed" * 50_000 + "Job ID: 01234567-89ab-cdef-0123-456789abcdef",
    ],
)
@pytest.mark.parametrize("name", ["parameters", "exif:UserComment", "Dream", "Description"])
def test_texts_made_to_take_for_ever_are_read_at_once(text, name):
    started = time.process_time()

    is_harmless(understood(Carried({name: text})))

    assert time.process_time() - started < 2


@pytest.mark.slow
def test_many_texts_with_many_objects_are_read_at_once():
    texts = {f"text{n}": json.dumps({f"k{m}": {"a": {"b": m}} for m in range(2_000)}) for n in range(20)}
    started = time.process_time()

    is_harmless(understood(Carried(texts)))

    assert time.process_time() - started < 2


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "graph",
    [
        {
            str(n): {
                "class_type": "KSampler",
                "inputs": {name: [str(n + 1), 0] for name in ("model", "positive", "latent_image", "steps")},
            }
            for n in range(4_900)
        },
        {
            str(n): {
                "class_type": "Any Switch",
                "inputs": {f"any_{m}": [str((n * 7 + m) % 3_000), 0] for m in range(20)},
            }
            for n in range(3_000)
        }
        | {
            "s": {
                "class_type": "KSampler",
                "inputs": {
                    "steps": 1,
                    "model": ["0", 0],
                    "latent_image": ["0", 0],
                    "positive": ["0", 0],
                    "negative": ["1", 0],
                },
            }
        },
        {
            str(n): {
                "class_type": "Text Concatenate",
                "inputs": {"delimiter": "x", **{f"text_{m}": [str((n + m) % 400), 0] for m in range(1, 30)}},
            }
            for n in range(400)
        }
        | {
            "s": {
                "class_type": "KSampler",
                "inputs": {"steps": 1, "model": ["0", 0], "latent_image": ["0", 0], "positive": ["0", 0]},
            }
        },
    ],
)
def test_graphs_made_to_take_for_ever_are_read_in_time(graph):
    started = time.process_time()

    is_harmless(understood(Carried({"prompt": json.dumps(graph)})))

    assert time.process_time() - started < 3


def test_a_comment_of_the_largest_size_is_read_in_time():
    data = made.jpeg(
        {made.EXIF_IFD: {made.USER_COMMENT: b"UNICODE\0" + ("\x01" * 4_000_000).encode("utf-16-be")}}, "WEBP"
    )
    started = time.process_time()

    is_harmless(read(data))

    assert time.process_time() - started < 3


def test_an_extension_of_xmp_that_lies_about_its_length_is_left():
    digest = b"A" * 32
    parts = [xmp.IN_JPEG + xmp.PART.pack(digest, 2**32 - 1, n) + b"x" * 1_000 for n in range(100)]

    assert xmp.extension_in(parts, digest.decode(), 4 * 2**20) == ""
    assert xmp.extension_in([xmp.IN_JPEG], "", 9) == ""


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_a_prompt_that_is_too_long_is_refused_with_a_message_and_kept(name):
    longest = {"prompt": "a barn", "negative_prompt": "blurry"} | {name: "x" * 20_000, "seed": 1}
    longer = longest | {name: "x" * 20_001}

    taken, refused = (understood(Carried({"parameters": json.dumps(said)})) for said in (longest, longer))

    assert len(taken.params[name]) == 20_000
    assert not taken.refusals
    assert name not in refused.params
    assert len(refused.raw[name]) == 20_001
    title = {"prompt": "prompt", "negative_prompt": "negative prompt"}[name]
    assert refused.refusals == (f"Its {title} is longer than the 20,000 characters that are allowed.",)
    assert refused.offer["too_long"] == [name]


def test_a_prompt_of_a_graph_that_is_too_long_is_refused_with_a_message():
    found = said_by(graph(n6=encoded("x" * 20_001)))

    assert found.too_long == ("prompt",)
    assert found.params["negative_prompt"] == "blurry"


@pytest.mark.parametrize(
    "text", ["", "exif 4 zz", "exif 9 4578696600", "exif 1 " + "0" * 500_001, "exif 5 " + " 1" * 200_000]
)
def test_a_raw_profile_that_is_none_is_left_in_time(text):
    started = time.process_time()

    is_harmless(read(made.png({"Raw profile type exif": text, "Raw profile type xmp": text})))

    assert time.process_time() - started < 1


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "head", [b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", xmp.IN_JPEG, xmp.IN_JPEG + xmp.PART.pack(b"A" * 32, 9, 0)]
)
def test_a_jpeg_of_nothing_but_segments_of_metadata_is_left_in_time(head):
    data = made.jpeg({0x010F: "x"})
    segment = b"\xff\xe1" + (65_002).to_bytes(2, "big") + head.ljust(65_000, b"x")
    started = time.process_time()

    is_harmless(read(data[:2] + segment * 600 + data[2:]))

    assert time.process_time() - started < 1
