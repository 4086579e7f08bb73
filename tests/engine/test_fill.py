"""Filling a hole by patches: what is continued, and that the bits depend on nothing but picture, hole and seed."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from core.domain.errors import GenerationCancelled
from core.domain.hashing import pixels_sha256
from core.engine.fill.completion import Completion
from core.engine.fill.patches import falling
from core.engine.fill.picture import channels_of, depth
from core.engine.fill.seam import meet, membrane
from core.engine.models.catalogue import ROOT


def a_picture(width: int = 120, height: int = 90) -> np.ndarray:
    """Of the meadow, with the mountain's edge across it."""
    picture = Image.open(ROOT / "assets/samples/mountain-meadow.jpg").convert("RGB")
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def a_disc(width: int = 120, height: int = 90, radius: float = 18) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (x - width / 2) ** 2 + (y - height / 2) ** 2 < radius**2


def filled(rgb: np.ndarray, hole: np.ndarray, seed: int = 1, threads: int = 1) -> np.ndarray:
    painted = rgb.copy()
    painted[hole] = (255, 0, 0)
    return Completion(painted, hole).run([seed], threads, lambda done: None)


def test_any_number_of_threads_gives_the_same_bits_and_another_seed_gives_others():
    picture, hole = a_picture(), a_disc()

    alone = filled(picture, hole)
    cv2.setNumThreads(1)
    try:
        assert (filled(picture, hole, threads=3) == alone).all()
    finally:
        cv2.setNumThreads(-1)
    assert (filled(picture, hole, seed=2) != alone).any()
    assert (filled(picture, hole)[~hole] == picture[~hole]).all()


def test_what_is_under_the_hole_does_not_count():
    picture, hole = a_picture(), a_disc()
    other = picture.copy()
    other[hole] = np.random.default_rng(3).integers(0, 256, (hole.sum(), 3))

    results = [Completion(rgb, hole).run([1], 1, lambda done: None) for rgb in (picture, other)]

    assert (results[0] == results[1]).all()


def test_a_corner_of_the_picture_is_filled_too():
    rgb = np.tile(np.uint8([[60, 90, 200], [200, 160, 40]]), (80, 60, 1)).reshape(80, 120, 3)
    hole = np.zeros((80, 120), bool)
    hole[:30, 90:] = True

    result = filled(rgb, hole)

    assert np.abs(result.astype(int) - rgb).max() <= 3


def test_the_seam_takes_on_the_tone_of_its_border_but_leaves_an_edge_alone():
    rgb = np.full((40, 40, 3), 120, np.uint8)
    rgb[:, :10] = 10
    hole = np.zeros((40, 40), bool)
    hole[15:25, 15:25] = True
    away = np.tile([0, 10], (hole.sum(), 1))
    darker = np.full((hole.sum(), 3), 112, np.float32)

    # Copied from where all is even, so the step at the border is one of tone; a step of 100 is an edge.
    assert np.abs(meet(rgb, hole, darker, away) - 120).max() < 1
    assert np.abs(meet(rgb, hole, darker - 92, away) - 20).max() < 6


def test_a_membrane_is_a_plane_between_straight_borders():
    columns = np.broadcast_to(np.arange(20, dtype=np.float32)[None, :, None], (16, 20, 1)).copy()
    hole = np.zeros((16, 20), bool)
    hole[4:12, 5:15] = True

    assert np.abs(membrane(columns, hole)[:, 0] - columns[hole][:, 0]).max() < 1e-3


def test_the_sides_of_the_picture_are_no_border_of_the_hole():
    hole = np.zeros((20, 30), bool)
    hole[:, 20:] = True

    assert depth(hole).max() == pytest.approx(10, abs=1)


def test_texture_is_measured_on_known_pixels_only():
    rgb, hole = a_picture(), a_disc()
    other = rgb.copy()
    other[hole] = 0

    assert (channels_of(rgb, hole)[~hole] == channels_of(other, hole)[~hole]).all()


def test_the_weights_of_votes_fall_like_exp():
    x = np.linspace(0, 6, 50, dtype=np.float32)

    assert np.abs(falling(x) - np.exp(-x / 2)).max() < 0.02
    assert falling(np.float32([np.inf])) == 0


def test_it_stops_where_it_is_told_to():
    done = []

    def stop(number: int) -> None:
        done.append(number)
        if number == 3:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        Completion(a_picture(), a_disc()).run([1], 2, stop)

    assert done == [1, 2, 3]


def test_the_bits_are_those_of_the_first_day():
    """If they have to change, raise PROCESSING, and keep what makes these for what was painted before."""
    assert pixels_sha256(Image.fromarray(filled(a_picture(), a_disc()))) == (
        "sha256:6c0b312e650c971c72e1edd524518bff5178eb2d930f233babf9790eeabe8275"
    )


OTHER_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENCV_CPU_DISABLE": "SSE4_1,SSE4_2,AVX,FP16,AVX2,FMA3,AVX512-SKX",
    "OPENBLAS_NUM_THREADS": "1",
}
"""What the libraries are told not to use, as if it were not there."""

PROGRAM = """
import numpy as np
from tests.engine.test_fill import a_disc, a_picture, filled
from PIL import Image
from core.domain.hashing import pixels_sha256
print(pixels_sha256(Image.fromarray(filled(a_picture(), a_disc()))))
"""


@pytest.mark.slow
@pytest.mark.skipif("x86" not in os.uname().machine if hasattr(os, "uname") else True, reason="switches of x86")
def test_a_processor_without_wide_vectors_gives_the_same_bits():
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={**os.environ, **OTHER_PROCESSOR},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert asked.stdout.strip() == pixels_sha256(Image.fromarray(filled(a_picture(), a_disc())))
