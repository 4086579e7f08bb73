"""ONNX files: told by what they take and return, and nothing of a hostile one is believed, opened or run."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from core.domain.errors import DamagedModel, ModelUnavailable, StudioError
from core.domain.model_file import FileKind
from core.engine.models import kinds, onnx_header
from core.engine.models.header import Damaged
from core.engine.models.onnx_header import Value
from core.engine.onnx_network import OnnxNetwork
from tests import onnx_files as make
from tests.onnx_files import FLOAT, UINT8, field, node, value, varint_field, write


def given(path: Path, inputs: list, outputs: list) -> Path:
    """A file that takes and returns this: names, types and sides."""
    return write(path, [node("Identity", ["a"], ["b"])], [value(*one) for one in inputs], [value(*outputs[0])], {})


PICTURE = ("out", FLOAT, (1, 3, 512, 512))


@pytest.mark.parametrize(
    ("inputs", "outputs", "kind"),
    [
        ([("a", FLOAT, (1, 3, 512, 512)), ("b", FLOAT, (1, 1, 512, 512))], [PICTURE], "LaMa"),
        ([("b", FLOAT, ("n", 1, "h", "w")), ("a", FLOAT, ("n", 3, "h", "w"))], [("out", FLOAT, ())], "LaMa"),
        ([("a", UINT8, ("n", 3, "h", "w")), ("b", UINT8, ("n", 1, "h", "w"))], [PICTURE], "MI-GAN pipeline"),
        ([("a", FLOAT, (1, 4, 256, 256))], [("out", FLOAT, (1, 3, 256, 256))], "MI-GAN"),
        ([("a", FLOAT, (1, 3, "h", "w"))], [("out", FLOAT, (1, 3, "H", "W"))], FileKind.UPSCALER),
        ([("a", FLOAT, (1, 3, 64, 64))], [("out", FLOAT, (1, 3, 256, 256))], FileKind.UPSCALER),
        ([("a", FLOAT, (1, 3, 64, 64))], [("out", FLOAT, (1, 3, 64, 64))], FileKind.ONNX),
        ([("a", FLOAT, (1, 3, 64, 64))], [("out", FLOAT, (1, 1000))], FileKind.ONNX),
        ([("a", FLOAT, (1, 1, 64, 64))], [("out", FLOAT, (1, 1, 128, 128))], FileKind.ONNX),
        ([("a", FLOAT, (1, 3, 512, 512)), ("b", UINT8, (1, 1, 512, 512))], [PICTURE], FileKind.ONNX),
        ([("a", FLOAT, (1, 3, 512, 384)), ("b", FLOAT, (1, 1, 512, 384))], [PICTURE], FileKind.ONNX),
        ([("a", FLOAT, (1, 3, 9999, 9999)), ("b", FLOAT, (1, 1, 9999, 9999))], [PICTURE], FileKind.ONNX),
        ([("a", FLOAT, (1, 3, 8, 8)), ("b", FLOAT, (1, 1, 8, 8)), ("c", FLOAT, (1, 9))], [PICTURE], FileKind.ONNX),
        ([("a", FLOAT, (8, 4, 256, 256))], [("out", FLOAT, (8, 3, 256, 256))], FileKind.ONNX),
    ],
)
def test_a_file_is_told_by_what_it_takes_and_returns(tmp_path, inputs, outputs, kind):
    told = kinds.of(given(tmp_path / "file.onnx", inputs, outputs))

    assert kind in (told.kind, told.variant)
    assert (told.variant is None) == (told.kind is not FileKind.REMOVER)


def test_the_name_of_a_file_does_not_count(tmp_path):
    assert kinds.of(make.classifier(tmp_path / "lama.onnx")).kind is FileKind.ONNX
    assert kinds.of(make.lama(tmp_path / "4x_classifier.onnx")).variant == "LaMa"


def test_inputs_that_the_file_gives_values_for_are_none(tmp_path):
    path = make.upscaler(tmp_path / "old.onnx")
    head = path.read_bytes()
    as_input = field(7, field(11, value("weights", FLOAT, (12, 3, 1, 1))))
    path.write_bytes(head + as_input)

    assert [one.name for one in onnx_header.read(path).inputs] == ["input"]
    assert kinds.of(path).kind is FileKind.UPSCALER


def test_what_is_taken_and_returned_is_read_in_full(tmp_path):
    network = onnx_header.read(make.migan_pipeline(tmp_path / "a.onnx"))

    assert network.inputs == (
        Value("image", "uint8", (None, 3, None, None)),
        Value("mask", "uint8", (None, 1, None, None)),
    )
    assert network.outputs == (Value("result", "uint8", (None, 3, None, None)),)
    assert network.size == (tmp_path / "a.onnx").stat().st_size


def test_a_file_that_names_another_one_is_refused_before_that_is_opened(tmp_path):
    other = tmp_path / "secret"
    path = make.with_external_data(tmp_path / "part.onnx", str(other))

    with pytest.raises(DamagedModel, match="in another file, which is never opened"):
        kinds.of(path)
    with pytest.raises(DamagedModel, match="in another file, which is never opened"):
        OnnxNetwork(path)


def in_attribute(tensor: bytes) -> bytes:
    """A node that holds a tensor, as constants do."""
    return node("Constant", [], ["c"]) + field(5, field(1, b"value") + field(5, tensor))


EXTERNAL = field(8, b"w") + field(13, field(1, b"location") + field(2, b"../../etc/hostname")) + varint_field(14, 1)


@pytest.mark.parametrize(
    "part",
    [
        field(1, in_attribute(EXTERNAL)),
        field(1, node("If", ["c"], ["b"]) + field(5, field(1, b"then_branch") + field(6, field(5, EXTERNAL)))),
        field(1, node("If", ["c"], ["b"]) + field(5, field(11, field(1, in_attribute(EXTERNAL))))),
        field(15, field(1, EXTERNAL)),
        field(5, field(8, b"w") + varint_field(14, 1)),
        b"",
    ],
    ids=["constant", "branch", "constant of a branch", "sparse", "said only", "another graph before it"],
)
def test_wherever_another_file_is_named_it_is_found(tmp_path, part):
    path = write(tmp_path / "a.onnx", [node("Identity", ["a"], ["b"])], [], [], {}, further=[part])
    if not part:
        path.write_bytes(field(7, field(5, EXTERNAL)) + path.read_bytes())

    with pytest.raises(Damaged, match="another file"):
        onnx_header.read(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not an ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "damaged"),
        (b"<!doctype html><html></html>", "damaged"),
        (varint_field(1, 8), "not an ONNX file"),
        (b"\x3a\xff\xff\xff\xff\x0f", "cut off"),
        (b"\xff" * 40, "damaged"),
        (varint_field(7, 5), "damaged"),
    ],
)
def test_what_is_no_onnx_file_is_refused(tmp_path, content, told):
    (tmp_path / "a.onnx").write_bytes(content)

    with pytest.raises(DamagedModel, match=told):
        kinds.of(tmp_path / "a.onnx")


def test_graphs_inside_of_graphs_and_endless_parts_end_in_words(tmp_path, monkeypatch):
    graph = b""
    for _ in range(40):
        graph = field(1, field(5, field(6, graph)))
    (tmp_path / "deep.onnx").write_bytes(field(7, graph))
    monkeypatch.setattr(onnx_header, "MAX_FIELDS", 100)
    (tmp_path / "many.onnx").write_bytes(field(7, varint_field(3, 0) * 200))

    for name, told in {"deep.onnx": "nested too deeply", "many.onnx": "more parts than any network"}.items():
        with pytest.raises(DamagedModel, match=told):
            kinds.of(tmp_path / name)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path, monkeypatch):
    path = make.lama(tmp_path / "a.onnx")
    monkeypatch.setattr(onnx_header, "MAX_BYTES", path.stat().st_size - 1)

    for ask in (kinds.of, OnnxNetwork):
        with pytest.raises(DamagedModel, match="is larger than"):
            ask(path)


def test_what_opencv_cannot_load_or_run_is_told_in_words_and_not_on_the_terminal(tmp_path, capfd):
    shape = (1, 3, 64, 64)
    unknown = write(
        tmp_path / "odd.onnx",
        [node("NoSuchLayer", ["a"], ["b"])],
        [value("a", FLOAT, shape)],
        [value("b", FLOAT, shape)],
        {},
    )

    with pytest.raises(ModelUnavailable, match="odd.onnx cannot be (loaded|run) by OpenCV"):
        OnnxNetwork(unknown).run({"a": np.zeros(shape, np.float32)}, threads=1)

    assert capfd.readouterr().err == ""


def test_no_damage_whatever_ends_in_anything_but_a_sentence(tmp_path):
    """Bits flipped and files cut by chance; the seed is fixed, so that a failure can be seen again."""
    chance, whole, refused = random.Random(5), make.lama(tmp_path / "a.onnx").read_bytes(), 0
    for number in range(300):
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(spoilt[: chance.randint(1, len(spoilt))] if number % 2 else spoilt)
        try:
            kinds.of(path)
        except StudioError:
            refused += 1

    assert refused > 100
