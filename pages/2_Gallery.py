"""Gallery: what was made, newest first. Find it, open it, compare it, run it again, put it in order or away."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.gallery.answers import GallerySlice
from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Cursor, Sort
from core.domain.generation import Status, Verdict
from pages.ui.components.gallery_grid import NO_PROMPT, gallery_grid
from pages.ui.gallery.asked import AFTER, WITHOUT_PICTURE, clear, with_pictures
from pages.ui.gallery.bulk import COMPARE, bulk_bar, offer_to_tidy
from pages.ui.gallery.search_bar import filter_bar
from pages.ui.generation.actions import trash_toast
from pages.ui.generation.card import describe_progress, generation_card, headline
from pages.ui.generation.compare import comparison
from pages.ui.reproduction import batch_progress
from pages.ui.shell import address
from pages.ui.shell.links import GENERATION_PARAMETER, INPAINT_PAGE
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.page import begin_page
from pages.ui.shell.resources import studio
from pages.ui.shell.watching import draw_page_again
from pages.ui.shell.wording import beginning

DIALOG_TITLE = 80
"""Characters of a prompt above its card, which has the whole of it."""


def gallery_page(studio: Studio) -> None:
    if problem := studio.collector.problem():
        st.warning(escaped(problem), icon=":material/folder_off:")
    trash_toast(studio)
    asked = filter_bar(studio)
    filter = with_pictures(asked)
    cursor = _cursor(filter)
    found = studio.gallery.browse(filter, cursor)
    toolbar, news = st.container(), st.container()
    if not found.generations:
        _nothing_found(studio, asked)
    if not filter.in_trash:
        offer_to_tidy(studio, found.generations)
    answer = gallery_grid(studio.gallery, found.generations, key="gallery")
    with toolbar:
        bulk_bar(studio, asked, [g for g in found.generations if g.id in answer.selected])
    _pager(studio, filter, cursor, found)
    opened = answer.opened or address.get(GENERATION_PARAMETER)
    compared = address.get_all(COMPARE)
    if opened:
        address.put(**{GENERATION_PARAMETER: opened})
        _detail(studio, opened, [g.id for g in found.generations])
    elif len(compared) == 2:
        _compared(studio, *compared)
    elif studio.gallery.is_anything_active():
        with news:
            _watch(studio, filter, cursor, found)


def _cursor(filter: GalleryFilter) -> Cursor | None:
    after = address.get(AFTER)
    if after is None:
        return None
    with shown_errors():
        cursor = Cursor.from_text(after)
        cursor.check(filter.sort)
        return cursor
    _to_first_page()
    return None


def _to_first_page() -> None:
    address.drop(AFTER)


def _nothing_found(studio: Studio, filter: GalleryFilter) -> None:
    unfiltered = replace(filter, sort=Sort.NEWEST)
    if address.get(AFTER) is not None:
        st.info("This page is empty. Go to Newest.", icon=":material/search_off:")
    elif unfiltered == GalleryFilter(in_trash=True):
        st.info("The trash is empty.", icon=":material/delete:")
    elif unfiltered != GalleryFilter():
        where = "in the trash " if filter.in_trash else ""
        st.info(f"No generation {where}matches.", icon=":material/search_off:")
        st.button("Clear search and filters", icon=":material/filter_list_off:", key="clear-search", on_click=clear)
    elif studio.gallery.count(GalleryFilter(statuses=WITHOUT_PICTURE)):
        st.info("No picture yet: what was begun failed or was cancelled.", icon=":material/brush:")
    else:
        st.info(
            "Nothing here yet. Open a picture, paint over what should change, describe what should be there, and "
            "press Generate: everything you make is kept here.",
            icon=":material/brush:",
        )
        st.page_link(INPAINT_PAGE, label="Make your first one", icon=":material/arrow_forward:")


def _pager(studio: Studio, filter: GalleryFilter, cursor: Cursor | None, found: GallerySlice) -> None:
    if cursor is None and found.next is None:
        return
    with st.container(horizontal=True, horizontal_alignment="center"):
        if st.button("Newest", icon=":material/first_page:", disabled=cursor is None):
            _turn_to(None)
        if st.button("Newer", icon=":material/chevron_left:", disabled=cursor is None) and cursor is not None:
            _turn_to(studio.gallery.page_before(filter, cursor))
        if st.button("Older", icon=":material/chevron_right:", icon_position="right", disabled=found.next is None):
            _turn_to(found.next)


def _turn_to(cursor: Cursor | None) -> None:
    if cursor is None:
        address.drop(AFTER)
    else:
        address.put(**{AFTER: cursor.to_text()})
    st.rerun()


@st.fragment(run_every=2.0)
def _watch(studio: Studio, filter: GalleryFilter, cursor: Cursor | None, shown: GallerySlice) -> None:
    """While something is waiting, being painted or verified: how far it is, and a new page when one has ended."""
    with shown_errors():
        now = studio.gallery.states(filter, cursor)
        if now != _state_of(shown) or not studio.gallery.is_anything_active():
            draw_page_again()
        batch_progress(studio)
        for id, status, _ in now:
            if status is Status.RUNNING:
                progress = studio.generations.progress(id)
                st.progress(progress.fraction, text=describe_progress(progress))
        waiting = sum(status is Status.QUEUED for _, status, _ in now)
        if waiting:
            st.caption(f"{waiting} waiting")


def _state_of(page: GallerySlice) -> list[tuple[str, Status, Verdict | None]]:
    return [(g.id, g.status, g.verdict) for g in page.generations]


def _close_detail() -> None:
    address.drop(GENERATION_PARAMETER)


def _close_comparison() -> None:
    address.drop(COMPARE)


@st.dialog("Compare", width="large", on_dismiss=_close_comparison)
def _compared(studio: Studio, left: str, right: str) -> None:
    with shown_errors():
        comparison(studio, left, right)


def _detail(studio: Studio, id: str, page: list[str]) -> None:
    """The open generation in a dialog that is called as it is: by its title, else its prompt."""
    try:
        generation = studio.gallery.get(id)
        name = generation.title or generation.params.prompt
    except StudioError:
        name = ""
    title = escaped(beginning(name, DIALOG_TITLE)) or NO_PROMPT
    st.dialog(title, width="large", on_dismiss=_close_detail)(_card)(studio, id, page)


def _card(studio: Studio, id: str, page: list[str]) -> None:
    with shown_errors():
        generation = studio.gallery.get(id)

        def heading() -> None:
            if id in page:
                _neighbours(page, page.index(id))
            headline(studio, generation)

        generation_card(studio, generation, heading)


def _neighbours(page: list[str], at: int) -> None:
    with st.container(horizontal=True, width="content", gap="small"):
        if st.button("Newer", icon=":material/chevron_left:", disabled=at == 0, key="detail-newer", type="tertiary"):
            _open(page[at - 1])
        if st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=at == len(page) - 1,
            key="detail-older",
            type="tertiary",
        ):
            _open(page[at + 1])


def _open(id: str) -> None:
    address.put(**{GENERATION_PARAMETER: id})
    st.rerun()


begin_page("Gallery", "🖼️")
with shown_errors():
    gallery_page(studio())
