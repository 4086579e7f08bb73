"""Which part of a picture its tile shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.geometry import Bounds, Size, frame_around
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from pages.ui.components.gallery_grid import tile_of
from tests.conftest import a_picture, a_request


def test_it_shows_the_painted_part_with_its_surroundings(studio, dispatcher):
    pixels = np.zeros((200, 600), np.uint8)
    pixels[80:120, 500:540] = 255
    params = a_request(num_inference_steps=1, crop_padding_px=8).params
    [id] = studio.generations.submit(InpaintRequest(a_picture(600, 200), Mask(pixels), params))
    dispatcher.drain()

    left, top, width, height = tile_of(studio.gallery, studio.gallery.get(id), "x").view

    assert left < 500 / 600 < 540 / 600 < left + width
    assert top < 80 / 200 < 120 / 200 < top + height
    assert round(width * 600) == round(height * 200) == 120, "a square of 0.6 of the height"


def test_of_a_picture_that_came_from_elsewhere_it_shows_the_middle(studio):
    file = io.BytesIO()
    a_picture().save(file, "PNG")
    file.seek(0)
    [id] = studio.imports.import_(file, "a.png", without_metadata=True).ids

    assert tile_of(studio.gallery, studio.gallery.get(id), "x").view is None


@given(data=st.data(), least=st.floats(0, 1), context=st.floats(0, 2))
def test_a_frame_lies_in_the_picture_has_the_shape_and_holds_the_box_where_it_can(data, least, context):
    picture = Size(data.draw(st.integers(20, 4000)), data.draw(st.integers(20, 4000)))
    left, top = data.draw(st.integers(0, picture.width - 1)), data.draw(st.integers(0, picture.height - 1))
    right = data.draw(st.integers(left + 1, picture.width))
    bottom = data.draw(st.integers(top + 1, picture.height))
    box, shape = Bounds(left, top, right, bottom), Size(4, 3)

    frame = frame_around(box, picture, shape, context=context, least=least)

    assert Bounds(0, 0, *picture).contains(frame)
    assert frame.size.width / 4 == pytest.approx(frame.size.height / 3, abs=1)
    largest = min(picture.width / 4, picture.height / 3)
    if max(box.size.width / 4, box.size.height / 3) * (1 + 2 * context) <= largest:
        assert frame.grown(1, within=picture).contains(box)
    assert frame.size.width >= least * largest * 4 - 1
