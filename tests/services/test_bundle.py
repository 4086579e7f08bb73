"""Bundles: from one installation to another, and nothing that was tampered with."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from PIL import Image

from core.domain.errors import InvalidMove
from core.domain.generation import Relation
from core.domain.reproduction import Verdict
from core.services.bundle import InvalidBundle
from core.settings import Settings
from tests.conftest import a_request, make_studio


@pytest.fixture
def elsewhere(tmp_path, inpainter, clock):
    return make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)


@pytest.fixture
def made(studio, dispatcher) -> list[str]:
    ids = studio.generations.submit(a_request(prompt="a “cat”"), count=2)
    dispatcher.drain()
    ids.append(studio.generations.rerun(ids[0]))
    dispatcher.drain()
    studio.gallery.tag([ids[0]], ["animals"])
    studio.gallery.rate([ids[0]], 4)
    return ids


def exported(studio, ids) -> io.BytesIO:
    file = io.BytesIO()
    studio.bundles.export(ids, file)
    file.seek(0)
    return file


def changed(file: io.BytesIO, name: str, data: bytes | None) -> io.BytesIO:
    """The zip with one file replaced, or without it."""
    result = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(result, "w") as new:
        for item in old.namelist():
            if item != name:
                new.writestr(item, old.read(item))
        if data is not None:
            new.writestr(name, data)
    result.seek(0)
    return result


def index_of(file: io.BytesIO) -> dict:
    with zipfile.ZipFile(file) as bundle:
        return json.loads(bundle.read("bundle.json"))


def test_a_bundle_is_read_elsewhere_with_its_whole_record_and_verified_there(studio, elsewhere, made):
    result = elsewhere.bundles.import_(exported(studio, made))

    assert set(result.ids) == set(made)
    for id in made:
        here, there = studio.gallery.get(id), elsewhere.gallery.get(id)
        assert there.relation is Relation.IMPORT
        for name in ("params", "source", "mask", "output", "pixels_sha256", "environment", "record", "created_at",
                     "tags", "rating", "parent_id", "width", "height", "device", "dtype", "runtime_s"):  # fmt: skip
            assert getattr(there, name) == getattr(here, name), name
        assert elsewhere.gallery.image(there.output).tobytes() == studio.gallery.image(here.output).tobytes()
        assert elsewhere.gallery.file(there.thumbnail)
    [verification] = elsewhere.reproductions.verify([made[0]])
    elsewhere.worker.run(verification)
    assert elsewhere.reproductions.get(verification).reproduction.verdict is Verdict.EXACT


def test_reading_a_bundle_twice_adds_nothing(studio, elsewhere, made):
    elsewhere.bundles.import_(exported(studio, made))

    again = elsewhere.bundles.import_(exported(studio, made))

    assert (again.ids, set(again.known)) == ((), set(made))
    assert elsewhere.gallery.count() == 3


def test_an_id_that_means_another_picture_here_gets_a_new_one(studio, elsewhere, made):
    file = exported(studio, [made[1]])
    index = index_of(file)
    index["generations"][0]["id"] = made[0]
    elsewhere.bundles.import_(exported(studio, [made[0]]))

    result = elsewhere.bundles.import_(changed(file, "bundle.json", json.dumps(index).encode()))

    assert result.ids != (made[0],)
    assert elsewhere.gallery.get(result.ids[0]).pixels_sha256 == studio.gallery.get(made[1]).pixels_sha256


def test_a_parent_that_did_not_come_along_is_not_missed(studio, elsewhere, made):
    elsewhere.bundles.import_(exported(studio, [made[2]]))

    assert elsewhere.gallery.get(made[2]).parent_id is None


def test_what_has_no_result_is_not_exported(studio):
    [id] = studio.generations.submit(a_request())

    with pytest.raises(InvalidMove):
        exported(studio, [id])


def test_nothing_of_the_session_or_the_machine_goes_along(studio, made, settings):
    text = json.dumps(index_of(exported(studio, made)))

    assert "session" not in text
    assert str(settings.data) not in text


def a_png(size=(96, 64)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "PNG")
    return file.getvalue()


def tampered(file: io.BytesIO, how: str) -> io.BytesIO:
    index = index_of(file)
    entry = index["generations"][0]
    name = f"images/{entry['output'].removeprefix('sha256:')}.png"
    if how in ("another picture", "no picture", "not a picture"):
        data = {"another picture": a_png(), "no picture": None, "not a picture": b"x" * 50}[how]
        return changed(file, name, data)
    if how == "no zip":
        return io.BytesIO(b"PK\x03\x04 not really")
    if how == "cut off":
        return io.BytesIO(file.getvalue()[: len(file.getvalue()) // 2])
    if how == "no index":
        return changed(file, "bundle.json", None)
    if how == "index is a list":
        return changed(file, "bundle.json", b"[]")
    if how == "nested index":
        return changed(file, "bundle.json", b"[" * 100_000)
    entry.update(
        {
            "a path as a key": {"output": "sha256:../../evil", "pixels_sha256": "sha256:../../evil"},
            "another hash": {"pixels_sha256": "sha256:" + "0" * 64},
            "a wrong seed": {"params": {**entry["params"], "seed": -1}},
            "a hostile id": {"id": "../../x"},
            "another size": {"width": 10},
            "a rating of 9": {"rating": 9},
            "no time": {"created_at": None},
            "a time without zone": {"created_at": "2026-01-01T00:00:00"},
        }.get(how, {})
    )
    if how == "a newer schema":
        index["schema"] = 99
    if how == "twice the same":
        index["generations"].append(entry)
    return changed(file, "bundle.json", json.dumps(index).encode())


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    ["another picture", "no picture", "not a picture", "no zip", "cut off", "no index", "index is a list",
     "nested index", "a path as a key", "another hash", "a wrong seed", "a hostile id", "another size",
     "a rating of 9", "no time",
     "a time without zone", "a newer schema", "twice the same"],
)  # fmt: skip
def test_what_was_tampered_with_is_refused_and_leaves_no_row(studio, elsewhere, made, how):
    file = tampered(exported(studio, made), how)

    with pytest.raises(Exception) as raised:  # noqa: PT011 - each has its own sentence; none may be a traceback
        elsewhere.bundles.import_(file)

    assert isinstance(raised.value, InvalidBundle) or raised.value.code == "InvalidParams"
    assert elsewhere.gallery.count() == 0


def test_a_bomb_is_not_unpacked(studio, elsewhere, made, monkeypatch):
    monkeypatch.setattr("core.services.bundle.MAX_IMAGE_BYTES", 1_000_000)
    file = exported(studio, made)
    name = f"images/{index_of(file)['generations'][0]['output'].removeprefix('sha256:')}.png"
    bomb = io.BytesIO()
    with zipfile.ZipFile(changed(file, name, None)) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.namelist():
            new.writestr(item, old.read(item))
        new.writestr(name, b"\0" * 50_000_000)
    bomb.seek(0)

    with pytest.raises(InvalidBundle):
        elsewhere.bundles.import_(bomb)
