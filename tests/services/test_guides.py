"""Pictures in further roles go wherever a generation goes, and stay as long as it needs them."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from core.domain.draft import Draft
from core.domain.errors import InvalidInput, InvalidParams, SizeMismatch, StoredImageMissing
from core.domain.files.picture import Picture
from core.domain.generation import Verdict
from core.domain.geometry import Size
from core.domain.guide import Guide, Role
from core.domain.pixels.outpaint import CanvasExtension, extend_control
from core.domain.request import Plan
from core.metadata.ours import record_of
from core.services.bundle_index import InvalidBundle
from core.services.collector import GRACE
from core.settings import Settings
from tests.conftest import a_mask, a_picture, a_request, make_studio
from tests.controlnets import write_controlnet
from tests.ipadapters import write_image_encoder, write_ip_adapter
from tests.services.test_bundle import changed, exported, index_of

CONTROL = Image.new("RGB", (48, 32), (200, 10, 30))
REFERENCE = Image.new("RGB", (20, 50), (5, 90, 30))


def guided():
    guides = (Guide(Role.CONTROL, 0, CONTROL), Guide(Role.REFERENCE, 1, REFERENCE))
    return replace(a_request(controlnet=["depth"], ip_adapter="look"), guides=guides)


@pytest.fixture
def id(studio, dispatcher) -> str:
    write_controlnet(studio.settings.models / "controlnet" / "depth.safetensors")
    write_ip_adapter(studio.settings.models / "ipadapter" / "look.safetensors")
    write_image_encoder(studio.settings.models / "clip_vision" / "vit.safetensors")
    [id] = studio.generations.submit(guided())
    dispatcher.drain()
    return id


def keys_of(studio, id) -> list[str]:
    return [guide.picture for guide in studio.gallery.get(id).guides]


def test_a_row_names_its_guides_in_their_order_and_their_pictures_are_stored(studio, id):
    generation = studio.gallery.get(id)

    assert [(guide.role, guide.position) for guide in generation.guides] == [(Role.CONTROL, 0), (Role.REFERENCE, 1)]
    pictures = [studio.gallery.image(key) for key in keys_of(studio, id)]
    assert [picture.tobytes() for picture in pictures] == [CONTROL.tobytes(), REFERENCE.tobytes()]
    assert [g.guides for g in studio.gallery.browse().generations] == [generation.guides]
    assert set(keys_of(studio, id)) < set(generation.pictures) < set(generation.files)


def test_the_worker_hands_them_to_whatever_paints_also_to_verify(studio, dispatcher, inpainter, id, monkeypatch):
    seen = []

    class Spied(Plan):
        @classmethod
        def of(cls, request, cell):
            seen.append([(guide.role, guide.picture.tobytes()) for guide in request.guides])
            return Plan.of(request, cell)

    monkeypatch.setattr("core.domain.enlarging.Plan", Spied)
    studio.generations.rerun(id)
    studio.reproductions.verify([id])
    dispatcher.drain()

    assert seen == [[(Role.CONTROL, CONTROL.tobytes()), (Role.REFERENCE, REFERENCE.tobytes())]] * 2
    assert studio.gallery.get(id).verdict is Verdict.EXACT


def test_what_is_run_again_and_a_replay_use_the_same_guides(studio, dispatcher, id):
    again = studio.generations.rerun(id)
    studio.replays.start(id)
    dispatcher.drain()

    [replayed] = [g for g in studio.gallery.browse().generations if g.id not in (id, again)]
    assert keys_of(studio, again) == keys_of(studio, replayed.id) == keys_of(studio, id)


def test_no_file_of_a_guide_is_collected_while_a_row_or_a_draft_needs_it(studio, clock, id):
    keys, images = keys_of(studio, id), studio.generations.images
    studio.drafts.save("open", Draft(source=studio.gallery.get(id).source, guides=(studio.gallery.get(id).guides[0],)))
    assert studio.gallery.check().is_sound
    clock.wait(days=3)
    studio.collector.collect()
    assert set(keys) <= set(images.keys())

    studio.gallery.trash([id])
    studio.gallery.empty_trash(all=True)
    clock.wait(seconds=GRACE.total_seconds())
    studio.collector.collect()

    assert [key in set(images.keys()) for key in keys] == [True, False]


def test_a_guide_that_was_thrown_away_meanwhile_comes_back_with_its_row(studio, id):
    generation, images = studio.gallery.get(id), studio.generations.images
    request = studio.generations.stored(generation.source, a_mask(), generation.params, generation.guides)
    for key in keys_of(studio, id):
        images.discard(key)

    studio.generations.submit(request)

    assert set(keys_of(studio, id)) <= set(images.keys())


def test_a_bundle_takes_them_along_and_a_changed_one_is_refused(studio, tmp_path, inpainter, clock, id):
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)
    bundle = exported(studio, [id])
    control, _ = keys_of(studio, id)
    name = f"images/{control.removeprefix('sha256:')}.png"
    other = io.BytesIO()
    Image.new("RGB", CONTROL.size).save(other, "PNG")

    with pytest.raises(InvalidBundle):
        elsewhere.bundles.import_(changed(bundle, name, other.getvalue()))
    with pytest.raises(InvalidBundle):
        elsewhere.bundles.import_(changed(bundle, name, None))
    elsewhere.bundles.import_(bundle)

    assert elsewhere.gallery.get(id).guides == studio.gallery.get(id).guides
    assert elsewhere.gallery.image(control).tobytes() == CONTROL.tobytes()


@pytest.mark.parametrize(
    "spoiled",
    [
        [{"role": "weights", "position": 0, "picture": "sha256:0"}],
        [{"role": "control", "position": -1, "picture": "sha256:0"}],
        [{"role": "control", "position": True, "picture": "sha256:0"}],
        [{"role": "control", "position": 0}],
        [{"role": "control", "position": 0, "picture": "../../etc"}],
        "twice",
        7,
    ],
)
def test_guides_that_a_stranger_made_up_are_refused(studio, tmp_path, inpainter, clock, id, spoiled):
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)
    bundle = exported(studio, [id])
    index = index_of(bundle)
    entry = index["generations"][0]
    entry["guides"] = [entry["guides"][0]] * 2 if spoiled == "twice" else spoiled

    with pytest.raises(InvalidInput):
        elsewhere.bundles.import_(changed(bundle, "bundle.json", json.dumps(index).encode()))

    assert elsewhere.gallery.count() == 0


def test_the_record_in_a_picture_names_them_by_their_hashes(studio, id):
    record = record_of(studio.gallery.get(id))

    assert [(one["role"], one["picture"]) for one in record["guides"]] == list(
        zip(["control", "reference"], keys_of(studio, id), strict=True)
    )


def test_a_control_picture_of_other_proportions_is_refused_before_anything_is_stored(studio):
    tall = Image.new("RGB", (32, 48))
    with pytest.raises(SizeMismatch, match="same proportions"):
        replace(a_request(), guides=(Guide(Role.CONTROL, 0, tall),))

    source = studio.generations.images.put(a_picture())
    key = studio.generations.images.put(tall)
    with pytest.raises(SizeMismatch):
        studio.generations.stored(source, a_mask(), a_request().params, [Guide(Role.CONTROL, 0, key)])
    missing = "sha256:" + "0" * 64
    with pytest.raises(StoredImageMissing):
        studio.generations.stored(source, a_mask(), a_request().params, [Guide(Role.REFERENCE, 0, missing)])
    with pytest.raises(InvalidParams):
        Guide(Role.CONTROL, 20, key)
    assert studio.gallery.count() == 0


def test_a_draft_opened_from_a_generation_has_its_guides_and_another_picture_none(studio, id):
    generation = studio.gallery.get(id)

    draft = studio.drafts.from_generation(generation)

    assert draft.guides == studio.drafts.continued_from(generation).guides == generation.guides
    assert Draft.from_dict(json.loads(json.dumps(draft.to_dict()))) == draft
    assert studio.drafts.open_picture(draft, Picture(a_picture()), None).guides == ()


def test_with_the_canvas_the_control_picture_is_extended_and_stays_in_register(studio, id):
    draft = studio.drafts.from_generation(studio.gallery.get(id))
    studio.drafts.save("d", draft)

    wider = studio.drafts.extend_canvas("d", CanvasExtension(left=96), overlap_px=8, max_pixels=10**6)

    control, reference = wider.guides
    picture = studio.gallery.image(control.picture)
    assert picture.size == studio.gallery.image(wider.source).size == (192, 64)
    assert picture.crop((0, 0, 96, 64)).getextrema() == ((0, 0),) * 3
    assert picture.crop((96, 0, 192, 64)).getextrema() == ((200, 200), (10, 10), (30, 30))
    assert reference == draft.guides[1]


def test_what_is_extended_twice_is_where_it_was():
    control = Image.new("L", (4, 2), 9)

    once = extend_control(control, CanvasExtension(top=2), Size(4, 2))
    twice = extend_control(once, CanvasExtension(right=3), Size(4, 4))

    assert [[twice.getpixel((x, y)) for x in range(7)] for y in range(4)] == [[0] * 7] * 2 + [[9] * 4 + [0] * 3] * 2
