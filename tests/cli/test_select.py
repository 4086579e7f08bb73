"""python -m core select: a found mask as a file that inpaint takes."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from core.domain.pixels.mask import Mask
from tests.selecting_pictures import FACE, PORTRAIT, iou, objects


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return run


def test_faces_become_a_mask_that_can_be_painted(run):
    [told] = [
        json.loads(line)
        for line in run("select", PORTRAIT, "--faces", "--output", "m.png", "--json").stdout.splitlines()
    ]
    mask = Mask.stored(Image.open("m.png"))
    assert told["mask_sha256"] == mask.sha256
    assert (told["kind"], told["count"], told["method"]) == ("faces", 1, "blazeface")
    assert mask.pixels[(FACE.top + FACE.bottom) // 2, (FACE.left + FACE.right) // 2] == 255
    assert run("inpaint", PORTRAIT, "m.png", "--output", "painted.png").exit_code == 0


@pytest.mark.slow
def test_the_other_mask_of_a_box_is_found_by_the_other_method(run):
    [made] = objects(("mountain-path",), ("ball",))
    made.picture.save("photo.png")
    box = made.box
    words = ["select", "photo.png", "--box", box.left, box.top, box.size.width, box.size.height, "--json", "--output"]
    first, second = (json.loads(run(*words, *more).stdout) for more in (["a.png"], ["b.png", "--other"]))
    assert {first["method"], second["method"]} == {"u2netp", "grabcut"}
    assert first["box"] == list(box.box)
    assert iou(Mask.stored(Image.open("a.png")), made.truth) > 0.9


def test_a_mask_can_be_grown(run):
    for name, more in (("a.png", []), ("b.png", ["--grow", 9])):
        run("select", PORTRAIT, "--faces", "--output", name, *more)
    assert Mask.stored(Image.open("a.png")).grown(9) == Mask.stored(Image.open("b.png"))


def test_what_is_not_found_ends_with_1_and_a_sentence_and_writes_nothing(run, tmp_path):
    Image.new("RGB", (200, 100), "grey").save("plain.png")
    assert "No faces were found" in run("select", "plain.png", "--faces", "--output", "m.png", code=1).stderr
    assert not (tmp_path / "m.png").exists()


@pytest.mark.parametrize(
    "options", [[], ["--faces", "--text"], ["--faces", "--other"], ["--box", 5, 5, 0, 9], ["--box", 900, 5, 50, 50]]
)
def test_options_that_make_no_sense_are_refused(run, options):
    run("select", PORTRAIT, *options, "--output", "m.png", code=2)


def test_neither_the_picture_nor_a_file_that_is_there_is_overwritten(run):
    Image.open(PORTRAIT).save("photo.png")
    Image.new("L", (5, 5)).save("there.png")
    run("select", "photo.png", "--faces", "--output", "photo.png", "--force", code=2)
    run("select", "photo.png", "--faces", "--output", "there.png", code=2)
