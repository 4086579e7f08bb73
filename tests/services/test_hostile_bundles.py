"""Bundles of strangers, damaged or made to hurt: one sentence, and nothing of them in the gallery."""

from __future__ import annotations

import io
import json
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.errors import InvalidInput, StudioError
from core.domain.sheet import Axis, Sheet
from core.settings import Settings
from tests.conftest import Clock, a_request, make_studio
from tests.fakes import FakeInpainter

ONE_STUDIO = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> bytes:
    studio = make_studio(Settings(data=tmp_path_factory.mktemp("made")), FakeInpainter(), Clock())
    made = studio.sheets.submit(a_request(), Sheet(Axis("seed", (1, 2))))
    studio.dispatcher.drain()
    ids = [generation.id for generation in made.generations]
    studio.gallery.tag(ids, ["a tag"])
    file = io.BytesIO()
    studio.bundles.export(ids, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return make_studio(Settings(data=tmp_path_factory.mktemp("elsewhere")), FakeInpainter(), Clock())


def taken(studio, data: bytes) -> bool:
    """Whether it was taken; if not, it was told in words and left no row. Any other error goes through."""
    before = int(studio.gallery.count())
    try:
        done = studio.bundles.import_(io.BytesIO(data))
    except StudioError as error:
        assert str(error).count("\n") == 0
        assert int(studio.gallery.count()) == before
        return False
    for id in (*done.ids, *done.known):
        generation = studio.gallery.get(id)
        assert studio.gallery.image(generation.output)
        assert studio.exports.file(generation)
        assert studio.drafts.from_generation(generation).source == generation.source
        for made in studio.sheets.of(id):
            assert studio.sheets.picture(made)
    studio.gallery.trash(done.ids)
    studio.gallery.empty_trash(all=True)
    return True


@ONE_STUDIO
@given(data=st.data())
def test_bytes_that_were_changed_are_reported_with_a_message(bundle, elsewhere, data):
    spoiled = bytearray(bundle)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bundle) - 1))
        spoiled[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(bundle), len(bundle) - 1, len(bundle) // 2, 4]))

    taken(elsewhere, bytes(spoiled[:end]))


DEEP = json.loads("[" * 400 + "]" * 400)
HOSTILE = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    -(10**30),
    2**63,
    1e308,
    "",
    "x" * 500,
    "x" * 100_000,
    "\ud800",
    "nul\x00",
    "🐈" * 300,
    "../../etc/passwd",
    "sha256:" + "0" * 64,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "inf",
    "NaN",
    [],
    [[]],
    {},
    {"": {}},
    DEEP,
    ["x"] * 1000,
    {"a": {"a": {"a": "\udfff"}}},
]


def places(value, path=()):
    """Every path into nested JSON values."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for nth in range(len(value)):
            yield from places(value[nth], (*path, nth))


def with_index(bundle: bytes, text: str) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name == "bundle.json" else old.read(name))
    return result.getvalue()


def index_of(bundle: bytes):
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        return json.loads(file.read("bundle.json"))


@ONE_STUDIO
@given(data=st.data())
def test_values_that_do_not_belong_there_are_reported_with_a_message_or_taken(bundle, elsewhere, data):
    index = index_of(bundle)
    path = data.draw(st.sampled_from(list(places(index))[1:]))
    parent = index
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = data.draw(st.sampled_from(HOSTILE))

    taken(elsewhere, with_index(bundle, json.dumps(index)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "\ufeff{}",
        "[" * 100_000,
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        '{"schema": 1e999, "generations": []}',
        '{"schema": NaN, "generations": []}',
        '{"schema": ' + "9" * 5_000 + ', "generations": []}',
        '{"schema": "1", "generations": []}',
        '{"schema": 1, "generations": {}}',
        '{"schema": 1, "generations": [], "sheets": [null]}',
    ],
    ids=lambda text: text[:30],
)
def test_an_index_that_is_none_is_reported_with_a_message(bundle, elsewhere, text):
    try:
        done = elsewhere.bundles.import_(io.BytesIO(with_index(bundle, text)))
    except InvalidInput as error:
        assert str(error)
    else:
        assert done.ids == ()


def a_member(name: str, data: bytes, how: str) -> bytes:
    """The one file of a zip, whose bytes were changed after it was made."""
    method = {"lzma": zipfile.ZIP_LZMA, "bzip2": zipfile.ZIP_BZIP2}.get(how, zipfile.ZIP_DEFLATED)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr(name, data * 50)
    whole = bytearray(file.getvalue())
    start = 30 + len(name)
    if how in ("bad data", "lzma", "bzip2"):
        whole[start + 4 : start + 24] = b"\xff" * 20
    flags = whole.rindex(b"PK\x01\x02") + 8
    if how == "encrypted":
        whole[flags] |= 1
        whole[6] |= 1
    if how == "unknown method":
        whole[flags + 2] = whole[8] = 97
    if how == "patched":
        whole[flags] |= 0x20
        whole[6] |= 0x20
    if how == "outside":
        whole[flags + 34 : flags + 38] = b"\xf0\xff\xff\x7f"
    return bytes(whole)


@pytest.mark.parametrize("how", ["bad data", "lzma", "bzip2", "encrypted", "unknown method", "patched", "outside"])
def test_tricks_of_zip_files_are_reported_with_a_message(elsewhere, how):
    data = a_member("bundle.json", b'{"schema": 1, "generations": []}' + bytes(range(256)), how)

    with pytest.raises(InvalidInput, match="not a bundle of Inpaint Studio"):
        elsewhere.bundles.import_(io.BytesIO(data))


def test_a_picture_with_broken_zlib_data_is_reported_with_a_message(bundle, elsewhere):
    name = next(name for name in zipfile.ZipFile(io.BytesIO(bundle)).namelist() if name != "bundle.json")
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(result, "w") as new:
        for item in old.namelist():
            png = bytearray(old.read(item))
            if item == name:
                at = png.index(b"IDAT")
                size = int.from_bytes(png[at - 4 : at], "big")
                png[at + 10 : at + 4 + size] = b"\xff" * (size - 6)
                png[at + 4 + size : at + 8 + size] = zlib.crc32(png[at : at + 4 + size]).to_bytes(4, "big")
            new.writestr(item, bytes(png))

    assert not taken(elsewhere, result.getvalue())
