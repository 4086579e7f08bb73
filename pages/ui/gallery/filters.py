"""What the gallery is asked for: search, order, filters with counts, saved searches. The address holds all of it.

The widgets follow the address and write to it, so Back and a copied address both work. Not bind="query-params": with
it st.switch_page refuses to leave the page (Streamlit 1.67).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery import Count, Facets
from core.domain.gallery_filter import MAX_PX, RATINGS, GalleryFilter
from core.domain.paging import Sort
from core.domain.params import SCHEDULERS
from pages.ui.components.gallery_grid import STATUS_TITLES
from pages.ui.gallery.import_panel import import_panel
from pages.ui.shell import address, state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.wording import VERDICT_TITLES

SORTS = {
    Sort.NEWEST: "Newest first",
    Sort.OLDEST: "Oldest first",
    Sort.BEST: "Best rated first",
    Sort.WORST: "Lowest rated first",
    Sort.SLOWEST: "Slowest first",
    Sort.FASTEST: "Fastest first",
}
FAVOURITE_TITLES = {True: "Favourites", False: "Others"}
PARENT_TITLES = {True: "Derived", False: "Original (no parent)"}

AFTER = "after"
"""In the address: the cursor of the page shown. Absent on the first page."""

FIRST_DAY = date(2022, 1, 1)
"""Before any picture of this kind was made."""


# The address ---------------------------------------------------------------------------------------------------


def asked_for() -> GalleryFilter:
    """The filter of the address; all, with a sentence, if it is wrong."""
    with shown_errors():
        return GalleryFilter.from_query(address.as_dict())
    return GalleryFilter()


def ask(filter: GalleryFilter) -> None:
    """Write this filter into the address, and start from its first page."""
    others = {name: values for name, values in address.as_dict().items() if name not in (AFTER, *GalleryFilter.keys())}
    address.replace(others | filter.to_query())


def _change(**parts: Any) -> None:
    with shown_errors():
        ask(replace(asked_for(), **parts))


def _change_to_widget(part: str, read: Callable[[Any], Any]) -> None:
    _change(**{part: read(state.widget_value(_key(part)))})


def _follow(part: str, shows: Any, read: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """What makes a widget show this part of the filter, and change it."""
    state.fill_widget(_key(part), shows)
    return {"key": _key(part), "on_change": _change_to_widget, "args": (part, read)}


def _key(part: str) -> str:
    return f"filter-{part}"


# The bar -------------------------------------------------------------------------------------------------------


def filter_bar(studio: Studio) -> GalleryFilter:
    asked = asked_for()
    phone = state.is_phone()
    row_of_its_own, row = st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    with row_of_its_own if phone else row:
        st.text_input(
            "Search",
            placeholder="Search prompts, titles, notes and tags",
            width="stretch" if phone else 300,
            help='All words must match. cas* finds words that begin with it, "red balloon" a phrase.',
            **_follow("text", asked.text),
        )
    with row:
        st.selectbox(
            "Order",
            list(Sort),
            format_func=SORTS.__getitem__,
            width="stretch" if phone else 190,
            **_follow("sort", asked.sort),
        )
        # Nothing of a popover may change while it is open: another label is another popover, and closed.
        with st.popover("Filters", icon=":material/filter_list:", key="filters", on_change="rerun") as filters:
            if filters.open:
                _filters(studio, asked)
        with st.popover("Saved", icon=":material/bookmark:", key="searches", on_change="rerun") as searches:
            if searches.open:
                _saved_searches(studio, asked)
        with st.popover("Import", icon=":material/upload:", key="import", on_change="rerun") as panel:
            if panel.open:
                import_panel(studio)
        st.toggle("Trash", **_follow("in_trash", asked.in_trash))
    _chips(asked)
    return asked


def _chips(asked: GalleryFilter) -> None:
    """Every filter that is set, to be taken away again."""
    active = list(_active(asked))
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
                on_click=_change,
                kwargs=parts,
            )
        if len(active) > 1:
            st.button("Clear all", type="tertiary", key="clear-filters", on_click=clear, args=(asked.text,))


def clear(text: str = "") -> None:
    """Take away all filters, and the search but for this text; order and trash stay as they are."""
    asked = asked_for()
    ask(GalleryFilter(text=text, sort=asked.sort, in_trash=asked.in_trash))


def _active(asked: GalleryFilter) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each filter in words, with what takes it away."""
    for part, titles in (
        ("statuses", STATUS_TITLES),
        ("verdicts", VERDICT_TITLES),
        ("models", {}),
        ("devices", {}),
        ("schedulers", SCHEDULERS),
        ("tags", {}),
    ):
        values = getattr(asked, part)
        for value in values:
            yield titles.get(value, value), {part: tuple(v for v in values if v != value)}
    if asked.rating is not None:
        yield _rating_title(asked.rating), {"rating": None}
    if asked.favourite is not None:
        yield FAVOURITE_TITLES[asked.favourite], {"favourite": None}
    if asked.has_parent is not None:
        yield PARENT_TITLES[asked.has_parent], {"has_parent": None}
    if asked.parent_id is not None:
        yield f"Derived from {asked.parent_id}", {"parent_id": None}
    if asked.min_px is not None:
        yield f"At least {asked.min_px} px", {"min_px": None}
    if asked.max_px is not None:
        yield f"At most {asked.max_px} px", {"max_px": None}
    if asked.since is not None:
        yield f"From {asked.since:%d %b %Y}", {"since": None}
    if asked.until is not None:
        yield f"Until {asked.until:%d %b %Y}", {"until": None}


# The filters ---------------------------------------------------------------------------------------------------


def _filters(studio: Studio, asked: GalleryFilter) -> None:
    facets = studio.gallery.facets(asked)
    left, right = st.columns(2, gap="medium")
    with left:
        _pills("Status", "statuses", asked.statuses, STATUS_TITLES, facets, "status")
        _pills("Verdict", "verdicts", asked.verdicts, VERDICT_TITLES, facets, "verdict")
        _rating(asked, facets)
        _either("Favourites", "favourite", asked.favourite, FAVOURITE_TITLES, facets)
        _either("Lineage", "has_parent", asked.has_parent, PARENT_TITLES, facets)
    with right:
        _several("Model", "models", asked.models, facets, "model")
        _several("Tags", "tags", asked.tags, facets, "tag", help="Generations must have all of these tags.")
        _several("Scheduler", "schedulers", asked.schedulers, facets, "scheduler", SCHEDULERS)
        _several("Device", "devices", asked.devices, facets, "device")
        _days(asked)
        _sizes(asked)


def _pills(label: str, part: str, chosen: Sequence[str], titles: dict[str, str], facets: Facets, facet: str) -> None:
    counts = dict(facets[facet])
    options = [value for value in titles if counts.get(value) or value in chosen]
    st.pills(
        label,
        options,
        selection_mode="multi",
        wrap=True,
        format_func=lambda value: _counted(titles[value], counts.get(value)),
        **_follow(part, [value for value in options if value in chosen], tuple),
    )


def _either(label: str, part: str, chosen: bool | None, titles: dict[bool, str], facets: Facets) -> None:
    counts = dict(facets[part])
    st.pills(
        label,
        list(titles),
        wrap=True,
        format_func=lambda value: _counted(titles[value], counts.get(value)),
        **_follow(part, chosen),
    )


def _rating(asked: GalleryFilter, facets: Facets) -> None:
    counts = dict(facets["rating"])

    def title(rating: int) -> str:
        above = [counts[value] for value in RATINGS if value >= rating and value in counts]
        return _counted(_rating_title(rating), _sum(above))

    st.pills("Rating", sorted(RATINGS, reverse=True), wrap=True, format_func=title, **_follow("rating", asked.rating))


def _rating_title(rating: int) -> str:
    return f"{rating} ★" if rating == max(RATINGS) else f"{rating}+ ★"


def _sum(counts: Sequence[Count]) -> Count:
    total = Count(sum(counts))
    total.at_least = any(count.at_least for count in counts)
    return total


def _several(
    label: str,
    part: str,
    chosen: Sequence[str],
    facets: Facets,
    facet: str,
    titles: dict[str, str] | None = None,
    help: str | None = None,
) -> None:
    counts = {str(value): count for value, count in facets[facet]}
    st.multiselect(
        label,
        list(dict.fromkeys((*counts, *chosen))),
        placeholder="Any",
        help=help,
        format_func=lambda value: _counted((titles or {}).get(value, value), counts.get(value)),
        **_follow(part, list(chosen), tuple),
    )


def _counted(title: str, count: Count | None) -> str:
    return f"{title} · {count or 0:,}"


def _days(asked: GalleryFilter) -> None:
    today = datetime.now(UTC).date()
    days = [FIRST_DAY, today, *(day for day in (asked.since, asked.until) if day)]
    for label, part, shown, column in zip(
        ("From day", "Until day"), ("since", "until"), (asked.since, asked.until), st.columns(2), strict=True
    ):
        column.date_input(
            label,
            min_value=min(days),
            max_value=max(days),
            format="YYYY-MM-DD",
            help="Both days count, in UTC.",
            **_follow(part, shown),
        )


def _sizes(asked: GalleryFilter) -> None:
    for label, part, shown, column in zip(
        ("Smallest size", "Largest size"),
        ("min_px", "max_px"),
        (asked.min_px, asked.max_px),
        st.columns(2),
        strict=True,
    ):
        column.number_input(
            label,
            min_value=1,
            max_value=MAX_PX,
            value=None,
            step=64,
            placeholder="px",
            help="The longer side of the picture, in pixels.",
            **_follow(part, shown),
        )


# Saved searches ------------------------------------------------------------------------------------------------


def _saved_searches(studio: Studio, asked: GalleryFilter) -> None:
    with shown_errors():
        searches = studio.gallery.saved_searches()
        for search in searches:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    escaped(search.name),
                    key=f"open-search-{search.name}",
                    width="stretch",
                    type="primary" if search.filter == asked else "secondary",
                    help=escaped(in_words(search.filter)),
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
    state.fill_widget("search-name", "")


def _forget(studio: Studio, name: str) -> None:
    with shown_errors():
        studio.gallery.delete_search(name)


def in_words(filter: GalleryFilter) -> str:
    """The whole question in one line."""
    words = [f"“{filter.text}”"] if filter.text else []
    words += [words for words, _ in _active(filter)]
    if filter.in_trash:
        words.append("In the trash")
    if filter.sort is not Sort.NEWEST:
        words.append(SORTS[filter.sort])
    return ", ".join(words) or "Everything, newest first"
