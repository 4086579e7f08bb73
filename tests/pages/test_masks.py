"""Masks from elsewhere on the Inpaint page: what is understood of them is told, as long as they are there."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.domain.files.picture import Picture
from core.domain.pixels.mask import Mask
from pages.ui.shell import prepared
from tests.conftest import a_mask, a_picture
from tests.pages.conftest import ROOM_PX
from tests.profiles import rgb_profile


def upload_mask(page: AppTest, id: str, image: Image.Image) -> AppTest:
    file = io.BytesIO()
    image.save(file, "PNG")
    return page.file_uploader(key=f"{id}.mask").upload("mask.png", file.getvalue(), "image/png").run().run()


def mask_of(studio, id: str) -> Mask:
    return Mask.stored(studio.gallery.image(studio.drafts.get(id).base_mask))


def captions(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.caption)


def test_a_coloured_mask_is_wholly_on_and_the_page_says_so(ready, pictured, studio):
    image = Image.new("RGB", (96, 64))
    image.paste("blue", (20, 10, 50, 40))

    page = upload_mask(ready, pictured, image)

    assert mask_of(studio, pictured) == a_mask()
    assert "The mask is coloured" in captions(page.run())
    assert "15 % of the picture will be repainted" in captions(page)
    page.button(key="canvas-clear").click().run()
    assert "coloured" not in captions(page)


def test_a_mask_in_the_alpha_channel_is_what_is_transparent(ready, pictured, studio):
    erased = a_picture().convert("RGBA")
    erased.paste((0, 0, 0, 0), (20, 10, 50, 40))

    page = upload_mask(ready, pictured, erased)

    assert mask_of(studio, pictured) == a_mask()
    assert "transparent part is repainted" in captions(page)


@pytest.mark.slow
def test_what_is_nearly_black_in_a_mask_is_not_counted(ready, pictured, studio):
    page = upload_mask(ready, pictured, Image.fromarray(np.maximum(a_mask().pixels, 1)))

    assert mask_of(studio, pictured) == a_mask()
    assert "15 % of the picture will be repainted" in captions(page)


@pytest.mark.slow
def test_the_mask_of_an_earlier_generation_that_is_nearly_black_is_not_counted(ready, pictured, studio):
    """One that came in before anybody looked at such greys."""
    stored = studio.drafts.images.put(Image.fromarray(np.maximum(a_mask().pixels, 1)))
    studio.drafts.save(pictured, studio.drafts.get(pictured).changed(base_mask=stored, drawing=None))

    page = ready.run()

    assert "15 % of the picture will be repainted" in captions(page)


# Parts far apart -----------------------------------------------------------------------------------------------


@pytest.fixture
def far_apart(studio, inpaint) -> tuple[AppTest, str]:
    """The page with a large picture and two small parts painted, and the id of its draft."""
    pixels = np.zeros((1200, 1800), np.uint8)
    pixels[100:130, 100:140] = pixels[1100:1130, 1700:1740] = 255
    id = studio.drafts.start()
    draft = studio.drafts.open_picture(studio.drafts.get(id), Picture(a_picture(1800, 1200)), "photo.png")
    key = studio.drafts.images.put(Mask(pixels).to_image())
    studio.drafts.save(id, draft.changed(base_mask=key))
    return inpaint(draft=id).run(), id


@pytest.mark.slow
def test_two_small_parts_far_apart_are_told_with_their_pixels_and_painted_separately_by_a_click(far_apart, studio):
    page, id = far_apart
    assert "2 parts far apart" in captions(page)
    assert "pixels in the model's input" in captions(page)

    page.button(key=f"{id}.use-area").click().run().run()

    assert page.selectbox(key=f"{id}.area").value == "separate"
    assert studio.drafts.get(id).params["area"] == "separate"
    assert "far apart" not in captions(page)


@pytest.mark.slow
def test_what_is_drawn_over_a_mask_on_the_simple_canvas_counts_too(far_apart, hand):
    page, _ = far_apart
    hand.paint(0, 0, ROOM_PX, ROOM_PX)

    assert "far apart" not in captions(page.run())


def test_a_mask_with_enough_pixels_is_not_talked_about(ready):
    assert "pixels in the model's input" not in captions(ready.run())


# Colours --------------------------------------------------------------------------------------------------------


def test_the_painter_and_the_simple_canvas_show_a_photo_in_srgb(studio):
    photo = Image.new("RGB", (96, 64), (200, 100, 50))
    photo.info["icc_profile"] = rgb_profile()
    key = studio.drafts.images.put(photo)

    for file in (prepared.painter_picture(studio, key), prepared.screen_picture(studio, key)):
        with Image.open(io.BytesIO(file)) as shown:
            assert "icc_profile" not in shown.info
            assert shown.getpixel((40, 30)) == pytest.approx((216, 93, 24), abs=4)
