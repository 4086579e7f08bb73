"""--output of every command that writes: what its name says, and nothing that is there is lost."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from core.cli import output as cli_output
from core.domain.hashing import pixels_sha256
from core.metadata.read import read
from tests.conftest import a_mask, a_picture, a_request
from tests.domain.test_source_exif import camera_exif

FORMATS = {
    "a.png": "PNG",
    "a.PNG": "PNG",
    "a.b.webp": "WEBP",
    "a.WebP": "WEBP",
    "a.jpg": "JPEG",
    "a.jpeg": "JPEG",
    "a.JPG": "JPEG",
    "a.avif": "AVIF",
}
PICTURE_COMMANDS = ["inpaint", "rerun", "save", "sheet"]
COMMANDS = [*PICTURE_COMMANDS, "export", "presets"]
BEFORE = b"what was there"


@pytest.fixture
def run(run, studio, monkeypatch, tmp_path):
    """Run one of the commands with this --output, in a folder with a photo and a mask."""
    monkeypatch.chdir(tmp_path)
    a_picture().save("photo.png")
    a_mask().to_image().save("mask.png")
    [id] = studio.generations.submit(a_request())
    studio.dispatcher.drain()
    arguments = {
        "inpaint": ["inpaint", "photo.png", "mask.png"],
        "rerun": ["rerun", id],
        "save": ["gallery", "save", id],
        "sheet": ["sheet", id, "--columns", "seed=1,2"],
        "export": ["gallery", "export", id],
        "presets": ["presets", "export"],
    }

    def run_with_output(command: str | list[str], output: str | Path, *more: str, code: int = 0):
        words = arguments[command] if isinstance(command, str) else command
        return run(*words, "--output", output, *more, code=code)

    return run_with_output


def ending_of(command: str) -> str:
    return {"export": ".zip", "presets": ".json"}.get(command, ".png")


def format_of(path: Path) -> str:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.load()
        return image.format


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", PICTURE_COMMANDS)
def test_the_ending_of_the_name_decides_the_format(run, tmp_path, command):
    for name, format in FORMATS.items():
        run(command, tmp_path / "new" / name)
        assert format_of(tmp_path / "new" / name) == format

    assert names(tmp_path / "new") == sorted(FORMATS)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", ["inpaint", "rerun", "save"])
@pytest.mark.parametrize("strip", [True, False])
def test_each_format_says_how_it_was_made_unless_it_is_stripped(run, tmp_path, command, strip):
    for name in ("a.png", "a.webp", "a.jpg", "a.avif"):
        run(command, name, *(["--strip"] if strip else []))

        says = read((tmp_path / name).read_bytes())
        assert (says is None) is strip
        assert strip or says.tool == "inpaint-studio"


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", ["inpaint", "rerun"])
def test_an_exact_format_has_every_pixel_and_the_others_say_what_they_lose(run, command):
    [png] = map(json.loads, run(command, "a.png", "--json").stdout.splitlines())
    [webp] = map(json.loads, run(command, "a.webp", "--json").stdout.splitlines())
    jpeg = run(command, "a.jpg")

    for made in (png, webp):
        assert pixels_sha256(Image.open(made["output"])) == made["pixels_sha256"]
        assert made["losses"] == []
    assert "not pixel-exact" in " ".join(jpeg.stderr.split())


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.slow_but_first
def test_what_the_camera_wrote_goes_along_and_the_place_only_if_it_is_asked_for(run, tmp_path, asked):
    a_picture(64, 96).save("photo.png", exif=camera_exif().tobytes())
    gps = ["--gps"] if asked else []

    made = json.loads(run("inpaint", "a.jpg", "--json", *gps).stdout)
    for command in (["rerun", made["id"]], ["gallery", "save", made["id"]]):
        run(command, "b.webp", "--force", *gps)
        for name in ("a.jpg", "b.webp"):
            written = (tmp_path / name).read_bytes()
            assert b"EOS R5" in written
            assert (b"1987:06:05" in written) is asked


def test_a_jpeg_of_a_transparent_picture_tells_that_it_is_laid_on_white(run, tmp_path):
    a_picture(mode="RGBA").save("photo.png")

    told = run("inpaint", "a.jpg", "--json")

    assert any("laid on white" in loss for loss in json.loads(told.stdout)["losses"])
    assert "laid on white" in " ".join(told.stderr.split())


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_that_says_something_else_is_refused_before_anything_is_done(run, studio, tmp_path, command):
    before = studio.gallery.count(), names(tmp_path)

    for name in ("a.gif", "a.tiff", "a.jxl", "new.folder", "a.png.txt"):
        assert "must end in" in run(command, name, code=2).stderr

    assert (studio.gallery.count(), names(tmp_path)) == before


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_is_a_folder_whatever_it_is_called(run, tmp_path, command):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.png").mkdir()

    for name in ("folder", "folder.png", "new/", "new.folder/", "deep/er/one"):
        run(command, name)
        assert [path.suffix for path in (tmp_path / name).iterdir()] == [ending_of(command)]
    run(command, name)
    assert len(names(tmp_path / name)) == 2


@pytest.mark.slow
def test_several_pictures_have_names_of_their_own_and_need_a_folder(run, studio, tmp_path):
    run("inpaint", "folder", "--count", "3")

    assert len(names(tmp_path / "folder")) == 3
    before = studio.gallery.count()
    assert "must be a folder" in run("inpaint", "one.png", "--count", "2", code=2).stderr
    assert studio.gallery.count() == before


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_there_is_overwritten_only_when_told_to_and_only_as_a_whole(run, studio, tmp_path, command):
    file = tmp_path / f"there{ending_of(command)}"
    file.write_bytes(BEFORE)
    before = studio.gallery.count()

    assert "--force" in run(command, file, code=2).stderr
    assert (file.read_bytes(), studio.gallery.count()) == (BEFORE, before)

    run(command, file, "--force")
    assert file.read_bytes() != BEFORE
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", ["photo", "mask"])
@pytest.mark.parametrize("way", ["itself", "relative", "symlink", "symlinked folder", "hard link", "other case"])
def test_the_picture_and_the_mask_are_never_overwritten_by_whatever_name(run, studio, tmp_path, name, way):
    file = tmp_path / f"{name}.png"
    before, rows = file.read_bytes(), studio.gallery.count()
    given = {
        "itself": file,
        "relative": f"./x/../{name}.png",
        "symlink": "link.png",
        "hard link": "hard.png",
        "symlinked folder": f"folder/{name}.png",
        "other case": f"{name.upper()}.PNG",
    }[way]
    (tmp_path / "x").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "link.png").symlink_to(file)
    os.link(file, tmp_path / "hard.png")
    if way == "other case" and not (tmp_path / given).exists():
        # Two files here. Where case means nothing, they are one and the same.
        os.link(file, tmp_path / given)

    for force in ([], ["--force"]):
        assert "never overwritten" in " ".join(run("inpaint", given, *force, code=2).stderr.split())

    assert (file.read_bytes(), studio.gallery.count()) == (before, rows)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("command", COMMANDS)
def test_where_nothing_can_be_written_one_sentence_says_so_and_nothing_is_done(run, studio, tmp_path, command):
    ending, before = ending_of(command), studio.gallery.count()
    os.mkfifo(tmp_path / f"pipe{ending}")
    (tmp_path / f"loop{ending}").symlink_to(f"loop{ending}")

    for name in (
        f"loop{ending}",
        f"photo.png/x{ending}",
        f"x\0{ending}",
        "",
        " ",
        "n" * 300 + ending,
        f"pipe{ending}",
        "a/" * 3000,
    ):
        result = run(command, name, "--force", code=2)

        assert result.stdout == ""
        assert result.stderr.strip()
    assert studio.gallery.count() == before


def test_the_gallerys_own_files_are_never_overwritten(run, studio):
    [generation] = studio.gallery.browse().generations
    stored = Path(studio.gallery.location(generation.output))
    before = stored.read_bytes()

    for command in ("inpaint", "rerun", "save", "sheet"):
        assert "the gallery's own" in " ".join(run(command, stored, "--force", code=2).stderr.split())

    assert stored.read_bytes() == before


def test_a_picture_too_large_for_the_format_is_refused_before_it_is_painted(run, studio):
    a_picture(16_400, 16).save("photo.png")
    a_mask(16_400, 16, (20, 2, 60, 12)).to_image().save("mask.png")
    before = studio.gallery.count()

    assert "16,383 pixels" in run("inpaint", "a.webp", code=2).stderr
    assert studio.gallery.count() == before


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.slow_but_first
def test_what_comes_in_between_is_not_overwritten_and_the_picture_stays_in_the_gallery(
    run, studio, tmp_path, monkeypatch, has_links
):
    def interfere(*args, **kwargs):
        (tmp_path / "a.png").write_bytes(BEFORE)
        return file(*args, **kwargs)

    file = type(studio.exports).file
    monkeypatch.setattr(type(studio.exports), "file", interfere)
    if not has_links:
        monkeypatch.setattr(cli_output.os, "link", _no_links)

    result = run("inpaint", "a.png", code=1)

    assert "in the gallery as" in " ".join(result.stderr.split())
    assert (tmp_path / "a.png").read_bytes() == BEFORE
    assert not list(tmp_path.glob(".*"))


def test_where_there_are_no_hard_links_files_are_written_too(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_output.os, "link", _no_links)

    run("inpaint", "a.png")
    run("inpaint", "folder/")

    assert format_of(tmp_path / "a.png") == "PNG"
    assert len(names(tmp_path / "folder")) == 1


def _no_links(*args):
    raise OSError(95, "Operation not supported")


@pytest.mark.slow
def test_if_one_file_cannot_be_written_the_others_are_painted_all_the_same(run, studio, tmp_path, monkeypatch):
    calls = []

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(cli_output.os, "fsync", failing)
    before = studio.gallery.count()

    run("inpaint", "folder", "--count", "3", code=1)

    assert len(names(tmp_path / "folder")) == 2
    assert studio.gallery.count() == before + 3
    assert not any(g.status.is_active for g in studio.gallery.browse().generations)


def test_a_bundle_and_presets_are_what_their_names_say(run, tmp_path):
    run("export", "b.ZIP")
    run("presets", "p.json")

    assert zipfile.is_zipfile(tmp_path / "b.ZIP")
    assert isinstance(json.loads((tmp_path / "p.json").read_text()), dict)
