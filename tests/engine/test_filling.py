"""What the model starts from."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain.params import FILLS, InpaintParams
from core.engine.run import filling
from tests.engine.tiny import a_mask, a_picture, a_working_request

FILLED = sorted(set(FILLS) - {"original"})


@pytest.fixture(params=["four", "nine"])
def inpainter(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("fill", FILLED)
def test_every_fill_keeps_the_picture_outside_the_mask_and_changes_it_inside(fill):
    picture, mask = a_picture(), a_mask()

    start = filling.start(picture, mask, InpaintParams(fill=fill, seed=3))

    differs = (np.asarray(start) != np.asarray(picture)).any(axis=2)
    assert not differs[mask.pixels == 0].any()
    assert differs[mask.pixels > 0].mean() > 0.5


@pytest.mark.parametrize("fill", FILLED)
def test_the_same_fill_gives_the_same_pixels(fill):
    params = InpaintParams(fill=fill, seed=3)

    assert len({filling.start(a_picture(), a_mask(), params).tobytes() for _ in range(2)}) == 1


@pytest.mark.parametrize("fill", ["border", "navier-stokes", "telea"])
def test_what_is_in_the_mask_has_no_part_in_a_fill_from_outside(fill):
    mask, params = a_mask(), InpaintParams(fill=fill)
    other = a_picture()
    other.paste("red", (18, 18, 40, 40))

    starts = {filling.start(picture, mask, params).tobytes() for picture in (a_picture(), other)}

    assert len(starts) == 1


def test_without_a_fill_the_picture_itself_is_handed_on():
    picture = a_picture()

    assert filling.start(picture, a_mask(), InpaintParams()) is picture


@pytest.mark.slow_but_first
def test_below_full_strength_each_fill_gives_another_picture(inpainter):
    requests = [a_working_request(fill=fill, strength=0.5) for fill in FILLS]

    pictures = {inpainter.inpaint(request, lambda report: None).image.tobytes() for request in requests}

    assert len(pictures) == len(FILLS)


def test_the_version_of_opencv_is_recorded_where_it_decides(nine):
    def record(fill: str):
        return nine.inpaint(a_working_request(fill=fill), lambda report: None).record

    assert record("telea")["opencv"]
    assert "opencv" not in record("original")
    assert "opencv" not in record("blur")
