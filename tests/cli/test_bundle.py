"""python -m core gallery export, import and save."""

from __future__ import annotations

import json
from pathlib import Path

from core.settings import Settings
from tests.conftest import a_picture, a_request, make_studio

SAMPLES = Path(__file__).parents[1] / "data" / "metadata"


def test_what_is_exported_here_is_imported_there(run, studio, dispatcher, inpainter, clock, tmp_path):
    ids = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)
    bundle = tmp_path / "handed on" / "b.zip"
    bundle.parent.mkdir()

    [told] = map(json.loads, run("gallery", "export", *ids, "--output", bundle, "--json").stdout.splitlines())
    [found] = map(json.loads, run("gallery", "import", bundle.parent, "--json", studio=elsewhere).stdout.splitlines())
    again = run("gallery", "import", bundle, studio=elsewhere)

    assert told["generations"] == 2
    assert (found["result"], set(found["ids"]), found["known"]) == ("imported", set(ids), [])
    assert again.stdout.count("already here") == 2


def test_bad_input_ends_with_2_and_leaves_nothing_behind(run, studio, tmp_path):
    (tmp_path / "no.zip").write_text("this is no zip")

    for arguments in (
        ("export", "nothing", "--output", tmp_path / "out.zip"),
        ("import", tmp_path / "no.zip"),
        ("import", tmp_path / "nowhere.zip"),
        ("import", tmp_path / "images"),
    ):
        result = run("gallery", *arguments, code=2)
        assert result.stdout == ""
        assert result.stderr.strip()

    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["no.zip"]


def test_a_folder_of_other_tools_pictures_comes_in_with_one_line_a_file(run, studio, tmp_path):
    inner = tmp_path / "deep" / "inside"
    inner.mkdir(parents=True)
    for name in ("a1111.jpg", "comfyui.webp", "invokeai.png"):
        (inner / name).write_bytes((SAMPLES / name).read_bytes())
    a_picture().save(tmp_path / "silent.png")
    (tmp_path / "broken.webp").write_bytes(b"RIFF")
    (tmp_path / "letter.pdf").write_bytes(b"%PDF")

    result = run("gallery", "import", tmp_path, "--json", code=2)

    told = {Path(line["file"]).name: line for line in map(json.loads, result.stdout.splitlines())}
    assert {name: line["result"] for name, line in told.items()} == {
        "a1111.jpg": "imported",
        "comfyui.webp": "imported",
        "invokeai.png": "imported",
        "silent.png": "no metadata",
        "broken.webp": "refused",
    }
    assert told["comfyui.webp"]["tool"] == "comfyui"
    assert "prompt" in told["invokeai.png"]["stated"]
    assert studio.gallery.get(told["a1111.jpg"]["id"]).source_name == "a1111.jpg"
    assert "3 imported, 1 no metadata, 1 refused" in " ".join(result.stderr.split())


def test_pictures_that_say_nothing_come_in_with_a_switch_or_with_a_text_beside_them(run, studio, tmp_path):
    a_picture().save(tmp_path / "silent.png")
    a_picture(64, 64).save(tmp_path / "told.png")
    (tmp_path / "told.txt").write_text("a hat\nSteps: 20, Sampler: Euler, Seed: 7, Size: 64x64")

    lines = run("gallery", "import", tmp_path, "--without-metadata", "--json").stdout.splitlines()

    assert [json.loads(line)["tool"] for line in lines] == [None, "a1111"]


def test_an_imported_picture_is_neither_run_again_nor_verified_and_verify_all_leaves_it_out(run):
    [line] = run("gallery", "import", SAMPLES / "a1111.png", "--json").stdout.splitlines()
    id = json.loads(line)["id"]

    for command in ("rerun", "verify"):
        result = run(command, id, code=1)
        assert "cannot be run again" in " ".join(result.stderr.split())
    run("verify", "--all")


def test_a_bundle_with_a_damaged_picture_is_not_written(run, studio, dispatcher, tmp_path):
    ids = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    damaged = studio.gallery.images.path(studio.gallery.get(ids[1]).output)
    damaged.write_bytes(damaged.read_bytes()[:5_000])
    before = tmp_path / "before.zip"
    before.write_bytes(b"the one of yesterday")

    result = run("gallery", "export", *ids, "--output", before, "--force", code=1)

    assert f"generation {ids[1]} is damaged" in " ".join(result.stderr.split())
    assert before.read_bytes() == b"the one of yesterday"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["before.zip"]
