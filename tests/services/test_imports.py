"""Pictures and bundles from elsewhere: what lands in the gallery, what is told, and that nothing raises."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from core.domain.errors import InvalidMove
from core.domain.generation import Relation, Status
from core.services.exports import FileType
from core.services.imports import UNKNOWN, Result
from core.settings import Settings
from tests.conftest import a_picture, a_request, make_studio

SAMPLES = Path(__file__).parents[1] / "data" / "metadata"
PICTURES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".json")

A1111 = (
    "a cat in a hat\nNegative prompt: blurry\n"
    "Steps: 25, Sampler: Euler a, CFG scale: 6.5, Seed: 42, Size: 512x768, Model: dreamy-mix"
)


def a_file(text: str | None = None, picture: Image.Image | None = None) -> bytes:
    """A PNG with this text as A1111 writes it."""
    chunks = PngImagePlugin.PngInfo()
    if text is not None:
        chunks.add_text("parameters", text)
    file = io.BytesIO()
    (picture or a_picture()).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def imported(studio, data: bytes, name: str = "picture.png", **how):
    return studio.imports.import_(io.BytesIO(data), name, **how)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_each_tool_comes_in_with_what_it_states(studio, name):
    done = imported(studio, (SAMPLES / name).read_bytes(), name)

    assert (done.result, done.known) == (Result.IMPORTED, ())
    generation = studio.gallery.get(*done.ids)
    assert (generation.status, generation.relation) == (Status.SUCCEEDED, Relation.IMPORT)
    assert generation.source == generation.output == generation.pixels_sha256
    assert studio.gallery.mask(generation).is_empty
    assert generation.record.imported.tool == done.tool
    assert generation.record.imported.stated == list(done.stated)
    assert studio.gallery.file(generation.thumbnail)
    assert generation.runtime_s is None


def test_stated_values_land_in_typed_fields_and_the_rest_is_kept_as_raw(studio):
    done = imported(studio, a_file(A1111), "hat.png")

    generation = studio.gallery.get(*done.ids)
    assert generation.params.prompt == "a cat in a hat"
    assert (generation.params.num_inference_steps, generation.params.seed) == (25, 42)
    assert generation.params.scheduler == "euler-ancestral"
    assert generation.params.model == "dreamy-mix"
    assert generation.source_name == "hat.png"
    assert set(done.stated) == {
        "prompt",
        "negative_prompt",
        "num_inference_steps",
        "guidance_scale",
        "seed",
        "scheduler",
        "size",
    }
    assert generation.record.imported.raw["model"] == "dreamy-mix"
    assert generation.record.raw["imported"]["size"] == [512, 768]


def test_the_same_picture_comes_in_once_whatever_its_file_is_called(studio):
    first = imported(studio, a_file(A1111), "one.png")

    again = imported(studio, a_file(A1111), "two.png")

    assert (again.result, again.ids, again.known) == (Result.KNOWN, first.ids, first.ids)
    assert studio.gallery.count() == 1


def test_one_in_the_trash_is_known_and_said_to_be_there(studio):
    done = imported(studio, a_file(A1111))
    studio.gallery.trash(done.ids)

    again = imported(studio, a_file(A1111))

    assert (again.result, again.reason) == (Result.KNOWN, "It is in the trash.")


@pytest.mark.parametrize("type", [FileType.PNG, FileType.WEBP])
def test_a_result_that_was_downloaded_from_this_gallery_is_known_here(studio, dispatcher, type):
    ids = studio.generations.submit(a_request(), count=3)
    dispatcher.drain()

    done = imported(studio, studio.exports.file(studio.gallery.get(ids[2]), type))

    assert (done.result, done.ids) == (Result.KNOWN, (ids[2],))


def test_a_result_of_another_installation_brings_where_it_was_made(studio, dispatcher, tmp_path, inpainter, clock):
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)
    [id] = elsewhere.generations.submit(a_request(seed=5))
    elsewhere.dispatcher.drain()
    original = elsewhere.gallery.get(id)

    done = imported(studio, elsewhere.exports.file(original))

    generation = studio.gallery.get(*done.ids)
    assert generation.params == original.params
    for name in ("device", "dtype", "environment", "model_revision", "output"):
        assert getattr(generation, name) == getattr(original, name)
    assert generation.record.raw["imported"]["record"]["hashes"]["source"] == original.source


def test_a_picture_that_says_nothing_comes_in_only_when_asked_for(studio):
    left_out = imported(studio, a_file())
    taken = imported(studio, a_file(), without_metadata=True)

    assert (left_out.result, left_out.ids) == (Result.NO_METADATA, ())
    assert taken.result is Result.IMPORTED
    generation = studio.gallery.get(*taken.ids)
    assert (generation.params.model, generation.device) == (UNKNOWN, UNKNOWN)
    assert generation.record.raw["imported"] == {"tool": None, "stated": []}


def test_the_text_beside_a_picture_counts_when_the_picture_says_nothing(studio):
    done = imported(studio, a_file(), beside=A1111)

    assert studio.gallery.get(*done.ids).params.seed == 42


def test_a_bundle_is_told_as_one_file(studio, dispatcher, tmp_path, inpainter, clock):
    ids = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    bundle = io.BytesIO()
    studio.bundles.export(ids, bundle)
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    first = imported(elsewhere, bundle.getvalue(), "b.zip")
    again = imported(elsewhere, bundle.getvalue(), "b.zip")

    assert (first.result, set(first.ids), first.known) == (Result.IMPORTED, set(ids), ())
    assert (again.result, set(again.known)) == (Result.KNOWN, set(ids))


def test_an_imported_picture_travels_in_a_bundle_and_stays_one(studio, tmp_path, inpainter, clock):
    done = imported(studio, a_file(A1111))
    bundle = io.BytesIO()
    studio.bundles.export(done.ids, bundle)
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    there = imported(elsewhere, bundle.getvalue())

    assert elsewhere.gallery.get(*there.ids).is_imported_picture


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "This file is empty"),
        (b"PK\x03\x04 this is no zip", "not a bundle"),
        (b"\x89PNG\r\n\x1a\n cut off", "damaged or cut off"),
        (b"%PDF-1.7", "a PDF, which is not supported"),
        (a_file(A1111)[:-3000], "damaged or cut off"),
    ],
    ids=["empty", "no zip", "only a head", "another kind", "cut off"],
)
def test_what_cannot_be_read_is_refused_with_a_reason(studio, data, reason):
    done = imported(studio, data)

    assert done.result is Result.REFUSED
    assert reason in done.reason
    assert studio.gallery.count() == 0


@pytest.mark.slow_but_first
@pytest.mark.parametrize("without_metadata", [True, False])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_picture_is_decoded_once(studio, decoded, format, without_metadata):
    file = io.BytesIO()
    a_picture(200, 150).save(file, format)

    imported(studio, file.getvalue(), without_metadata=without_metadata)

    assert decoded.count((200, 150)) == 1


def test_a_text_behind_the_pixels_is_found_without_decoding_them(studio, decoded):
    data = a_file(A1111)
    at, upto = data.index(b"tEXt") - 4, data.index(b"IDAT") - 4
    moved = data[:at] + data[upto:-12] + data[at:upto] + data[-12:]

    done = imported(studio, moved)

    assert (done.tool, len(decoded)) == ("a1111", 1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=300), st.sampled_from(["Comment", "inpaint_studio", "invokeai_metadata", "parameters", "prompt"])
)
def test_whatever_a_stranger_writes_nothing_raises_and_the_row_can_be_read(studio, text, chunk):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(chunk, text)
    chunks.add_itxt("Software", "NovelAI")
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "PNG", pnginfo=chunks)

    done = imported(studio, file.getvalue(), without_metadata=True)

    assert done.result in (Result.IMPORTED, Result.KNOWN)
    json.dumps(dict(studio.gallery.get(*done.ids).record.raw))


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("/srv/models/private", "private"),
        ("../private", "private"),
        ("~nosuchuser", "nosuchuser"),
        ("~/private", "private"),
        ("C:\\models\\private", "private"),
        ("XL\\oil.safetensors", "oil.safetensors"),
        ("a/b/c", "c"),
        ("/", UNKNOWN),
        ("..", UNKNOWN),
        ("x" * 5_000, "x" * 300),
        ("half \ud800", "half \ufffd"),
        ("nul \x00", "nul \ufffd"),
        ("owner/name", "owner/name"),
        ("dreamy mix v1.2", "dreamy mix v1.2"),
    ],
)
def test_a_file_cannot_name_a_model_of_this_machine_by_its_folder(studio, named, kept):
    done = imported(studio, a_file(json.dumps({"prompt": "x", "seed": 1, "model": named})))

    assert "model" not in done.stated
    assert studio.gallery.get(*done.ids).params.model == kept


def test_running_or_verifying_an_imported_picture_says_why_it_cannot_be_done(studio):
    done = imported(studio, a_file(A1111))

    for attempt in (lambda: studio.generations.rerun(*done.ids), lambda: studio.reproductions.verify(done.ids)):
        with pytest.raises(InvalidMove, match=r"cannot be run again\. Load it into Inpaint"):
            attempt()


def test_very_long_texts_are_left_out_with_a_word_about_them(studio):
    workflow = json.dumps({"nodes": ["x" * 100] * 15_000})
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", A1111)
    chunks.add_text("workflow", workflow)
    file = io.BytesIO()
    a_picture().save(file, "PNG", pnginfo=chunks)

    done = imported(studio, file.getvalue())

    raw = studio.gallery.get(*done.ids).record.imported.raw
    assert raw["workflow"] == f"left out: {len(workflow)} characters"
    assert raw["model"] == "dreamy-mix"
