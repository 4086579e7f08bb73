"""Where nothing can be written every page opens, shows what there is, and says why nothing can be changed."""

from __future__ import annotations

import pytest
import streamlit as st
from sqlalchemy import event
from streamlit.testing.v1 import AppTest

from core.domain.gallery.filter import GalleryFilter
from tests.conftest import a_request
from tests.pages.conftest import ROOT

PAGES = ["Home.py", "pages/1_Inpaint.py", "pages/2_Gallery.py", "pages/3_Queue.py", "pages/5_Statistics.py"]


@pytest.fixture
def read_only(studio, dispatcher, hand, monkeypatch):
    studio.generations.submit(a_request(prompt="a fox"), count=2)
    dispatcher.drain()
    studio.generations.submit(a_request(prompt="one that waits"))
    engine = studio.gallery.repo._engine
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    monkeypatch.setattr("pages.ui.components.gallery_grid._component", lambda **_: {})
    st.cache_resource.clear()
    return studio


@pytest.mark.slow_but_first
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_database_that_cannot_be_written(read_only, page):
    opened = AppTest.from_file(ROOT / "Home.py", default_timeout=30)
    if page != "Home.py":
        opened.switch_page(page)
    opened.run()

    assert not opened.exception
    assert opened.title
    assert [error.value for error in opened.error if "read\\-only" not in error.value] == []
    assert read_only.gallery.count(GalleryFilter(text="fox")) == 2
