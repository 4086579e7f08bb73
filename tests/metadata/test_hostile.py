"""Files made to do harm, and files that were damaged: nothing raises, and nothing takes long."""

from __future__ import annotations

import json
import struct
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.imported import Imported
from core.domain.params import InpaintParams
from core.metadata import carriers, novelai
from core.metadata.carriers import Carried
from core.metadata.json_text import json_object
from core.metadata.read import read, read_text, understood
from core.metadata.write import FORMATS, embedded
from core.metadata.xmp import NAMESPACE, record_in
from tests.conftest import a_picture
from tests.metadata import make_samples as made
from tests.metadata.generations import GENERATION

DATA = Path(__file__).parents[1] / "data" / "metadata"
OURS = {format: embedded(a_picture(24, 16), GENERATION, format=format) for format in FORMATS}
SAMPLES = [path.read_bytes() for path in sorted(DATA.glob("*.*")) if path.suffix != ".json"]

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -1, 2**64, "9" * 39, "1e999", "0x10", "-5", "٣"])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8) | st.sampled_from(["\ud800", "\x00", "karras"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

pairs = st.tuples(
    st.sampled_from(["Steps", "Seed", "Size", "Model", "CFG scale", "Sampler", "Denoising strength"]),
    st.text(max_size=12) | numbers.map(str),
)


def is_harmless(found: Imported | None) -> None:
    """What comes out can be offered in the form and stored in a database, whatever went in."""
    if found is None:
        return
    InpaintParams(**found.params)
    for name, text in found.raw.items():
        assert "\x00" not in name + text
        (name + text).encode()
    json.dumps(dict(found.record), allow_nan=False, ensure_ascii=False).encode()


@settings(deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPVP8X"])
)
def test_arbitrary_bytes_never_raise(data, magic):
    is_harmless(read(magic + data))


@pytest.mark.filterwarnings(
    "ignore:Corrupt EXIF data", "ignore:Invalid APNG", "ignore:Possibly corrupt", "ignore:Truncated"
)
@settings(deadline=None)
@given(st.data())
def test_flipped_bytes_and_cut_ends_never_raise(data):
    content = bytearray(data.draw(st.sampled_from([*OURS.values(), *SAMPLES])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]

    is_harmless(read(bytes(content)))


@settings(deadline=None)
@given(st.data())
def test_every_reader_takes_any_json_where_it_expects_its_own(data):
    expected = data.draw(
        st.sampled_from(
            [
                ("invokeai_metadata", made.INVOKEAI),
                ("invokeai_graph", {"nodes": {"core_metadata": made.INVOKEAI}}),
                ("prompt", made.COMFYUI),
                ("prompt", made.COMFYUI_CUSTOM),
                ("parameters", made.FOOOCUS),
                ("Comment", made.NOVELAI_COMMENT),
                ("inpaint_studio", {"schema": 1, "params": GENERATION.params.model_dump(), "run": {}}),
            ]
        )
    )
    name, value = expected
    value = json.loads(json.dumps(value))
    for _ in range(data.draw(st.integers(1, 4))):
        _replace_somewhere(data, value)

    found = understood(Carried({name: json.dumps(value)}))

    is_harmless(found)


def _replace_somewhere(data, value):
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and data.draw(st.integers(0, 4)):
            value = value[key]
            continue
        value[key] = data.draw(json_values)
        return


@settings(deadline=None)
@given(st.text(max_size=200), st.lists(pairs, max_size=8))
def test_any_text_in_the_place_of_a1111s_never_raises(prompt, pairs):
    text = f"{prompt}\n{', '.join(f'{key}: {value}' for key, value in pairs)}"

    is_harmless(understood(Carried({"parameters": text})))
    is_harmless(read_text(text))


def test_what_cannot_run_together_is_not_offered_together():
    found = Imported.of("a1111", {"strength": 0.01, "num_inference_steps": 10})

    assert found.params == {"num_inference_steps": 10}
    assert found.raw == {"strength": "0.01"}


@pytest.mark.parametrize(
    ("seed", "seed_text"),
    [
        (2**32 - 1, None),
        (2**32, "4294967296"),
        ("18446744073709551615", "18446744073709551615"),
        (-1, None),
        ("9" * 41, None),
        (10**400, None),
        (True, None),
        (1.5, None),
        ("x", None),
    ],
)
def test_a_seed_too_large_for_us_is_kept_as_text(seed, seed_text):
    assert Imported.of("a1111", {"seed": seed}).seed_text == seed_text


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes) -> bytes:
    data = made.png({"parameters": made.A1111})
    return data[:33] + b"".join(chunks) + data[33:]


def test_a_zlib_bomb_in_a_text_is_not_unpacked():
    bomb = zlib.compress(bytes(64 * 2**20), 9)

    started = time.process_time()
    is_harmless(read(png_with(chunk(b"zTXt", b"parameters\0\0" + bomb))))
    is_harmless(read(png_with(chunk(b"iTXt", b"inpaint_studio\0\1\0\0\0" + bomb))))

    assert time.process_time() - started < 1


def test_a_text_beyond_the_limit_is_left_out_and_named(monkeypatch):
    monkeypatch.setattr(carriers, "MAX_TEXT", 1000)

    found = read(made.png({"parameters": made.A1111, "extra": "x" * 1001}))

    assert found.tool == "a1111"
    assert found.raw["extra"].startswith("left out: longer than")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"a":' * 65 + "1" + "}" * 65, '{"a":' + "9" * 5000 + "}"]
)
def test_json_too_deep_or_too_long_to_be_meant_is_refused(text):
    assert json_object(text) is None


def test_brackets_inside_of_texts_do_not_count():
    assert json_object(json.dumps({"a": "[" * 1000 + '"' + "{" * 1000})) is not None


def test_a_file_larger_than_we_take_is_not_looked_at(monkeypatch):
    monkeypatch.setattr("core.metadata.read.MAX_FILE_BYTES", len(OURS["PNG"]) - 1)

    assert read(OURS["PNG"]) is None


@pytest.mark.parametrize(
    "record",
    [
        {"schema": 1, "params": {}, "note": "a\x00b"},
        {"schema": 1, "params": {}, "note": "\ud800"},
        {"schema": 1, "params": []},
        {"schema": "1", "params": {}},
        {"params": {}},
    ],
)
def test_a_record_that_no_database_takes_is_not_ours(record):
    assert understood(Carried({"inpaint_studio": json.dumps(record)})) is None
    assert understood(Carried({"inpaint_studio": '{"schema":1,"params":{},"note":1e999}'})) is None


def test_a_prompt_about_escapes_is_a_prompt():
    record = {"schema": 1, "params": {"prompt": "\\u0000 \\\\u0000"}}

    assert understood(Carried({"inpaint_studio": json.dumps(record)})).params == record["params"]


def test_numbers_that_json_does_not_have_are_none():
    assert json_object('{"is_changed": [NaN, -Infinity]}') == {"is_changed": [None, None]}


def test_an_entity_bomb_in_xmp_is_not_expanded():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'

    assert record_in(f'{bomb}<x xmlns:s="{NAMESPACE}"><s:record>&b;</s:record></x>') is None


def test_a_graph_that_bites_its_tail_is_left_in_time():
    node = {
        "class_type": "KSampler",
        "inputs": {
            "steps": ["1", 0],
            "sampler_name": "euler",
            "positive": ["2", 0],
            "model": ["1", 0],
            "latent_image": ["1", 0],
        },
    }
    graph = {"1": node, "2": {"class_type": "Any", "inputs": {"conditioning": ["2", 0], "positive": ["1", 0]}}}

    assert understood(Carried({"prompt": json.dumps(graph)})).params == {"scheduler": "euler"}


def test_a_huge_graph_is_read_in_time():
    links = {
        str(n): {"class_type": "X", "inputs": {"text": [str(n + 1), 0], "model": [str(n + 1), 0]}} for n in range(4000)
    }
    links["0"] = made.COMFYUI["3"] | {"inputs": made.COMFYUI["3"]["inputs"] | {"positive": ["1", 0], "model": ["1", 0]}}

    started = time.process_time()
    is_harmless(understood(Carried({"prompt": json.dumps(links)})))

    assert time.process_time() - started < 2


@pytest.mark.parametrize("length", [0, 7, 2**20, 2**32 - 1])
def test_hidden_info_that_lies_about_its_length_does_no_harm(length):
    image = made.picture("RGBA", 64, 64).copy()
    pixels = image.load()
    bits = "".join(f"{byte:08b}" for byte in b"stealth_pngcomp" + length.to_bytes(4, "big"))
    for index, bit in enumerate(bits):
        pixels[index // 64, index % 64] = (*pixels[index // 64, index % 64][:3], 254 | int(bit))

    is_harmless(understood(novelai.hidden_in(image)))


def test_hidden_info_is_no_bomb(monkeypatch):
    monkeypatch.setattr(novelai, "MAX_TEXT", 500)

    carried = novelai.hidden_in(carriers.open_picture(made.stealth("a" * 100_000, mode="RGB", compressed=True)))

    assert len(carried.texts["parameters"]) == 500


def test_a_picture_too_large_to_decode_is_not_decoded(monkeypatch):
    data = made.stealth(made.A1111, mode="RGBA", compressed=False)
    monkeypatch.setattr(carriers, "MAX_PIXELS", 96 * 96 - 1)

    assert read(data) is None


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "1"])
def test_pictures_in_other_modes_hide_nothing(mode):
    image = a_picture(mode="I;16") if mode == "I;16" else a_picture().convert(mode)

    assert novelai.hidden_in(image) is None
