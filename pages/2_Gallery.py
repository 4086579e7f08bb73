"""Gallery: what was made, newest first. Open one, run it again, put it away."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery import Cursor, GalleryFilter, GallerySlice, Sort
from core.domain.generation import Status
from pages.ui import state
from pages.ui.gallery_grid import STATUS_TITLES, gallery_grid
from pages.ui.generation_card import GENERATION_PARAMETER, INPAINT_PAGE, generation_card, headline, in_words
from pages.ui.messages import shown_errors
from pages.ui.resources import studio

SORTS = {
    Sort.NEWEST: "Newest first",
    Sort.OLDEST: "Oldest first",
    Sort.BEST: "Best rated first",
    Sort.WORST: "Lowest rated first",
    Sort.SLOWEST: "Slowest first",
    Sort.FASTEST: "Fastest first",
}

AFTER = "after"
"""In the address: the cursor of the page shown. Absent on the first page."""


def gallery_page(studio: Studio) -> None:
    filter = _filter(studio)
    cursor = _cursor(filter)
    found = studio.gallery.browse(filter, cursor)
    toolbar, news = st.container(), st.container()
    if not found.generations:
        _nothing_found(studio, filter)
    answer = gallery_grid(studio.gallery, found.generations, key="gallery")
    with toolbar:
        _toolbar(studio, filter, answer.selected)
    _pager(studio, filter, cursor, found)
    opened = answer.opened or st.query_params.get(GENERATION_PARAMETER)
    if opened:
        # Also when it stands there already: a link to another one on this page tells the server, but not the browser.
        st.query_params[GENERATION_PARAMETER] = opened
        _detail(studio, opened, [g.id for g in found.generations])
    elif any(g.status.is_active for g in found.generations):
        with news:
            _watch(studio, filter, cursor, found)


def _filter(studio: Studio) -> GalleryFilter:
    """The widgets follow the address and write to it, so Back and a copied address both work.

    Not bind="query-params": with it st.switch_page refuses to leave the page (Streamlit 1.67).
    """
    asked = _asked_for()
    state.fill_widget("status", [STATUS_TITLES[status] for status in asked.statuses])
    state.fill_widget("model", list(asked.models))
    state.fill_widget("trash", asked.in_trash)
    state.fill_widget("search", asked.text)
    state.fill_widget("favourite", bool(asked.favourite))
    state.fill_widget("sort", SORTS[asked.sort])
    models = dict.fromkeys((*studio.gallery.models(), *asked.models))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Search", placeholder="Words of prompt, title, notes or tags", key="search", on_change=_ask, width=300,
            help='All words must be found. cas* finds beginnings, "red balloon" a phrase.',
        )  # fmt: skip
        st.multiselect(
            "Status", list(STATUS_TITLES.values()), placeholder="Any", key="status", on_change=_ask, width=300
        )
        st.multiselect("Model", list(models), placeholder="Any", key="model", on_change=_ask, width=300)
        st.selectbox("Order", list(SORTS.values()), key="sort", on_change=_ask, width=200)
        st.toggle("Favourites", key="favourite", on_change=_ask)
        st.toggle("Trash", key="trash", on_change=_ask)
    return asked


def _asked_for() -> GalleryFilter:
    with shown_errors():
        return GalleryFilter.from_query({name: st.query_params.get_all(name) for name in st.query_params})
    return GalleryFilter()


def _ask() -> None:
    """Write what the widgets say into the address, and start from the first page."""
    titles = state.widget_value("status")
    before = _asked_for()
    after = replace(
        before,
        statuses=tuple(status for status, title in STATUS_TITLES.items() if title in titles),
        models=tuple(state.widget_value("model")),
        in_trash=state.widget_value("trash"),
        text=state.widget_value("search"),
        favourite=state.widget_value("favourite") or None,
        sort=next(sort for sort, title in SORTS.items() if title == state.widget_value("sort")),
    )
    for name in (AFTER, *before.to_query()):
        st.query_params.pop(name, None)
    st.query_params.update(after.to_query())


def _cursor(filter: GalleryFilter) -> Cursor | None:
    if AFTER not in st.query_params:
        return None
    with shown_errors():
        cursor = Cursor.from_text(st.query_params[AFTER])
        cursor.check(filter.sort)
        return cursor
    _to_first_page()
    return None


def _to_first_page() -> None:
    st.query_params.pop(AFTER, None)


def _toolbar(studio: Studio, filter: GalleryFilter, selected: tuple[str, ...]) -> None:
    count = studio.gallery.count(filter)
    with st.container(horizontal=True, vertical_alignment="center"), shown_errors():
        st.markdown(f"{count:,} {'generation' if count == 1 else 'generations'}", width="stretch")
        none, hint = not selected, "What is selected below."
        if st.button("Re-run", icon=":material/replay:", disabled=none, help=hint, key="rerun-selected"):
            for id in selected:
                studio.generations.rerun(id, session=state.session())
            st.toast(f"{_counted(selected)} queued again with the same seed.", icon=":material/replay:")
            st.rerun()
        if st.button("Verify", icon=":material/fact_check:", disabled=none, help=hint, key="verify-selected"):
            queued = studio.reproductions.verify(selected)
            st.toast(f"{len(queued)} queued to be verified.", icon=":material/fact_check:")
        if filter.in_trash:
            if st.button(
                "Restore", icon=":material/restore_from_trash:", disabled=none, help=hint, key="restore-selected"
            ):
                studio.gallery.restore(selected)
                st.toast(f"{_counted(selected)} restored.", icon=":material/restore_from_trash:")
                st.rerun()
        elif st.button("Delete", icon=":material/delete:", disabled=none, help=hint, key="trash-selected"):
            studio.gallery.trash(selected)
            st.toast(f"{_counted(selected)} moved to the trash.", icon=":material/delete:")
            st.rerun()


def _counted(ids: tuple[str, ...]) -> str:
    return "1 generation" if len(ids) == 1 else f"{len(ids)} generations"


def _nothing_found(studio: Studio, filter: GalleryFilter) -> None:
    if filter.in_trash:
        st.info("The trash is empty.", icon=":material/delete:")
    elif filter != GalleryFilter() or AFTER in st.query_params:
        st.info(
            "No generation matches. Choose other filters, or go back to the first page.", icon=":material/search_off:"
        )
    else:
        st.info(
            "Nothing here yet. Open a picture, paint over what should change, say what should be there, "
            "and press Generate: everything you make is kept here.",
            icon=":material/brush:",
        )
        st.page_link(INPAINT_PAGE, label="Paint the first one", icon=":material/arrow_forward:")


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
        st.query_params.pop(AFTER, None)
    else:
        st.query_params[AFTER] = cursor.to_text()
    st.rerun()


@st.fragment(run_every="1s")
def _watch(studio: Studio, filter: GalleryFilter, cursor: Cursor | None, shown: GallerySlice) -> None:
    """While something on this page is waiting or being painted: how far it is, and a new page when one has ended."""
    with shown_errors():
        now = studio.gallery.browse(filter, cursor)
        if [(g.id, g.status) for g in now.generations] != [(g.id, g.status) for g in shown.generations]:
            st.rerun()
        for generation in now.generations:
            if generation.status is Status.RUNNING:
                progress = studio.generations.progress(generation.id)
                st.progress(progress.fraction, text=in_words(progress))
        waiting = sum(g.status is Status.QUEUED for g in now.generations)
        if waiting:
            st.caption(f"{waiting} waiting")


def _close_detail() -> None:
    st.query_params.pop(GENERATION_PARAMETER, None)


@st.dialog("Generation", width="large", on_dismiss=_close_detail)
def _detail(studio: Studio, id: str, page: list[str]) -> None:
    with shown_errors():
        generation = studio.gallery.get(id)
        with st.container(horizontal=True, vertical_alignment="center"):
            headline(studio, generation)
            if id in page:
                _neighbours(page, page.index(id))
        generation_card(studio, generation)


def _neighbours(page: list[str], at: int) -> None:
    with st.container(horizontal=True, width="content", gap="small"):
        if st.button("Newer", icon=":material/chevron_left:", disabled=at == 0, key="detail-newer", type="tertiary"):
            _open(page[at - 1])
        if st.button(
            "Older", icon=":material/chevron_right:", icon_position="right", disabled=at == len(page) - 1,
            key="detail-older", type="tertiary",
        ):  # fmt: skip
            _open(page[at + 1])


def _open(id: str) -> None:
    st.query_params[GENERATION_PARAMETER] = id
    st.rerun()


st.set_page_config(page_title="Gallery · Inpaint Studio", page_icon=":material/photo_library:", layout="wide")
st.title("Gallery")
with shown_errors():
    gallery_page(studio())
