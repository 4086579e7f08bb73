"""Taking results along: what the page offers, and what it says about it."""

from __future__ import annotations

import re

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.files.picture import Picture
from core.domain.generation import Origin
from core.domain.params import InpaintParams
from core.domain.request import InpaintRequest
from core.services.exports import FileType
from tests.conftest import a_mask, a_picture
from tests.domain.test_source_exif import camera_exif


@pytest.fixture
def opened(studio, monkeypatch):
    """Open a page with nothing but the downloads of a new generation with a picture of this kind."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    st.cache_data.clear()

    def page(id: str) -> None:
        from pages.ui.generation.downloads import downloads
        from pages.ui.shell.resources import studio

        downloads(studio(), studio().gallery.get(id), "here")

    def open_page(mode: str = "RGB", exif: bytes | None = None) -> AppTest:
        request = InpaintRequest(a_picture(mode=mode), a_mask(), InpaintParams(prompt="a cat", size=64))
        origin = Origin(source_exif=studio.pictures.keep_exif(Picture(request.image, exif=exif)))
        [id] = studio.generations.submit(request, origin=origin)
        studio.dispatcher.drain()
        opened = AppTest.from_function(page, args=(id,), default_timeout=30).run()
        assert not opened.exception
        return opened

    return open_page


def words_on(page: AppTest) -> str:
    return re.sub(r"\\(\W)", r"\1", "\n".join(caption.value for caption in page.caption))


def test_the_result_the_mask_and_the_original_can_be_taken_along(opened):
    page = opened()

    labels = [button.label for button in page.get("download_button")]

    assert labels == ["Download the result", "Mask as PNG", "Original as PNG"]
    assert "The file contains its generation metadata" in words_on(page)


def test_what_the_camera_wrote_goes_along_and_the_place_only_with_its_switch(opened):
    page = opened(exif=camera_exif().tobytes())

    assert "without the location (GPS)" in words_on(page)
    page.toggle(key="place-here").set_value(True).run()
    assert ", and the location (GPS)" in words_on(page)
    page.toggle(key="strip-here").set_value(True).run()
    assert "camera" not in words_on(page)


def test_a_photo_that_does_not_say_where_it_was_taken_has_no_switch_for_it(opened):
    page = opened(exif=camera_exif(place=False).tobytes())

    assert [toggle.key for toggle in page.toggle] == ["strip-here"]
    assert "camera" in words_on(page)


def test_stripping_is_reported_with_a_message(opened):
    page = opened()

    page.toggle[0].set_value(True).run()

    assert "only the pixels and their colour profile" in words_on(page)


def test_a_format_that_loses_something_says_so(opened):
    page = opened(mode="RGBA")

    page.selectbox[0].set_value(FileType.JPEG).run()

    assert "laid on white" in words_on(page)
    assert "not pixel-exact" in words_on(page)


def test_a_missing_result_shows_a_sentence_and_the_mask_can_still_be_had(opened, studio):
    page = opened()
    [generation] = studio.gallery.browse().generations
    studio.gallery.images.path(generation.output).unlink()

    page.run()

    assert "missing" in page.error[0].value
    assert [button.label for button in page.get("download_button")] == ["Mask as PNG", "Original as PNG"]
