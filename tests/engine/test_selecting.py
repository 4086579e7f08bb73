"""Masks that are found: in made pictures whose truth is known, the same bits each time, and words where nothing is."""

from __future__ import annotations

import hashlib
import shutil
import sys
from subprocess import run

import cv2
import numpy as np
import pytest
from PIL import Image

from core.bootstrap import select
from core.domain.errors import DamagedModel, InvalidInput, NothingFound
from core.domain.geometry import Bounds, Size
from core.domain.selecting import Selection
from core.engine.selecting import faces, networks, text
from core.services.selections import Selections
from tests.selecting_pictures import FACE, PORTRAIT, background, iou, objects, portraits, texts

SELECTIONS = Selections(select)


def portrait():
    return Image.open(PORTRAIT).convert("RGB")


def test_of_two_methods_the_first_finds_an_object_and_the_other_is_there_too():
    for made in objects(("mountain-path",), ("ball", "vase")):
        found = SELECTIONS.find(made.picture, made.kind, made.box)
        assert {one.facts["method"] for one in found} == {"u2netp", "grabcut"}
        assert iou(found[0].mask, made.truth) > 0.9, made.name


@pytest.mark.slow
def test_an_object_is_never_found_outside_of_its_box():
    [made] = objects(("living-room",), ("vase",))
    for one in SELECTIONS.find(made.picture, made.kind, made.box):
        assert made.box.contains(one.mask.bounds)


@pytest.mark.slow
def test_a_subject_and_its_background_are_the_whole_picture():
    [subject], [background] = (SELECTIONS.find(portrait(), kind) for kind in (Selection.SUBJECT, Selection.BACKGROUND))
    assert subject.mask.inverted == background.mask
    assert 0.3 < subject.mask.coverage < 0.8


def test_text_is_found_with_its_whole_height():
    [made] = texts(("mountain-path",))
    [found] = SELECTIONS.find(made.picture, made.kind)
    assert found.count == 4
    assert iou(found.mask, made.truth) > 0.6
    # Grown: the letters are in the mask, and not only their middle.
    assert (found.mask.pixels[made.truth.pixels > 0] > 0).mean() > 0.9


@pytest.mark.parametrize("made", list(portraits((360, 90))), ids=lambda made: made.name)
def test_a_face_is_found_near_and_far(made):
    [found] = SELECTIONS.find(made.picture, made.kind)
    assert found.count == 1
    assert iou(found.mask, made.truth) > 0.7


def test_a_tilted_face_is_found_in_a_tilted_ellipse():
    turned = portrait().rotate(25, fillcolor="grey")
    [face] = faces.faces(turned)
    assert face.up[0] < -0.2
    [straight] = faces.faces(portrait())
    assert abs(straight.up[0]) < 0.15


def test_two_faces_are_two():
    both = Image.new("RGB", (720, 360))
    both.paste(portrait(), (0, 0))
    both.paste(portrait(), (360, 0))
    [found] = SELECTIONS.find(both, Selection.FACES)
    assert found.count == 2
    assert found.mask.pixels[(FACE.top + FACE.bottom) // 2, 360 + (FACE.left + FACE.right) // 2] == 255


@pytest.mark.slow_but_first
@pytest.mark.parametrize("kind", [Selection.FACES, Selection.BACKGROUND, Selection.TEXT, Selection.SUBJECT])
def test_where_nothing_is_it_is_said(kind):
    with pytest.raises(NothingFound, match=r"\. .*aint"):
        SELECTIONS.find(Image.new("RGB", (300, 200), "grey"), kind)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("box", [Bounds(0, 0, 300, 200), Bounds(60, 50, 240, 150)])
def test_a_box_of_one_colour_has_no_object(box):
    with pytest.raises(NothingFound, match="in this box"):
        SELECTIONS.find(Image.new("RGB", (300, 200), "grey"), Selection.OBJECT, box)


@pytest.mark.slow
def test_the_sample_photographs_have_no_faces():
    for name in ("living-room", "dogs-at-the-door"):
        with pytest.raises(NothingFound):
            SELECTIONS.find(background(name), Selection.FACES)


@pytest.mark.parametrize("box", [Bounds(0, 0, 4, 40), Bounds(355, 10, 900, 100), Bounds(-50, -50, -10, -10)])
def test_a_box_with_nothing_of_the_picture_in_it_is_refused(box):
    with pytest.raises(InvalidInput, match="8 x 8 pixels"):
        SELECTIONS.find(portrait(), Selection.OBJECT, box)


def test_an_object_needs_a_box_and_nothing_else_does():
    for kind, box in ((Selection.OBJECT, None), (Selection.TEXT, Bounds(0, 0, 90, 90))):
        with pytest.raises(InvalidInput):
            SELECTIONS.find(portrait(), kind, box)


def test_pictures_of_every_mode_and_of_one_row_are_looked_at():
    for picture in (Image.new("RGBA", (64, 48)), Image.new("L", (64, 48)), Image.new("I;16", (64, 48))):
        with pytest.raises(NothingFound):
            SELECTIONS.find(picture, Selection.FACES)
    with pytest.raises(NothingFound):
        SELECTIONS.find(Image.new("RGB", (2000, 1)), Selection.TEXT)


@pytest.mark.slow
def test_the_same_bits_come_with_any_number_of_threads():
    [made] = objects(("fig-in-a-bowl",), ("leaf",))
    picture = made.picture.copy()
    picture.paste(portrait().resize((200, 200)), (0, 0))
    looked_for = [(Selection.OBJECT, made.box), (Selection.SUBJECT, None), (Selection.FACES, None)]
    before = cv2.getNumThreads()
    try:
        seen = set()
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            found = [one.mask.sha256 for kind, box in looked_for for one in SELECTIONS.find(picture, kind, box)]
            seen.add(tuple(found))
    finally:
        cv2.setNumThreads(before)
    assert len(seen) == 1


def test_anchors_are_as_many_as_the_networks_have_boxes():
    for detector, count in ((faces.NEAR, 896), (faces.FAR, 2304)):
        assert faces.anchors(detector).shape == (count, 2)
        planes = np.zeros((1, 3, detector.side, detector.side), np.float32)
        assert detector.network.load().run(planes)[0].shape == (1, count, 16)


def test_parts_cover_a_picture_of_any_shape():
    for size in (Size(1200, 900), Size(3000, 300), Size(400, 401), Size(200, 4000)):
        covered = np.zeros((size.height, size.width), bool)
        for part in faces.parts(size):
            covered[part.slices] = True
        assert covered.all(), size


def test_the_network_for_text_sees_sides_that_it_takes():
    for size in (Size(1, 1), Size(640, 480), Size(6000, 4000), Size(4000, 3)):
        seen = text.seen_at(size)
        assert not seen.width % text.CELL
        assert not seen.height % text.CELL
        assert max(seen) <= text.LONG_SIDE


def test_the_files_are_those_that_were_published_with_their_licences():
    names = {path.name for path in networks.FOLDER.iterdir()}
    assert names == {one.name for one in networks.ALL} | {
        "README.md",
        "LICENSE-APACHE-2.0.txt",
        "PADDLEOCR-MODELS-NOTICE.md",
    }
    for one in networks.ALL:
        assert "sha256:" + hashlib.sha256((networks.FOLDER / one.name).read_bytes()).hexdigest() == one.sha256
    assert sum((networks.FOLDER / one.name).stat().st_size for one in networks.ALL) < 17_000_000


def test_a_damaged_or_missing_file_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    with pytest.raises(DamagedModel, match=r"u2netp\.onnx cannot be read"):
        SELECTIONS.find(portrait(), Selection.SUBJECT)
    shutil.copy(PORTRAIT, tmp_path / "u2netp.onnx")
    with pytest.raises(DamagedModel, match=r"u2netp\.onnx is damaged"):
        SELECTIONS.find(portrait(), Selection.SUBJECT)


@pytest.mark.slow
def test_selecting_needs_no_torch():
    script = (
        "import sys; from PIL import Image; from core.bootstrap import select; "
        "from core.domain.selecting import Selection; "
        f"select(Image.open({str(PORTRAIT)!r}).convert('RGB'), Selection.FACES, None); print('torch' in sys.modules)"
    )
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
