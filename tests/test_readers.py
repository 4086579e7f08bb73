"""Every reader of what strangers send gives a value, or says in words why there is none."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.cli.pictures import extension_of
from core.domain.draft import Draft
from core.domain.errors import InvalidParams, StudioError
from core.domain.files.painted_mask import read_painted
from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Cursor
from core.domain.geometry import Size
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.drawing import Drawing
from core.domain.sheet import WORDS, Axis
from core.engine.models.catalogue import Catalogue, native_size
from core.engine.models.weights import Components, choose
from core.engine.models.words import Words
from core.services.prompts import Prompts
from core.settings import Settings
from pages.ui.inpaint.painter import Painted

NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -1, 2**64, 2**31, True])
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["\ud800", "\x00", "a\x00b", "x" * 5000, "~nosuchuser", "../..", "/", "C:\\", "NaN", "-0", "٣", "[" * 50, ""]
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def objects(*names: str) -> st.SearchStrategy[Any]:
    """JSON, most often with some of these names in it."""
    return st.dictionaries(st.sampled_from(names), JSON, max_size=len(names)) | JSON


def answers(read: Callable[[], object]) -> None:
    with contextlib.suppress(StudioError):
        read()


# The browser --------------------------------------------------------------------------------------------------

PLACE = objects("x", "y", "tolerance", "connected", "subtract")
PNG = st.sampled_from(["", "AAAA", "é", base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()]) | TEXTS


@given(
    objects("stamp", "revision", "png", "place")
    | st.fixed_dictionaries({"stamp": TEXTS, "revision": st.integers(), "png": PNG, "place": PLACE})
)
@example({"stamp": "a", "revision": 1, "png": "AAAA", "place": {}})
@example({"stamp": "a", "revision": 1, "png": "AAAA", "place": []})
def test_a_message_of_the_painter(sent):
    def read() -> None:
        painted = Painted.read(sent)
        assert painted.place is None or isinstance(painted.place.x, int)
        read_painted(painted.png, Size(8, 8))

    answers(read)


SHAPES = ("type", "left", "top", "width", "height", "path", "points", "fill", "stroke", "strokeWidth", "angle", "rx")


@given(objects("objects") | st.fixed_dictionaries({"objects": st.lists(objects(*SHAPES), max_size=3)}))
def test_a_drawing_of_the_simple_canvas(sent):
    answers(lambda: Drawing.from_canvas(sent, Size(32, 32)).mask(Size(16, 16)))
    answers(lambda: Drawing.from_json(json.dumps(sent), Size(32, 32)).mask(Size(16, 16)))


@given(TEXTS | JSON.map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()))
def test_a_place_in_the_gallery(text):
    answers(lambda: Cursor.from_text(text))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    from tests.conftest import Clock, make_studio

    folder = tmp_path_factory.mktemp("gallery")
    from tests.fakes import FakeInpainter

    return make_studio(Settings(_env_file=None, data=folder), FakeInpainter(), Clock())


@given(query=st.dictionaries(st.sampled_from(GalleryFilter.keys()) | TEXTS, TEXTS | st.lists(TEXTS, max_size=3)))
def test_the_address_of_a_search(shared, query):
    def read() -> None:
        shared.gallery.browse(GalleryFilter.from_query(query))

    answers(read)


@given(id=TEXTS)
def test_an_id_in_the_address(shared, id):
    for read in (
        lambda: shared.gallery.get(id),
        lambda: shared.drafts.get(id) or Draft(),
        lambda: shared.generations.progress(id),
        lambda: shared.generations.cancel(id),
        lambda: shared.sheets.view(id) if hasattr(shared.sheets, "view") else None,
    ):
        answers(read)


# Files --------------------------------------------------------------------------------------------------------


@given(data=st.binary(max_size=60) | objects("kind", "schema", "presets").map(lambda value: json.dumps(value).encode()))
def test_a_file_of_presets(shared, data):
    answers(lambda: shared.presets.import_(data))


VALUES = st.dictionaries(st.sampled_from([*PARAMETERS, "other"]), JSON, max_size=3)


@given(values=st.dictionaries(TEXTS, VALUES, max_size=2))
def test_presets_with_any_values(shared, values):
    file = {"kind": "inpaint-studio-presets", "schema": 1, "presets": values}

    answers(lambda: shared.presets.import_(json.dumps(file).encode()))


@given(name=TEXTS, data=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_file_that_is_imported(shared, name, data):
    shared.imports.import_(io.BytesIO(data), name)


WILDCARD_TEXTS = st.sampled_from(["__a__", "__a/b__", "__*__", "__**__", "{a|__a__}", "__../a__", "__a", "{2$$__a__}"])


@pytest.mark.slow
@settings(max_examples=10)
@given(content=st.binary(max_size=60), text=WILDCARD_TEXTS | TEXTS)
@example(content=b"\xff\xfe\x00", text="__a__")
@example(content=b"__a__", text="__a__")
@example(content=b"", text="__a__")
def test_a_file_of_wildcards(tmp_path_factory, content, text):
    folder = tmp_path_factory.mktemp("wildcards")
    (folder / "a.txt").write_bytes(content)
    prompts = Prompts((folder,), lambda params: None)

    answers(lambda: prompts.expand(InpaintParams(prompt=text)))
    prompts.wildcards()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("gone"), lambda path: None])
def test_something_else_in_the_place_of_a_file_of_wildcards(tmp_path, make):
    make(tmp_path / "a.txt")

    for text in ("__a__", "__*__", "{x|__a__}"):
        answers(lambda text=text: Prompts((tmp_path, tmp_path / "none"), lambda params: None).resolve(text, 1))


# Models -------------------------------------------------------------------------------------------------------


@given(TEXTS | st.text())
def test_the_name_of_a_model(name):
    catalogue = Catalogue(Settings(_env_file=None))

    answers(lambda: catalogue.find(name))
    answers(lambda: catalogue.is_ready(name))
    answers(lambda: catalogue.vocabulary(name))
    with contextlib.suppress(InvalidParams):
        InpaintParams(model=name).model.encode()


ENTRY = st.tuples(st.sampled_from(["diffusers", "transformers"]) | JSON, TEXTS | JSON).map(list)
INDEX = st.fixed_dictionaries(
    {"_class_name": st.sampled_from(["StableDiffusionInpaintPipeline", "FluxPipeline"]) | JSON},
    optional=dict.fromkeys(("unet", "vae", "text_encoder", "tokenizer", "scheduler", "transformer"), ENTRY | JSON),
)


@given(INDEX | JSON, st.lists(TEXTS | st.sampled_from(["unet/model.safetensors", "vae/config.json"]), max_size=4))
def test_what_a_model_says_of_its_parts(tmp_path_factory, index, files):
    folder = tmp_path_factory.mktemp("model")
    (folder / "model_index.json").write_text(json.dumps(index))
    catalogue = Catalogue(Settings(_env_file=None))

    answers(lambda: catalogue.find(str(folder)))
    answers(lambda: catalogue.locate(str(folder)))
    if isinstance(index, dict):
        answers(lambda: choose(files, Components.of(index, safety_checker=True), dtype="float32"))


@given(objects("objects", "colours", "background_words", "recommended"))
def test_the_words_of_a_model(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("model")
    (folder / "vocabulary.json").write_text(json.dumps(content))

    def read() -> None:
        words = Words.of(folder)
        InpaintParams(**words.values)
        if words.vocabulary is not None:
            words.vocabulary.knows("a cat")

    answers(read)


@given(objects("sample_size"), objects("block_out_channels", "decoder_block_out_channels"))
def test_the_size_that_a_model_was_trained_at(tmp_path_factory, denoiser, autoencoder):
    folder = tmp_path_factory.mktemp("model")
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    for part, content in (("unet", denoiser), ("vae", autoencoder)):
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps(content))

    answers(lambda: native_size(folder))


@given(st.binary(max_size=60) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_what_the_hubs_cache_says_of_a_branch(tmp_path_factory, content):
    cache = tmp_path_factory.mktemp("cache")
    ref = cache / "models--somebody--tiny" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    ref.write_bytes(content)
    catalogue = Catalogue(Settings(_env_file=None), cache=cache)

    answers(lambda: catalogue.find("somebody/tiny"))
    assert not catalogue.is_ready("somebody/tiny")


# The command line ---------------------------------------------------------------------------------------------


@given(TEXTS | st.from_regex(r"[\d.]{0,4}:[\d.-]{0,9}|left=\d{0,30}(,top=-?\d{0,3})?"))
def test_an_extension(text):
    answers(lambda: extension_of(text, Size(64, 64)))


AXIS = st.from_regex(r"\d{0,5}-\d{0,9}( ?\([+\[]?\d{0,6}[)\]])?")


@given(st.sampled_from([*PARAMETERS, WORDS]) | TEXTS, TEXTS | AXIS)
def test_the_values_of_a_sheet(name, text):
    answers(lambda: Axis.parse(name, text))


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_what_lies_too_deep_in_itself(shared, tmp_path, deep):
    (tmp_path / "vocabulary.json").write_bytes(deep)
    (tmp_path / "model_index.json").write_bytes(deep)

    answers(lambda: Words.of(tmp_path))
    answers(lambda: Catalogue(Settings(_env_file=None)).locate(str(tmp_path)))
    answers(lambda: shared.presets.import_(deep))
    answers(lambda: Drawing.from_json(deep.decode(), Size(8, 8)))
    answers(lambda: Cursor.from_text(base64.urlsafe_b64encode(deep).decode()))
    shared.imports.import_(io.BytesIO(deep), "deep.json")
