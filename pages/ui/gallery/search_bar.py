"""The bar above the gallery: search, order, filters, saved searches, and what is set of them."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Sort
from pages.ui.gallery.asked import asked_for, change, clear, follow
from pages.ui.gallery.filters import filter_panel, filters_set
from pages.ui.gallery.import_panel import import_panel
from pages.ui.gallery.saved_searches import SORTS, saved_searches
from pages.ui.shell import state
from pages.ui.shell.messages import escaped


def filter_bar(studio: Studio) -> GalleryFilter:
    asked = asked_for()
    phone = state.is_phone()
    row_of_its_own, row = st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    with row_of_its_own if phone else row:
        st.text_input(
            placeholder="Search prompts, titles, notes and tags",
            width="stretch" if phone else 300,
            help='All words must match. cas* finds words that begin with it, "red balloon" a phrase.',
            **follow("text", asked.text),
        )
    with row:
        st.selectbox(
            options=list(Sort),
            format_func=SORTS.__getitem__,
            width="stretch" if phone else 190,
            **follow("sort", asked.sort),
        )
        # Nothing of a popover may change while it is open: another label is another popover, and closed.
        with st.popover("Filters", icon=":material/filter_list:", key="filters", on_change="rerun") as filters:
            if filters.open:
                filter_panel(studio, asked)
        with st.popover("Saved", icon=":material/bookmark:", key="searches", on_change="rerun") as searches:
            if searches.open:
                saved_searches(studio, asked)
        with st.popover("Import", icon=":material/upload:", key="import", on_change="rerun") as panel:
            if panel.open:
                import_panel(studio)
        st.toggle(**follow("in_trash", asked.in_trash))
    _chips(asked)
    return asked


def _chips(asked: GalleryFilter) -> None:
    """Every filter that is set, to be taken away again."""
    active = list(filters_set(asked))
    if not active:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for words, parts in active:
            st.button(
                escaped(words),
                icon=":material/close:",
                icon_position="right",
                key=f"chip-{next(iter(parts))}-{words}",
                help="Remove filter",
                on_click=change,
                kwargs=parts,
            )
        if len(active) > 1:
            st.button("Clear all", type="tertiary", key="clear-filters", on_click=clear, args=(asked.text,))
