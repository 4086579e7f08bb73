"""What the photo's file said goes along: into every format, through the whole chain, beside our own record."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from PIL import ExifTags, Image

from core.domain.files.source_exif import dpi_of
from core.domain.generation import Origin
from core.domain.geometry import Size
from core.domain.pixels.outpaint import CanvasExtension
from core.domain.request import InpaintRequest
from core.metadata.read import read
from core.services.exports import FileType
from core.settings import Settings
from tests.conftest import a_mask, a_request, make_studio
from tests.domain.test_source_exif import OWNER, PHOTO, PLACE, SHOT, camera_exif, file_of, text

Base, Ifd = ExifTags.Base, ExifTags.IFD
PLACE_BYTES = (b"1987:06:05", bytes.fromhex("00000030000000010000000c00000001"), bytes.fromhex("300000000100000" + "0"))
"""Its date, and 48 degrees 12 minutes as rational numbers of both byte orders."""


def open_photo(studio, exif: Image.Exif | None = None) -> str:
    """The id of a draft with a photo of 64 x 96 pixels, with all that a camera writes."""
    picture = studio.pictures.read(file_of(exif=(exif or camera_exif()).tobytes(), dpi=(72, 72)))
    id = studio.drafts.start()
    studio.drafts.save(id, studio.drafts.open_picture(studio.drafts.get(id), picture, "photo.jpg"))
    return id


def painted(studio, draft):
    image = studio.gallery.image(draft.source)
    params = a_request().params
    origin = Origin(draft.parent_id, draft.relation, None, draft.source_name, draft.extended, draft.source_exif)
    [id] = studio.generations.submit(InpaintRequest(image, a_mask(*image.size), params), origin=origin)
    studio.dispatcher.drain()
    return studio.gallery.get(id)


@pytest.fixture
def generation(studio):
    return painted(studio, studio.drafts.get(open_photo(studio)))


def exif_of(data: bytes) -> Image.Exif:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.getexif()


def says_all(data: bytes, size: tuple[int, int]) -> None:
    exif = exif_of(data)
    for tag, value in PHOTO.items():
        assert (text(exif[tag]) if isinstance(value, str) else exif[tag]) == value, tag
    inner = exif.get_ifd(Ifd.Exif)
    for tag, value in SHOT.items():
        assert inner[tag] == pytest.approx(value) if isinstance(value, float | tuple) else inner[tag] == value, tag
    # A text by its type, as readers expect it.
    assert text(inner[Base.CameraOwnerName]) == OWNER
    assert isinstance(inner[Base.CameraOwnerName], str)
    assert exif.get(Base.Orientation, 1) == 1
    assert (inner[Base.ExifImageWidth], inner[Base.ExifImageHeight]) == size
    assert dpi_of(exif) == (300, 300)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("type", sorted(FileType))
def test_each_format_says_what_the_camera_said_beside_how_it_was_made(studio, generation, type):
    data = studio.exports.file(generation, type)

    says_all(data, (64, 96))
    assert read(data).params == generation.params.model_dump()
    assert b"MAKERNOTE" not in data
    assert b"OLDCOMMENT" not in data
    if type in (FileType.PNG, FileType.JPEG):
        assert Image.open(io.BytesIO(data)).info["dpi"] == pytest.approx((300, 300), abs=0.01)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("type", sorted(FileType))
def test_where_the_photo_was_taken_is_in_no_file_unless_it_is_asked_for(studio, generation, type):
    plain, told = studio.exports.file(generation, type), studio.exports.file(generation, type, place=True)

    assert studio.exports.knows_place(generation)
    assert not any(part in plain for part in PLACE_BYTES)
    assert Ifd.GPSInfo not in exif_of(plain)
    assert exif_of(told).get_ifd(Ifd.GPSInfo)[2] == PLACE[2]
    assert b"1987:06:05" in told


@pytest.mark.slow_but_first
@pytest.mark.parametrize("type", sorted(FileType))
def test_a_stripped_file_says_nothing_of_it(studio, generation, type):
    data = studio.exports.file(generation, type, metadata=False, place=True)

    assert not exif_of(data)
    assert not any(word in data for word in (b"Canon", b"2024:05:06", "Müller".encode(), *PLACE_BYTES))


def test_what_is_made_from_it_says_it_too(studio, generation):
    again = studio.gallery.get(studio.generations.rerun(generation.id))
    variation = studio.drafts.from_generation(generation)
    further = painted(studio, studio.drafts.continued_from(generation))
    origin = Origin.variation_of(further, "a session")
    id = open_photo(studio)
    larger = studio.drafts.extend_canvas(id, CanvasExtension(left=8), overlap_px=0, max_pixels=10**6)
    wider = painted(studio, larger)

    keys = {generation.source_exif, again.source_exif, variation.source_exif, further.source_exif, origin.source_exif}
    assert keys == {wider.source_exif}
    says_all(studio.exports.file(wider), tuple(Size(wider.width, wider.height)))


@pytest.mark.slow
def test_a_replayed_chain_says_it_too(studio, generation):
    further = painted(studio, studio.drafts.continued_from(generation))
    replay = studio.replays.start(further.id)
    for _ in range(3):
        studio.dispatcher.drain()
        studio.replays.advance()

    assert [step.again.id for step in studio.replays.get(replay).steps]
    for step in studio.replays.get(replay).steps:
        assert studio.gallery.get(step.again.id).source_exif == generation.source_exif


def test_it_is_a_file_of_the_gallery_as_any_other(studio, generation):
    assert studio.gallery.check().is_sound
    assert not studio.gallery.check().orphans

    studio.gallery.images.path(generation.source_exif).unlink()

    assert generation.source_exif in {lost.key for lost in studio.gallery.check().missing}
    assert read(studio.exports.file(generation)).tool == "inpaint-studio"


def test_a_bundle_takes_it_along_without_the_place(studio, generation, inpainter, clock, tmp_path):
    bundle = io.BytesIO()
    studio.bundles.export([generation.id], bundle)
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    with zipfile.ZipFile(bundle) as file:
        held = b"".join(file.read(name) for name in file.namelist())
    [id] = elsewhere.imports.import_(bundle, "b.zip").ids

    assert not any(part in held for part in PLACE_BYTES)
    there = elsewhere.gallery.get(id)
    says_all(elsewhere.exports.file(there, FileType.JPEG), (64, 96))
    assert not elsewhere.exports.knows_place(there)
    assert elsewhere.gallery.check().is_sound


def test_a_bundle_whose_block_is_another_one_is_refused(studio, generation, inpainter, clock, tmp_path):
    bundle, changed = io.BytesIO(), io.BytesIO()
    studio.bundles.export([generation.id], bundle)
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"Canon", b"Nikon") if name.startswith("exif/") else data)
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    done = elsewhere.imports.import_(changed, "b.zip")

    assert (done.result, elsewhere.gallery.count()) == ("refused", 0)


def test_what_was_painted_before_and_what_says_nothing_have_none(studio):
    [id] = studio.generations.submit(a_request())
    studio.dispatcher.drain()
    generation = studio.gallery.get(id)

    assert generation.source_exif is None
    assert not exif_of(studio.exports.file(generation))
    assert not studio.exports.knows_place(generation)
    index = io.BytesIO()
    studio.bundles.export([id], index)
    with zipfile.ZipFile(index) as file:
        assert json.loads(file.read("bundle.json"))["generations"][0]["source_exif"] is None


def test_a_photo_that_is_imported_hands_it_on_to_what_is_painted_over_it(studio):
    data = file_of(exif=camera_exif().tobytes())
    [id] = studio.imports.import_(io.BytesIO(data), "photo.jpg", without_metadata=True).ids

    further = painted(studio, studio.drafts.continued_from(studio.gallery.get(id)))

    says_all(studio.exports.file(further), (64, 96))
