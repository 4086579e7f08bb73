"""The models on this machine: search, filters, a grid of them, and the chosen one; beside them those to download."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.model_library import KindFilter, ModelEntry, gigabytes, matching
from pages.ui.components.gallery_grid import Tile, tile_grid
from pages.ui.models.available import available_view
from pages.ui.models.details import details
from pages.ui.models.words import KINDS, title_of
from pages.ui.shell import address, state
from pages.ui.shell.actions import action_button
from pages.ui.shell.links import MODEL_PARAMETER
from pages.ui.shell.media import address as media_address
from pages.ui.shell.messages import escaped, shown_errors

SHOWN = 60
SEARCH, KIND, FAMILY, SORT, PAGE = "search", "kind", "family", "sort", "page"
"""In the address."""

ALL = ""
VIEW, DOWNLOAD = "view", "download"
VIEWS = {ALL: "On this machine", DOWNLOAD: "Download"}

NAME, NEWEST, LARGEST = "name", "newest", "largest"
SORTS = {NAME: "Name", NEWEST: "Date modified", LARGEST: "Size"}

PICTURES_KEPT = 2000
PICTURE_KEPT_S = 600


def models_view(studio: Studio) -> None:
    state.set_value("models-view", _one_of(VIEW, list(VIEWS)))
    chosen = st.segmented_control(
        "Show",
        list(VIEWS),
        format_func=VIEWS.__getitem__,
        required=True,
        key="models-view",
        label_visibility="collapsed",
        on_change=_change_view,
    )
    if chosen == DOWNLOAD:
        available_view(studio)
    else:
        _library(studio)


def _change_view() -> None:
    view = str(state.widget_value("models-view") or ALL)
    address.replace({VIEW: [view] if view else []})


def _library(studio: Studio) -> None:
    with st.spinner("Reading headers", show_time=True):
        entries = studio.library.here()
    chosen = _filter_bar(entries)
    page = _page(len(chosen))
    shown = chosen[page * SHOWN : (page + 1) * SHOWN]
    sizes = gigabytes(sum(entry.found.size for entry in chosen))
    st.caption(f"{len(chosen):,} of {len(entries):,} models, {sizes}")
    if prepared := studio.library.prepared():
        _prepared(studio, prepared)
    if not chosen:
        st.info("No model matches. Search for other words, or clear the filters.", icon=":material/search_off:")
    answer = tile_grid([_tile(studio, entry) for entry in shown], key="models", label="Models. Enter opens one.")
    _pager(page, len(chosen))
    opened = answer.opened or address.get(MODEL_PARAMETER)
    if opened:
        address.put(**{MODEL_PARAMETER: opened})
        _opened(studio, opened)


def _prepared(studio: Studio, size: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Prepared copies of models kept in eight bits (int8): {gigabytes(size)}")
        action_button(
            "Delete copies",
            studio.library.remove_prepared,
            key="models-prepared",
            icon=":material/delete:",
            help="They are made again when such a model is loaded the next time",
        )


# What is asked for, in the address -------------------------------------------------------------------------------


def _filter_bar(entries: Sequence[ModelEntry]) -> Sequence[ModelEntry]:
    words, kind = address.get(SEARCH) or "", _one_of(KIND, [*KindFilter])
    counts = Counter(entry.kind for entry in entries)
    families = sorted({entry.told.family for entry in entries if entry.told.family})
    family = _one_of(FAMILY, families)
    sort = _one_of(SORT, list(SORTS)) or NAME
    phone = state.is_phone()
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        state.set_value("models-search", words)
        st.text_input(
            "Search",
            key="models-search",
            placeholder="Name, folder or trigger word",
            on_change=_ask,
            width=210 if phone else 300,
        )
    with row, st.popover("Filters", icon=":material/filter_list:", key="models-filters") if phone else row:
        _select("Kind", KIND, kind, {k: f"{KINDS[k]} ({counts[k]:,})" for k in KindFilter if counts[k] or k == kind})
        _select("Family", FAMILY, family, {name: name for name in families})
        _select("Sort by", SORT, sort, SORTS, any_=False)
    found = matching(entries, kind=KindFilter(kind) if kind else None, family=family or None, words=words)
    if sort == NEWEST:
        return sorted(found, key=lambda entry: -entry.found.mtime_ns)
    return sorted(found, key=lambda entry: -entry.found.size) if sort == LARGEST else found


def _select(label: str, name: str, value: str, titles: dict[str, str], *, any_: bool = True) -> None:
    key, options = f"models-{name}", [*([ALL] if any_ else []), *titles]
    state.set_value(key, value)
    st.selectbox(
        label, options, key=key, on_change=_ask, format_func=lambda option: titles.get(option, "All"), width=200
    )


def _one_of(name: str, known: Sequence[str]) -> str:
    """What the address says, if it is one of these."""
    said = address.get(name) or ALL
    return said if said in known else ALL


def _ask() -> None:
    said = {name: str(state.widget_value(f"models-{name}") or "").strip() for name in (SEARCH, KIND, FAMILY, SORT)}
    if said[SORT] == NAME:
        said[SORT] = ""
    # An empty list takes the name out of the address.
    address.put(**{name: [value] if value else [] for name, value in {**said, PAGE: ""}.items()})


def _page(count: int) -> int:
    said = address.get(PAGE) or ""
    page = int(said) - 1 if said.isascii() and said.isdigit() and len(said) < 6 else 0
    return min(max(page, 0), max(0, (count - 1) // SHOWN))


def _pager(page: int, count: int) -> None:
    pages = max(1, -(-count // SHOWN))
    if pages == 1:
        return
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        previous = st.button("Previous", icon=":material/chevron_left:", disabled=page == 0, key="models-previous")
        st.markdown(f"Page {page + 1} of {pages}", width="content")
        following = st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=page == pages - 1,
            key="models-next",
        )
    if previous or following:
        address.put(**{PAGE: str(page + (2 if following else 0))})
        st.rerun()


# The grid and the chosen one -------------------------------------------------------------------------------------


def _tile(studio: Studio, entry: ModelEntry) -> Tile:
    found = entry.found
    small = None
    if found.path is not None and not found.is_folder:
        small = _picture(studio, entry, studio.database_title, entry.key, found.mtime_ns)
    return Tile(
        id=entry.key,
        title=found.title,
        picture=media_address(small, f"models.{entry.key}", "image/jpeg") if small else None,
        badge="Unusable" if entry.told.problem else KINDS[entry.kind],
        tone="bad" if entry.told.problem else "neutral",
        problem=f"{title_of(entry)}, {gigabytes(found.size)}" if found.size else title_of(entry),
    )


@st.cache_data(max_entries=PICTURES_KEPT, ttl=PICTURE_KEPT_S, show_spinner=False)
def _picture(_studio: Studio, _entry: ModelEntry, database: str, key: str, mtime_ns: int) -> bytes | None:
    """database, key, mtime_ns: of another studio, model or file it is another picture."""
    return _studio.library.picture(_entry)


def _opened(studio: Studio, key: str) -> None:
    title = key
    with suppress(StudioError):  # the dialog says why
        title = studio.library.find(key).found.title
    st.dialog(escaped(title[:80]), width="large", on_dismiss=_close)(_details)(studio, key)


def _details(studio: Studio, key: str) -> None:
    with shown_errors():
        details(studio, studio.library.find(key), _close)


def _close() -> None:
    address.drop(MODEL_PARAMETER)
