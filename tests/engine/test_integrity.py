"""A model is whole or refused: no file of its folder can be missing or damaged and another picture come of it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from core.domain.errors import ModelUnavailable, StudioError
from core.engine.models.catalogue import ROOT, Catalogue
from tests.engine.tiny import a_working_request, save_pipeline, save_xl_pipeline
from tests.engine.tiny_kandinsky import save_prior
from tests.engine.tiny_transformers import save

QUICK = ("pocket", "split", "Z-Image")
SLOW = ("sd", "xl", "FLUX.1", "Stable Diffusion 3", "Qwen-Image", "prior")
KINDS = (*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW))


@functools.cache
def _made(kind: str, folder: Path) -> Path:
    if kind == "pocket":
        return ROOT / "assets" / "models" / "pocket-inpaint"
    if kind == "sd":
        return save_pipeline(folder, safety_checker=True)
    if kind == "split":
        return save_pipeline(folder, max_shard_size="100KB")
    if kind == "xl":
        return save_xl_pipeline(folder)
    return save_prior(folder) if kind == "prior" else save(kind, folder)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Callable[[str], Path]:
    base = tmp_path_factory.mktemp("whole")
    return lambda kind: _made(kind, base / kind)


@functools.cache
def _painted_by_the_whole(folder: Path) -> bytes:
    return _painted(folder)


@pytest.fixture
def copy(whole, tmp_path) -> Callable[[str], Path]:
    """A copy of a model of this kind; its large files are shared, so they must be replaced and not written to."""

    def make(kind: str) -> Path:
        return shutil.copytree(whole(kind), tmp_path / "model", copy_function=os.link)

    return make


def _painted(folder: Path) -> bytes:
    from core.engine.diffusers_inpainter import load
    from core.settings import Settings

    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    inpainter = load(str(folder), "cpu", Catalogue(settings), settings)
    return inpainter.inpaint(a_working_request(num_inference_steps=2), lambda report: None).image.tobytes()


def _missing(file: Path) -> None:
    file.unlink()


def _replaced(content: bytes) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        file.unlink()
        file.write_bytes(content)

    return replace


def _cut(file: Path) -> None:
    _replaced(file.read_bytes()[: file.stat().st_size // 2])(file)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "gone")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": _missing,
    "empty": _replaced(b""),
    "cut off": _cut,
    "a pointer": _replaced(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"),
    "a web page": _replaced(b"<!DOCTYPE html><html><body>404</body></html>"),
    "a list": _replaced(b"[]"),
    "an empty object": _replaced(b"{}"),
    "a number": _replaced(b"7"),
    "null": _replaced(b"null"),
    "deep": _replaced(b"[" * 100_000),
    "not text": _replaced(b"\xff\xfe\x00\x01" * 8),
    "a folder": _folder,
    "a dangling link": _dangling,
    "a fifo": _fifo,
}


def _files(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_file_of_a_model_is_whole_or_the_model_is_refused_or_it_is_not_needed(
    kind, damage, whole, tmp_path, settings
):
    catalogue, not_noticed = Catalogue(settings), []
    for name in _files(whole(kind)):
        folder = shutil.copytree(whole(kind), tmp_path / name.replace("/", "_"), copy_function=os.link)
        DAMAGES[damage](folder / name)
        try:
            catalogue.locate(str(folder))
        except StudioError as error:
            assert str(error).endswith(".")
        else:
            not_noticed.append(folder)

    for folder in not_noticed:
        try:
            now = _painted(folder)
        except StudioError:
            continue
        assert now == _painted_by_the_whole(whole(kind)), folder.name


def test_a_model_is_looked_at_again_when_a_file_changes(copy, settings):
    folder, catalogue = copy("sd"), Catalogue(settings)
    file = folder / "tokenizer" / "tokenizer.json"
    text = file.read_bytes()
    assert catalogue.is_ready(str(folder))

    _replaced(b"{}")(file)
    assert not catalogue.is_ready(str(folder))

    _replaced(text)(file)
    assert catalogue.is_ready(str(folder))


# Vocabularies in their other forms ----------------------------------------------------------------------------


def _with_two_files(folder: Path, words: Mapping[str, int], merges: str) -> Path:
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(words), "utf-8")
    (folder / "tokenizer" / "merges.txt").write_text(merges, "utf-8")
    return folder


def _words_and_merges(count: int = 200) -> tuple[dict[str, int], list[str]]:
    """A byte-pair vocabulary as CLIP's: letters, what is made of two of them, and two words in angle brackets."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    pairs = [f"{letters[n % 100]} {letters[n // 100]}</w>" for n in range(count)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(pair.replace(" ", "") for pair in pairs)]
    return {word: n for n, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}, pairs


def test_a_vocabulary_in_two_files_is_whole_if_they_belong_together(copy, settings):
    words, merges = _words_and_merges()
    folder = _with_two_files(copy("sd"), words, "\n".join(["#version: 0.2", *merges, ""]))

    assert Catalogue(settings).locate(str(folder)) == folder


@pytest.mark.parametrize(
    "spoil",
    [
        lambda merges: merges[:100],
        lambda merges: [],
        lambda merges: [*merges[:-1], merges[-1].split(" ")[0]],
        lambda merges: [f"q{merge}" for merge in merges],
    ],
)
def test_merges_that_are_cut_off_or_of_another_vocabulary_are_refused(copy, settings, spoil):
    words, merges = _words_and_merges()
    folder = _with_two_files(copy("sd"), words, "\n".join(["#version: 0.2", *spoil(merges), ""]))

    with pytest.raises(ModelUnavailable, match="merges"):
        Catalogue(settings).locate(str(folder))


def _protobuf(*fields: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([number << 3 | 2, len(value)]) + value for number, value in fields)


@pytest.mark.slow
def test_a_sentencepiece_model_must_have_its_end(copy, settings):
    folder = copy("FLUX.1")
    (folder / "tokenizer_2" / "tokenizer.json").unlink()
    file = folder / "tokenizer_2" / "spiece.model"
    whole = _protobuf(*((1, b"\n\x03abc"),) * 20, (2, b"\x18\x01"), (3, b"\n\x04nmt"))
    file.write_bytes(whole)
    assert Catalogue(settings).is_ready(str(folder))

    for end in range(len(whole)):
        file.write_bytes(whole[:end])

        assert not Catalogue(settings).is_ready(str(folder)), end


# Weights ------------------------------------------------------------------------------------------------------


def _safetensors(header: object, size: int) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(size)


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "weights",
    [
        _safetensors({}, 0),
        _safetensors({"__metadata__": {"format": "pt"}}, 0),
        _safetensors([], 0),
        _safetensors({"a": ONE}, 7),
        _safetensors({"a": ONE}, 9),
        _safetensors({"a": {**ONE, "dtype": "F1"}}, 8),
        _safetensors({"a": {**ONE, "shape": [3]}}, 8),
        _safetensors({"a": {**ONE, "shape": [-2]}}, 8),
        _safetensors({"a": {**ONE, "shape": 2}}, 8),
        _safetensors({"a": {**ONE, "data_offsets": [8, 16]}}, 16),
        _safetensors({"a": {**ONE, "data_offsets": ["0", 8]}}, 8),
        _safetensors({"a": ONE, "b": ONE}, 8),
        _safetensors({"a": 7}, 8),
        _safetensors(b"[" * 100_000, 0),
        (2**63).to_bytes(8, "little") + b"{}",
        b"{}",
        b"PK\x03\x04" * 20,
    ],
)
def test_weights_whose_header_does_not_describe_them_are_refused(copy, settings, weights):
    folder = copy("sd")
    _replaced(weights)(folder / "unet" / "diffusion_pytorch_model.safetensors")

    with pytest.raises(ModelUnavailable, match="unet"):
        Catalogue(settings).locate(str(folder))


@pytest.mark.slow_but_first
@pytest.mark.parametrize("component", ["text_encoder", "unet", "vae", "safety_checker"])
def test_a_model_with_one_tensor_less_is_refused_and_nothing_is_filled_in_by_chance(copy, component):
    from safetensors.torch import load_file, save_file

    folder = copy("sd")
    file = next((folder / component).glob("*.safetensors"))
    values = load_file(file)
    lost = next(name for name in values if name.endswith("weight"))
    file.unlink()
    save_file({name: value for name, value in values.items() if name != lost}, file, {"format": "pt"})

    with pytest.raises(ModelUnavailable, match=component):
        _painted(folder)


def test_a_part_that_does_not_hold_what_its_index_says_is_refused(copy, settings):
    folder = copy("split")
    first, second = sorted((folder / "unet").glob("*-of-*.safetensors"))[:2]
    _replaced(second.read_bytes())(first)

    with pytest.raises(ModelUnavailable, match=r"index\.json"):
        Catalogue(settings).locate(str(folder))


def test_a_scheduler_of_a_class_that_nobody_knows_is_refused_before_painting(copy):
    folder = copy("sd")
    _replaced(b'{"_class_name": "WonderScheduler"}')(folder / "scheduler" / "scheduler_config.json")

    with pytest.raises(ModelUnavailable, match="WonderScheduler"):
        _painted(folder)


def test_a_tokenizer_of_another_model_is_refused_before_painting(copy):
    folder = copy("sd")
    file = folder / "tokenizer" / "tokenizer.json"
    content = json.loads(file.read_text("utf-8"))
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = {word: n for word, n in vocabulary.items() if n < 100 or word.startswith("<|")}
    _replaced(json.dumps(content).encode())(file)

    with pytest.raises(ModelUnavailable, match="tokenizer"):
        _painted(folder)


# The hub's cache ----------------------------------------------------------------------------------------------


def test_in_the_hubs_cache_a_text_that_is_not_the_hubs_is_noticed(whole, settings, tmp_path):
    """Also what looks right by itself, such as settings with another number in them."""
    repository = tmp_path / "cache" / "models--somebody--tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    (repository / "blobs").mkdir(parents=True)
    for name in _files(whole("sd")):
        data = (whole("sd") / name).read_bytes()
        blob = repository / "blobs" / hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        blob.write_bytes(data)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)
    catalogue = Catalogue(settings, cache=tmp_path / "cache")
    key = f"somebody/tiny@{'0' * 40}"
    assert catalogue.is_ready(key)

    config = snapshot / "scheduler" / "scheduler_config.json"
    config.resolve().write_text(config.read_text("utf-8").replace("0.012", "0.013"), "utf-8")

    assert not catalogue.is_ready(key)
    with pytest.raises(ModelUnavailable, match=r"scheduler_config\.json.*Download it again"):
        catalogue.locate(key)


# Words ---------------------------------------------------------------------------------------------------------


def test_a_file_of_words_that_is_damaged_hides_no_other_model(copy, settings):
    root = copy("pocket").parents[0]
    from core.domain.model import ModelSpec

    spec = ModelSpec(key="small", title="Small", description="", native_px=64, folder="model")
    _replaced(b'{"recommended": 7}')(root / "model" / "vocabulary.json")
    catalogue = Catalogue(settings, models=[spec], root=root)

    assert [each.key for each in catalogue.listed()] == ["small"]
    assert not catalogue.is_ready("small")
    with pytest.raises(ModelUnavailable, match=r"vocabulary\.json"):
        catalogue.vocabulary("small")


@pytest.mark.parametrize(
    "words",
    [
        {"objects": 7},
        {"objects": {"cat": 7}},
        {"objects": {"cat": {"synonyms": 7}}},
        {"objects": {"cat": {"synonyms": [], "plural": ["cats"]}}},
        {"objects": {"cat": ["\ud800"]}},
        {"objects": {}, "colours": "red"},
        {"background_words": [7]},
        {"recommended": 7},
        {"recommended": {"size": "large"}},
        {"recommended": {"size": 10**9}},
        {"recommended": {"scheduler": ["ddim"]}},
    ],
)
def test_words_of_a_wrong_kind_are_called_damaged(copy, settings, words):
    folder = copy("pocket")
    _replaced(json.dumps(words).encode())(folder / "vocabulary.json")

    with pytest.raises(ModelUnavailable, match=r"vocabulary\.json"):
        Catalogue(settings).vocabulary(str(folder))
    with pytest.raises(ModelUnavailable, match=r"vocabulary\.json"):
        Catalogue(settings).locate(str(folder))
