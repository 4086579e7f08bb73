"""Masks as other programs write them, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import a_mask, a_picture


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    """The result of a command, and what it wrote on standard output, line by line."""
    monkeypatch.chdir(tmp_path)

    def run_and_read(*arguments, code: int = 0):
        result = run(*arguments, code=code)
        return result, [json.loads(line) for line in result.stdout.splitlines()]

    return run_and_read


@pytest.fixture
def photo(tmp_path) -> Path:
    a_picture().save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def a_mask_file(tmp_path, image: Image.Image, name: str = "given.png") -> Path:
    image.save(tmp_path / name)
    return tmp_path / name


def test_a_coloured_mask_is_wholly_repainted_and_told(run, photo, tmp_path, studio):
    image = Image.new("RGB", (96, 64))
    image.paste("red", (20, 10, 50, 40))

    result, [made] = run("inpaint", photo, a_mask_file(tmp_path, image), "--json")

    assert "coloured" in result.stderr
    assert set(np.unique(studio.gallery.mask(studio.gallery.get(made["id"])).pixels)) == {0, 255}


def test_a_mask_in_the_alpha_channel_is_understood_and_told(run, photo, tmp_path, studio):
    erased = a_picture().convert("RGBA")
    erased.paste((0, 0, 0, 0), (20, 10, 50, 40))

    result, [made] = run("inpaint", photo, a_mask_file(tmp_path, erased), "--json")

    assert "transparent" in result.stderr
    assert studio.gallery.mask(studio.gallery.get(made["id"])) == a_mask()


def test_without_a_mask_the_transparent_part_of_the_picture_is_repainted(run, tmp_path, studio):
    erased = a_picture().convert("RGBA")
    erased.paste((0, 0, 0, 0), (20, 10, 50, 40))

    result, [made] = run("inpaint", a_mask_file(tmp_path, erased, "erased.png"), "--json")

    assert "transparent" in result.stderr
    assert studio.gallery.mask(studio.gallery.get(made["id"])) == a_mask()


def test_a_mask_whose_white_is_1_is_refused_with_a_reason(run, photo, tmp_path):
    image = Image.fromarray(np.minimum(a_mask().pixels, 1))

    result, _ = run("inpaint", photo, a_mask_file(tmp_path, image), code=2)

    assert "brightest value is 1 of 255" in result.stderr


def two_parts() -> Image.Image:
    pixels = np.zeros((1200, 1800), np.uint8)
    pixels[100:130, 100:140] = pixels[1100:1130, 1700:1740] = 255
    return Image.fromarray(pixels)


@pytest.mark.slow
def test_two_small_parts_far_apart_are_told_and_can_be_painted_separately(run, tmp_path, studio, inpainter):
    a_picture(1800, 1200).save(tmp_path / "large.png")
    mask = a_mask_file(tmp_path, two_parts())

    together, _ = run("inpaint", tmp_path / "large.png", mask, "--size", 128, "--json")
    apart, [made] = run("inpaint", tmp_path / "large.png", mask, "--size", 128, "--area", "separate", "--json")

    assert "2 parts far apart" in together.stderr
    assert "--area separate" in together.stderr
    assert "far apart" not in apart.stderr
    assert len(studio.gallery.get(made["id"]).record.parts) == 2
    assert [seen.image.size for seen in inpainter.requests] == [(128, 88), (128, 128), (128, 128)]
