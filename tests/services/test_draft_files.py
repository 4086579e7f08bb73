"""A draft as one file: saved here, opened elsewhere, and what strangers make of such files."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.domain.draft import Draft
from core.domain.errors import InvalidInput, StoredImageDamaged, StudioError
from core.domain.files.picture import Picture
from core.domain.generation import Relation
from core.domain.guide import Guide, Role
from core.domain.pixels.drawing import Drawing
from core.domain.pixels.mask import Mask
from core.domain.pixels.outpaint import CanvasExtension, ExtensionHistory
from core.services.draft_files import file_name
from core.services.draft_index import InvalidDraft
from core.settings import Settings
from tests.conftest import Clock, a_mask, a_picture, a_request, make_studio
from tests.fakes import FakeInpainter
from tests.services.test_hostile_bundles import HOSTILE, ONE_STUDIO, places

PERSON = "a" * 16
PARAMS = {"prompt": "ein Ball\nrot", "num_inference_steps": 7, "mode": "add", "random_seed": True, "count": 3}


def a_draft(studio) -> str:
    images, id = studio.drafts.images, studio.drafts.start()
    draft = studio.drafts.open_picture(Draft(), Picture(a_picture(), ("Its 16 bits became 8.",)), "Küste.jpg")
    extended = ExtensionHistory("sha256:" + "ab" * 32, (CanvasExtension(left=8),))
    guides = (Guide(Role.CONTROL, 0, images.put(a_picture(48, 32))),)
    mask = images.put(a_mask().to_image())
    params = {**PARAMS, "device": "cuda:0"}
    studio.drafts.save(id, draft.changed(base_mask=mask, params=params, guides=guides, extended=extended))
    studio.drafts.rename(id, "The lighthouse")
    return id


def saved(studio, id: str) -> bytes:
    file = io.BytesIO()
    studio.draft_files.export(id, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return make_studio(Settings(data=tmp_path_factory.mktemp("elsewhere")), FakeInpainter(), Clock())


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> bytes:
    studio = make_studio(Settings(data=tmp_path_factory.mktemp("made")), FakeInpainter(), Clock())
    return saved(studio, a_draft(studio))


def changed(file: bytes, change) -> bytes:
    """With another draft.json: change is called with its values."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps(change(json.loads(data))) if name == "draft.json" else data)
    return result.getvalue()


def test_it_opens_elsewhere_with_picture_mask_form_and_name(studio, elsewhere):
    id = a_draft(studio)
    before = studio.drafts.get(id)

    kept = elsewhere.drafts.kept(elsewhere.draft_files.import_(io.BytesIO(saved(studio, id)), PERSON))

    assert kept.draft == before.changed(params=PARAMS, thumbnail=None), "the device stays where it is"
    assert kept.name == "The lighthouse"
    assert kept.id in [one.id for one in elsewhere.drafts.of(PERSON)]
    for key in (before.source, before.base_mask, before.guides[0].picture):
        assert elsewhere.gallery.image(key).tobytes() == studio.gallery.image(key).tobytes()


def test_what_is_opened_can_be_painted(elsewhere, file):
    draft = elsewhere.drafts.get(elsewhere.draft_files.import_(io.BytesIO(file)))
    params = a_request(**{name: draft.params[name] for name in ("prompt", "num_inference_steps")}).params

    [made] = elsewhere.generations.submit(elsewhere.generations.stored(draft.picture, draft.base_mask, params))
    elsewhere.dispatcher.drain()

    assert elsewhere.gallery.get(made).output is not None


def test_the_strokes_of_the_simple_canvas_become_the_mask_that_they_make(studio, elsewhere):
    stroke = {"type": "rect", "left": 10, "top": 10, "width": 20, "height": 12, "fill": "rgba(225, 29, 116, 0.5)"}
    drawing = json.dumps({"objects": [{**stroke, "stroke": "rgba(225, 29, 116, 0.5)", "strokeWidth": 0}]})
    id = studio.drafts.start()
    draft = studio.drafts.open_picture(Draft(), Picture(a_picture()), "a.png").changed(drawing=drawing, canvas_width=96)
    studio.drafts.save(id, draft)
    size = Mask.empty(a_mask().size).size

    there = elsewhere.drafts.get(elsewhere.draft_files.import_(io.BytesIO(saved(studio, id))))

    expected = Drawing.from_json(drawing, size).mask(size)
    assert not expected.is_empty
    assert there.drawing is None
    assert elsewhere.gallery.image(there.base_mask).tobytes() == expected.to_image().tobytes()
    assert studio.drafts.get(id).drawing == drawing, "the draft itself is as it was"


def test_a_parent_that_is_not_known_elsewhere_is_left_behind(studio, elsewhere, dispatcher):
    [made] = studio.generations.submit(a_request())
    dispatcher.drain()
    id = studio.drafts.take_in(studio.drafts.continued_from(studio.gallery.get(made)), "", None)
    data = saved(studio, id)

    there = elsewhere.drafts.get(elsewhere.draft_files.import_(io.BytesIO(data)))
    here = studio.drafts.get(studio.draft_files.import_(io.BytesIO(data)))

    assert (there.parent_id, there.relation) == (None, None)
    assert (here.parent_id, here.relation) == (made, Relation.CONTINUATION)


def test_values_that_this_version_cannot_use_are_left_out_and_named(elsewhere, file):
    params = {"prompt": "a cat", "strength": 99.0, "scheduler": "next-year", "colour": "new", "mode": "?", "count": 0}

    draft = elsewhere.drafts.get(
        elsewhere.draft_files.import_(io.BytesIO(changed(file, lambda told: {**told, "params": params})))
    )

    assert draft.params == {"prompt": "a cat"}
    assert draft.notes[-1] == "Not taken from the file, as these values cannot be used here: Strength, Scheduler."


REFUSED = {
    "is not a draft": (b"no zip", lambda told: told),
    "saved by a newer version": (None, lambda told: {**told, "schema": 2}),
    "does not fit its picture": (None, lambda told: {**told, "base_mask": told["guides"][0]["picture"]}),
    "not the one that was recorded|is not a draft": (None, lambda told: {**told, "source": "sha256:" + "0" * 64}),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_opened_is_told_in_a_sentence_and_leaves_nothing(elsewhere, file, sentence):
    data, change = REFUSED[sentence]
    if sentence == "does not fit its picture":
        square = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(square, "w") as new:
            key = elsewhere.drafts.images.put(Image.new("L", (20, 20)))
            for name in old.namelist():
                new.writestr(name, old.read(name))
            new.writestr(f"images/{key.removeprefix('sha256:')}.png", elsewhere.gallery.file(key))
        file, change = square.getvalue(), lambda told: {**told, "base_mask": key}
    before = len(elsewhere.drafts.of(None))

    with pytest.raises(InvalidDraft, match=sentence):
        elsewhere.draft_files.import_(io.BytesIO(data or changed(file, change)))

    assert len(elsewhere.drafts.of(None)) == before


def test_a_picture_larger_than_the_settings_allow_is_refused(tmp_path, file):
    small = make_studio(Settings(data=tmp_path, max_megapixels=0.001), FakeInpainter(), Clock())

    with pytest.raises(InvalidDraft, match="96 x 64 pixels; the limit is"):
        small.draft_files.import_(io.BytesIO(file))


def test_a_bomb_is_not_unpacked(elsewhere, file, monkeypatch):
    monkeypatch.setattr("core.services.picture_zip.MAX_IMAGE_BYTES", 1_000)

    with pytest.raises(InvalidDraft):
        elsewhere.draft_files.import_(io.BytesIO(file))


def test_one_without_a_picture_or_with_a_damaged_one_is_not_saved(studio):
    empty, spoiled = studio.drafts.start(), a_draft(studio)
    with open(studio.gallery.location(studio.drafts.get(spoiled).source), "r+b") as stored:
        stored.seek(60)
        stored.write(b"nonsense")

    with pytest.raises(InvalidInput, match="No picture is open"):
        saved(studio, empty)
    with pytest.raises(StoredImageDamaged, match="no file was written"):
        saved(studio, spoiled)
    with pytest.raises(InvalidInput, match="no such draft"):
        saved(studio, "unknown")


def taken(studio, data: bytes) -> None:
    """Taken whole, or told in one sentence; any other error goes through."""
    before = len(studio.drafts.of(None))
    try:
        id = studio.draft_files.import_(io.BytesIO(data))
    except StudioError as error:
        assert str(error).count("\n") == 0
        assert len(studio.drafts.of(None)) == before
        return
    kept = studio.drafts.kept(id)
    assert studio.gallery.image(kept.draft.source)
    assert studio.drafts.thumbnail(kept)
    assert saved(studio, id)
    assert studio.recommendations.for_form(kept.draft.params)
    studio.drafts.delete(id)


@ONE_STUDIO
@given(data=st.data())
def test_any_value_in_any_place_is_taken_or_told(elsewhere, file, data):
    def spoil(told):
        path = data.draw(st.sampled_from([path for path in places(told) if path]))
        value = data.draw(st.sampled_from([*HOSTILE, "sha256:" + "0" * 64, "Strength"]))
        inner = told
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        return told

    taken(elsewhere, changed(file, spoil))


@ONE_STUDIO
@given(at=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.booleans())
def test_bytes_that_were_changed_are_told(elsewhere, file, at, value, cut):
    spoiled = bytearray(file)
    spoiled[at % len(file)] = value

    taken(elsewhere, bytes(spoiled[: at % len(file)] if cut else spoiled))


@pytest.mark.parametrize(
    ("title", "name"),
    [("coast.JPG", "coast.draft.zip"), ("../a/b: c?", "a b c.draft.zip"), ("", "Picture.draft.zip")],
)
def test_the_file_is_called_as_the_draft(studio, title, name):
    id = studio.drafts.start()
    studio.drafts.rename(id, title)

    assert file_name(studio.drafts.kept(id)) == name
