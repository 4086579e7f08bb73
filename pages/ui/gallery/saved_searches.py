"""Searches that are kept under a name."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Sort
from pages.ui.gallery.asked import ask, asked_for
from pages.ui.gallery.filters import filters_set
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors

SORTS = {
    Sort.NEWEST: "Newest first",
    Sort.OLDEST: "Oldest first",
    Sort.BEST: "Best rated first",
    Sort.WORST: "Lowest rated first",
    Sort.SLOWEST: "Slowest first",
    Sort.FASTEST: "Fastest first",
}


def saved_searches(studio: Studio, asked: GalleryFilter) -> None:
    with shown_errors():
        searches = studio.gallery.saved_searches()
        for search in searches:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    escaped(search.name),
                    key=f"open-search-{search.name}",
                    width="stretch",
                    type="primary" if search.filter == asked else "secondary",
                    help=escaped(_describe(search.filter)),
                    on_click=ask,
                    args=(search.filter,),
                )
                st.button(
                    "Delete",
                    icon=":material/delete:",
                    type="tertiary",
                    key=f"forget-{search.name}",
                    on_click=_forget,
                    args=(studio, search.name),
                )
        if not searches:
            st.caption("None yet. Set a search and filters, then save them here under a name.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Name", key="search-name", placeholder="Name of the current search")
            action_button("Save", _save, studio, key="save-search", icon=":material/bookmark_add:")


def _save(studio: Studio) -> None:
    studio.gallery.save_search(str(state.widget_value("search-name")), asked_for())
    state.set_value("search-name", "")


def _forget(studio: Studio, name: str) -> None:
    with shown_errors():
        studio.gallery.delete_search(name)


def _describe(filter: GalleryFilter) -> str:
    """The whole question in one line."""
    words = [f"“{filter.text}”"] if filter.text else []
    words += [words for words, _ in filters_set(filter)]
    if filter.in_trash:
        words.append("In the trash")
    if filter.sort is not Sort.NEWEST:
        words.append(SORTS[filter.sort])
    return ", ".join(words) or "Everything, newest first"
