"""Drafts on Home and in the bar of the Inpaint page: found, opened, named, duplicated, saved, deleted."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.draft import Draft
from core.domain.files.picture import Picture
from pages.ui.shell import prepared
from tests.conftest import a_mask, a_picture
from tests.pages.test_inpaint import words_on
from tests.pages.test_inpaint_session import opened as unfolded
from tests.pages.test_inpaint_session import press

ROOT = Path(__file__).parents[2]
ME, OTHER = "a" * 16, "b" * 16


@pytest.fixture(autouse=True)
def person(monkeypatch):
    monkeypatch.setattr("pages.ui.shell.state._cookies", lambda: {"inpaint_studio_person": ME})
    st.cache_data.clear()


@pytest.fixture
def opened(studio, clock):
    """Makes a draft with a picture and a mask, a minute after the one before; returns its id."""

    def open_picture(name: str = "photo.png", person: str | None = ME, size: tuple[int, int] = (96, 64)) -> str:
        clock.wait(minutes=1)
        id = studio.drafts.start(person)
        draft = studio.drafts.open_picture(Draft(), Picture(a_picture(*size)), name)
        studio.drafts.save(id, draft.changed(base_mask=studio.drafts.images.put(a_mask(*size).to_image())))
        return id

    return open_picture


def links(page: AppTest) -> dict[str, str]:
    """Names of the tiles, and where they lead."""
    found = {link.label.replace("\\", ""): link.proto.query_string for link in page.get("page_link")}
    return {name: query for name, query in found.items() if "draft" in query}


def test_home_shows_my_drafts_changed_last_first_and_each_leads_to_its_own(home, opened):
    first, second = opened("coast.png"), opened("hill.png")
    opened("secret.png", person=OTHER)

    assert links(home()) == {"hill.png": f"draft={second}", "coast.png": f"draft={first}"}


def test_six_are_shown_until_all_are_asked_for(home, opened):
    for nth in range(8):
        opened(f"{nth}.png")

    page = home()
    assert len(links(page)) == 6

    page.toggle(key="all-drafts").set_value(True).run()
    assert len(links(page)) == 8


def test_a_run_of_home_decodes_no_picture_of_a_draft(home, opened, decoded):
    opened(size=(960, 640))
    home()
    decoded.clear()

    home()

    assert decoded == []


def test_after_a_start_the_thumbnail_is_decoded_and_not_the_picture(home, opened, decoded):
    opened(size=(960, 640))
    prepared._draft_picture.clear()
    decoded.clear()

    home()

    # The mask is, once.
    assert sorted(decoded) == [(384, 256), (960, 640)]


def test_a_draft_whose_picture_is_lost_can_still_be_named_and_deleted(home, opened, studio, tmp_path):
    id = opened()
    draft = studio.drafts.get(id)
    for key in (draft.source, draft.thumbnail):
        studio.drafts.images.discard(key)
        studio.drafts.images.erase(key, studio.drafts.now().date())

    page = unfolded(home(), f"draft-menu-{id}")

    assert "No picture" in words_on(page)
    press(page, f"draft-delete-{id}")
    assert studio.drafts.of(ME) == []


def test_it_gets_a_name(home, opened, studio):
    id = opened("coast.png")

    page = unfolded(home(), f"draft-menu-{id}")
    page.text_input(key=f"draft-name-{id}").set_value("The *lighthouse*").run()

    assert links(page) == {"The *lighthouse*": f"draft={id}"}


def test_a_name_that_is_too_long_is_told_and_changes_nothing(home, opened, studio):
    id = opened("coast.png")

    page = unfolded(home(), f"draft-menu-{id}")
    page.text_input(key=f"draft-name-{id}").set_value("x" * 201).run()

    assert "201 characters; the limit is 200" in page.toast[0].value
    assert links(page) == {"coast.png": f"draft={id}"}


def test_a_duplicate_is_mine_and_stands_beside_it(home, opened):
    id = opened("coast.png")

    page = press(unfolded(home(), f"draft-menu-{id}"), f"draft-duplicate-{id}")

    assert list(links(page)) == ["coast.png (copy)", "coast.png"]


def test_a_deleted_one_is_brought_back_by_undo_or_later(home, opened, studio):
    id = opened("coast.png")

    page = press(unfolded(home(), f"draft-menu-{id}"), f"draft-delete-{id}")
    assert links(page) == {}
    assert "Draft deleted." in words_on(page)
    press(page, "undo-trash")
    assert list(links(page)) == ["coast.png"]

    press(unfolded(page, f"draft-menu-{id}"), f"draft-delete-{id}")
    press(unfolded(page, "drafts-deleted"), f"draft-restore-{id}")
    assert list(links(page)) == ["coast.png"]


def test_a_saved_file_opens_as_a_draft_of_mine(home, opened, studio):
    file = io.BytesIO()
    studio.draft_files.export(opened("coast.png", person=OTHER), file)

    page = home()
    page.file_uploader(key="draft-file").upload("coast.draft.zip", file.getvalue(), "application/zip").run()

    [mine] = studio.drafts.of(ME)
    assert mine.name == "coast.png"
    assert page.query_params["draft"] == mine.id


def test_another_file_is_refused_in_a_sentence(home, studio):
    page = home()

    page.file_uploader(key="draft-file").upload("a.zip", b"no zip", "application/zip").run()

    assert "not a draft of Inpaint Studio" in page.error[0].value.replace("\\", "")
    assert studio.drafts.of(ME) == []


BAR = """
from pages.ui.drafts.popover import drafts_popover
from pages.ui.shell import resources, state
from pages.ui.shell.page import begin_page

begin_page("Inpaint", "x")
studio = resources.studio()
drafts_popover(studio, state.draft(studio)[0])
"""


@pytest.fixture
def in_bar(studio, monkeypatch, tmp_path):
    """Open a page that has nothing but the popover, with this draft."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "1_Inpaint.py").touch()
    (tmp_path / "Home.py").write_text(BAR, "utf-8")

    def open_bar(id: str) -> AppTest:
        page = AppTest.from_file(tmp_path / "Home.py", default_timeout=30)
        page.query_params["draft"] = id
        return unfolded(page, "drafts-popover")

    return open_bar


def test_the_bar_offers_the_others_and_what_can_be_done_with_the_open_one(in_bar, opened):
    other, mine = opened("coast.png"), opened("hill.png")

    page = in_bar(mine)

    assert links(page) == {"coast.png": f"draft={other}"}
    assert page.text_input(key=f"draft-name-{mine}").placeholder == "hill.png"


def test_deleting_the_open_one_leaves_it_and_undo_goes_back_to_it(in_bar, opened, studio):
    id = opened("coast.png")

    page = press(in_bar(id), f"draft-delete-{id}")
    assert page.query_params["draft"] != id
    assert [kept.id for kept in studio.drafts.deleted(ME)] == [id]

    press(page, "undo-trash")
    assert page.query_params["draft"] == id
    assert [kept.id for kept in studio.drafts.of(ME)] == [id]


def test_where_no_picture_is_open_yet_drafts_are_offered_beside_the_samples(studio, opened, monkeypatch):
    id = opened("coast.png")
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)

    page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).switch_page("pages/1_Inpaint.py").run()

    assert not page.exception
    assert links(page) == {"coast.png": f"draft={id}"}


def test_a_draft_of_nobody_becomes_mine_when_i_open_it_by_its_address(in_bar, opened, studio):
    id = opened("coast.png", person=None)

    in_bar(id)

    assert [kept.id for kept in studio.drafts.of(OTHER)] == []
