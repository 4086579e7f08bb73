"""Masks from elsewhere on the Inpaint page: what is understood of them is told, as long as they are there."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.domain.mask import Mask
from tests.conftest import a_mask, a_picture


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


def test_what_is_nearly_black_in_a_mask_is_not_counted(ready, pictured, studio):
    page = upload_mask(ready, pictured, Image.fromarray(np.maximum(a_mask().pixels, 1)))

    assert mask_of(studio, pictured) == a_mask()
    assert "15 % of the picture will be repainted" in captions(page)


def test_the_mask_of_an_earlier_generation_that_is_nearly_black_is_not_counted(ready, pictured, studio):
    """One that came in before anybody looked at such greys."""
    stored = studio.drafts.images.put(Image.fromarray(np.maximum(a_mask().pixels, 1)))
    studio.drafts.save(pictured, studio.drafts.get(pictured).changed(base_mask=stored, drawing=None))

    page = ready.run()

    assert "15 % of the picture will be repainted" in captions(page)
