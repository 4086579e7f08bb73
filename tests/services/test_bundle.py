"""Bundles: from one installation to another, and nothing that was tampered with."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from PIL import Image

from core.domain.errors import InvalidInput, InvalidMove, StoredImageDamaged
from core.domain.generation import Origin, Relation, Verdict
from core.domain.pixels.outpaint import CanvasExtension, ExtensionHistory
from core.domain.sheet import Axis, Sheet
from core.services.bundle_index import InvalidBundle
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
        for name in (
            "params",
            "source",
            "mask",
            "output",
            "pixels_sha256",
            "environment",
            "record",
            "created_at",
            "tags",
            "rating",
            "parent_id",
            "width",
            "height",
            "device",
            "dtype",
            "runtime_s",
        ):
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


@pytest.mark.parametrize("limit", ["MAX_GENERATIONS", "MAX_INDEX_BYTES"])
@pytest.mark.slow_but_first
def test_no_bundle_is_written_that_could_not_be_read_again(studio, elsewhere, made, monkeypatch, limit):
    whole = exported(studio, made)
    monkeypatch.setattr(f"core.services.bundle_index.{limit}", 2)

    with pytest.raises(InvalidInput, match="Make several"):
        exported(studio, made)
    with pytest.raises(InvalidInput):
        elsewhere.bundles.import_(whole)
    assert elsewhere.gallery.count() == 0


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
    [
        "another picture",
        "no picture",
        "not a picture",
        "no zip",
        "cut off",
        "no index",
        "index is a list",
        "nested index",
        "a path as a key",
        "another hash",
        "a wrong seed",
        "a hostile id",
        "another size",
        "a rating of 9",
        "no time",
        "a time without zone",
        "a newer schema",
        "twice the same",
    ],
)
def test_what_was_tampered_with_is_refused_and_leaves_no_row(studio, elsewhere, made, how):
    file = tampered(exported(studio, made), how)

    with pytest.raises(Exception) as raised:  # noqa: PT011 - each has its own sentence; none may be a traceback
        elsewhere.bundles.import_(file)

    assert isinstance(raised.value, InvalidBundle) or raised.value.code == "InvalidParams"
    assert elsewhere.gallery.count() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"favourite": "yes"},
        {"runtime_s": "fast"},
        {"runtime_s": 10**400},
        {"load_s": float("inf")},
        {"parent_id": ["a"]},
        {"source_name": {"a": 1}},
        {"dtype": 32},
        {"model_revision": [1]},
        {"device": "x" * 41},
        {"notes": "half \ud800"},
        {"title": "nul\x00"},
        {"tags": ["x" * 301]},
        {"environment": {"torch": 2}},
        {"params": {"schema": "3"}},
        {"record": {"model": None}},
        {"record": {"inpainter": "pocket"}},
        {"record": {"parts": 7}},
        {"record": {"colour": "red"}},
        {"record": {"mask_coverage": "much"}},
        {"record": {"working_size": [64]}},
        {"record": {"crop": [0, 0, 10**6, 10**6]}},
        {"record": {"crop": [9, 9, 1, 1]}},
    ],
)
def test_a_record_that_no_page_could_show_is_refused_and_leaves_no_row(studio, elsewhere, made, values):
    file = exported(studio, made)
    index = index_of(file)
    index["generations"][0] |= values

    with pytest.raises(InvalidInput):
        elsewhere.bundles.import_(changed(file, "bundle.json", json.dumps(index).encode()))

    assert elsewhere.gallery.count() == 0


def test_a_bomb_is_not_unpacked(studio, elsewhere, made, monkeypatch):
    monkeypatch.setattr("core.services.picture_zip.MAX_IMAGE_BYTES", 1_000_000)
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


# Sheets, and extended canvases ---------------------------------------------------------------------------------


@pytest.fixture
def sheet(studio, dispatcher):
    made = studio.sheets.submit(a_request(), Sheet(Axis("seed", (1, 2)), Axis("guidance_scale", (1.0, 5.0))))
    dispatcher.drain()
    return made


def ids_of(made) -> list[list[str | None]]:
    return [[cell.id if cell else None for cell in line] for line in made.cells]


def test_a_generation_takes_its_sheet_along(studio, elsewhere, sheet):
    ids = [generation.id for generation in sheet.generations]

    elsewhere.bundles.import_(exported(studio, ids))

    [there] = elsewhere.sheets.of(ids[3])
    assert there.sheet == sheet.sheet
    assert ids_of(there) == ids_of(sheet)
    assert elsewhere.sheets.picture(there).tobytes() == studio.sheets.picture(studio.sheets.get(sheet.id)).tobytes()


@pytest.mark.slow
def test_a_sheet_that_comes_in_parts_is_put_together_and_stands_there_once(studio, elsewhere, sheet):
    ids = [generation.id for generation in sheet.generations]
    elsewhere.bundles.import_(exported(studio, ids[:1]))
    assert [cell is None for line in elsewhere.sheets.of(ids[0])[0].cells for cell in line] == [False, True, True, True]

    for part in (ids[1:], ids, ids[:1]):
        elsewhere.bundles.import_(exported(studio, part))

    [there] = elsewhere.sheets.of(ids[0])
    assert ids_of(there) == ids_of(sheet)


@pytest.mark.slow
def test_where_an_id_is_taken_the_sheet_holds_the_new_one(studio, elsewhere, sheet):
    bundle = exported(studio, [generation.id for generation in sheet.generations])
    elsewhere.sheets.submit(a_request(prompt="another"), sheet.sheet)
    elsewhere.dispatcher.drain()
    index = index_of(bundle)
    taken = elsewhere.gallery.browse().generations[0].id
    text = json.dumps(index).replace(index["generations"][0]["id"], taken)

    done = elsewhere.bundles.import_(changed(bundle, "bundle.json", text.encode()))

    new = next(id for id in done.ids if id not in text)
    [there] = elsewhere.sheets.of(new)
    assert taken not in {id for line in ids_of(there) for id in line}


def test_how_a_canvas_was_extended_comes_along(studio, elsewhere, dispatcher):
    extended = ExtensionHistory("sha256:" + "0" * 64, (CanvasExtension(left=3),))
    [id] = studio.generations.submit(a_request(), origin=Origin(extended=extended))
    dispatcher.drain()

    elsewhere.bundles.import_(exported(studio, [id]))

    assert elsewhere.gallery.get(id).extended == extended


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: 1,
        lambda s: None,
        lambda s: {},
        lambda s: s | dict(id="../x"),
        lambda s: s | dict(id="x" * 33),
        lambda s: s | dict(created_at="2026-01-01"),
        lambda s: s | dict(ids=[[1, 2], [3, 4]]),
        lambda s: s | dict(ids=[["a"]]),
        lambda s: s | dict(ids=[["a", "b"]] * 500),
        lambda s: s | dict(sheet={}),
        lambda s: s | dict(sheet={"columns": {"name": "size", "values": [64, 128]}, "rows": None}),
        lambda s: s | dict(sheet={"columns": {"name": "seed", "values": ["a", "b"]}, "rows": s["sheet"]["rows"]}),
        lambda s: s | dict(sheet={"columns": {"name": "seed", "values": [[1], [2]]}, "rows": s["sheet"]["rows"]}),
        lambda s: s | dict(sheet={"columns": {"name": "prompt", "values": [{}, "x"]}, "rows": s["sheet"]["rows"]}),
        lambda s: s | dict(sheet={"columns": {"name": "seed", "values": list(range(999))}, "rows": None}),
        lambda s: s | dict(sheet={"columns": {"name": "seed", "values": [1, 10**400]}, "rows": s["sheet"]["rows"]}),
    ],
)
def test_a_sheet_that_was_tampered_with_refuses_the_bundle_and_leaves_nothing(studio, elsewhere, sheet, spoil):
    bundle = exported(studio, [generation.id for generation in sheet.generations])
    index = index_of(bundle)
    index["sheets"] = [spoil(index["sheets"][0])]

    with pytest.raises(InvalidInput):
        elsewhere.bundles.import_(changed(bundle, "bundle.json", json.dumps(index).encode()))

    assert elsewhere.gallery.count() == 0


@pytest.mark.slow_but_first
@pytest.mark.parametrize("sheets", [None, 1, {"a": 1}, "text"])
def test_sheets_that_are_no_list_refuse_the_bundle(studio, elsewhere, sheet, sheets):
    bundle = exported(studio, [sheet.generations[0].id])
    index = index_of(bundle) | {"sheets": sheets}

    with pytest.raises(InvalidBundle):
        elsewhere.bundles.import_(changed(bundle, "bundle.json", json.dumps(index).encode()))


def test_a_bundle_from_before_sheets_is_read(studio, elsewhere, sheet):
    bundle = exported(studio, [sheet.generations[0].id])
    index = index_of(bundle)
    del index["sheets"], index["generations"][0]["extended"]

    assert elsewhere.bundles.import_(changed(bundle, "bundle.json", json.dumps(index).encode())).ids


def test_labels_of_a_sheet_are_drawn_whatever_they_hold(studio, dispatcher):
    made = studio.sheets.submit(
        a_request(), Sheet(Axis("prompt", ("a cat", "two\nlines\t\U0001f408 \u202e" + "x" * 500)))
    )

    assert studio.sheets.picture(made).mode == "RGB"


def test_a_stored_picture_that_was_overwritten_is_told_by_its_generation(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    studio.gallery.images.path(studio.gallery.get(id).output).write_bytes(bytes(500))

    with pytest.raises(StoredImageDamaged, match=f"generation {id} is damaged"):
        studio.bundles.export([id], io.BytesIO())
