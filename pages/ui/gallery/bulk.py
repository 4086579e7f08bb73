"""What can be done with the generations that are selected, and with the whole trash."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.answers import PurgeResult
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Generation, Status
from core.services.collector import TRASH_TTL
from pages.ui.gallery.asked import WITHOUT_PICTURE, change, with_pictures
from pages.ui.generation.actions import RERUN, RESTORE, TRASH, VERIFY, ids_of
from pages.ui.shell import address, state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import button_label
from pages.ui.shell.wording import counted

COMPARE = "compare"
"""In the address: the ids of the two generations that are compared."""

EMPTIED = "trash"
NOTHING = "Select pictures below first."
MANY_CANCELLED = 3
"""So many tiles without a picture on one page are in the way."""


def bulk_bar(studio: Studio, asked: GalleryFilter, selected: Sequence[Generation]) -> None:
    filter = with_pictures(asked)
    count = studio.gallery.count(filter)
    if message := state.pop_flash(EMPTIED):
        st.toast(str(message), icon=":material/delete_forever:")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"), shown_errors():
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="stretch"):
            st.markdown(counted(count, "generation"), width="content")
            if filter != asked:
                _without_picture(studio, asked)
        if filter.in_trash:
            _trash_actions(studio, selected, bool(count))
        elif state.is_phone():
            _folded_actions(studio, selected)
        else:
            _organise_popover(studio, ids_of(selected))
            _actions(studio, selected)


def _without_picture(studio: Studio, asked: GalleryFilter) -> None:
    """The way to those that failed or were cancelled, if there are any."""
    if count := studio.gallery.count(replace(asked, statuses=WITHOUT_PICTURE)):
        st.button(
            f"{count:,} failed or cancelled",
            icon=":material/filter_list:",
            type="tertiary",
            key="without-picture",
            on_click=change,
            kwargs={"statuses": WITHOUT_PICTURE},
        )


def _folded_actions(studio: Studio, selected: Sequence[Generation]) -> None:
    """All of them behind one button: on a phone they would take three rows above the pictures."""
    with st.popover(
        "Selected",
        icon=":material/checklist:",
        disabled=not selected,
        key="with-selected",
        on_change="rerun",
        help="Organise, compare, run again, verify, export or delete" if selected else NOTHING,
    ) as folded:
        if folded.open and selected:
            with st.container(horizontal=True, gap="small"):
                _actions(studio, selected)
            _organise(studio, ids_of(selected))


def _organise_popover(studio: Studio, ids: Sequence[str]) -> None:
    with st.popover(
        "Organise",
        icon=":material/label:",
        disabled=not ids,
        key="organise",
        on_change="rerun",
        help="Favourite, rating and tags of the selection",
    ) as organise:
        if organise.open and ids:
            _organise(studio, ids)


def _actions(studio: Studio, selected: Sequence[Generation]) -> None:
    results = [generation.id for generation in selected if generation.output]
    _compare_button(results)
    for action in (RERUN, VERIFY):
        action.button_for_selected(studio, selected, NOTHING)
    st.download_button(
        "Export",
        lambda: _bundle(studio, results),
        "inpaint-studio.zip",
        "application/zip",
        icon=":material/folder_zip:",
        disabled=not results,
        on_click="ignore",
        key="export-selected",
        help="One zip file with records, originals, masks and results, for another Inpaint Studio"
        if results
        else NOTHING,
    )
    TRASH.button_for_selected(studio, selected, NOTHING)


def _trash_actions(studio: Studio, selected: Sequence[Generation], anything: bool) -> None:
    RESTORE.button_for_selected(studio, selected, NOTHING)
    if st.button(
        "Delete permanently",
        icon=":material/delete_forever:",
        disabled=not selected,
        key="remove-selected",
        help="This cannot be undone" if selected else NOTHING,
    ):
        _delete_for_good(studio, ids_of(selected))
    if st.button("Empty trash", icon=":material/delete_sweep:", disabled=not anything, key="empty-trash"):
        _empty_trash(studio)


def _compare_button(results: Sequence[str]) -> None:
    two = len(results) == 2
    if st.button(
        "Compare",
        icon=":material/compare:",
        disabled=not two,
        key="compare-selected",
        help="The older one is on the left" if two else "Select exactly two finished generations.",
    ):
        address.put(**{COMPARE: list(reversed(results))})
        st.rerun()


def _bundle(studio: Studio, ids: Sequence[str]) -> bytes:
    file = io.BytesIO()
    studio.bundles.export(ids, file)
    return file.getvalue()


def offer_to_tidy(studio: Studio, page: Sequence[Generation]) -> None:
    """After a batch was cancelled, its empty tiles stand before all pictures: they go with one click.

    One that the artist has marked in any way is not in the way.
    """
    empty = [g for g in page if g.status is Status.CANCELLED and g.output is None and not _is_marked(g)]
    if len(empty) < MANY_CANCELLED:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{len(empty)} cancelled without a result", width="content")
        action_button(
            button_label(TRASH.label, "those cancelled on this page"),
            TRASH.do,
            studio,
            empty,
            key="trash-cancelled",
            icon=TRASH.icon,
            type="tertiary",
            help=TRASH.help,
        )


def _is_marked(generation: Generation) -> bool:
    return bool(generation.favourite or generation.rating or generation.title or generation.notes or generation.tags)


def _organise(studio: Studio, ids: Sequence[str]) -> None:
    gallery = studio.gallery
    st.caption(f"For {counted(len(ids), 'generation')}")
    with st.container(horizontal=True, gap="small"):
        _mark_button("Favourite", ":material/star:", lambda: gallery.set_favourite(ids))
        _mark_button("Remove from favourites", ":material/close:", lambda: gallery.set_favourite(ids, False))
    st.caption("Rating")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.feedback("stars", key="rate-selected", on_change=_rate, args=(studio, ids))
        _mark_button("Clear rating", ":material/backspace:", lambda: gallery.rate(ids, None))
    st.multiselect(
        "Tags", gallery.tags(), key="tags-of-selected", accept_new_options=True, placeholder="Choose or write tags"
    )
    with st.container(horizontal=True, gap="small"):
        _mark_button("Add tags", ":material/new_label:", lambda: gallery.tag(ids, _chosen_tags()))
        _mark_button("Remove tags", ":material/label_off:", lambda: gallery.untag(ids, _chosen_tags()))


def _mark_button(title: str, icon: str, do: Callable[[], Any]) -> None:
    """A callback, so that the page shows its effect at once."""
    st.button(title, icon=icon, key=f"{title}-selected", on_click=_done, args=(title, do))


def _done(title: str, do: Callable[[], Any]) -> None:
    with shown_errors():
        do()
        st.toast(f"{title}: done.", icon=":material/check:")


def _chosen_tags() -> list[str]:
    return list(state.widget_value("tags-of-selected"))


def _rate(studio: Studio, ids: Sequence[str]) -> None:
    stars = state.widget_value("rate-selected")
    if stars is not None:
        _done(f"Rated {stars + 1}", lambda: studio.gallery.rate(ids, stars + 1))
        state.set_value("rate-selected", None)


@st.dialog("Delete permanently", width="small")
def _delete_for_good(studio: Studio, ids: Sequence[str]) -> None:
    st.markdown(
        f"{counted(len(ids), 'generation')} will be deleted. This cannot be undone. Generations made from them are "
        "kept."
    )
    at_once = _free_at_once()
    _confirm("Delete permanently", lambda: studio.gallery.delete_for_good(ids, at_once=at_once))


@st.dialog("Empty trash", width="small")
def _empty_trash(studio: Studio) -> None:
    st.markdown(
        f"Everything in the trash will be deleted: {studio.gallery.count(GalleryFilter(in_trash=True)):,} in all. "
        "This cannot be undone. Generations made from them are kept."
    )
    only_old = st.checkbox(f"Only items older than {TRASH_TTL.days} days", key="only-old")
    at_once = _free_at_once()
    _confirm("Empty trash", lambda: studio.gallery.empty_trash(all=not only_old, at_once=at_once))


def _free_at_once() -> bool:
    st.caption(
        f"Unused picture files are kept in the data folder for another {TRASH_TTL.days} days, in case something went "
        "wrong."
    )
    return st.checkbox("Free the space now", key="free-at-once", help="Delete these files, and those kept from before.")


def _confirm(title: str, do: Callable[[], PurgeResult]) -> None:
    with st.container(horizontal=True):
        sure = st.button(title, type="primary", icon=":material/delete_forever:", key="confirm")
        if st.button("Cancel", key="do-not"):
            st.rerun()
    if sure:
        with shown_errors():
            emptied = do()
            freed = f", {emptied.freed.bytes / 1e6:,.1f} MB freed" if emptied.freed else ""
            state.flash(EMPTIED, f"{counted(emptied.generations, 'generation')} deleted permanently{freed}.")
            st.rerun()
