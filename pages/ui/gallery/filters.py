"""The filters of the gallery: each one's widget in the panel, with its counts, and its words where it is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.answers import Count, Facets
from core.domain.gallery.filter import FILTERS, MAX_PX, RATINGS, VERDICTS, GalleryFilter
from core.domain.generation import Status
from core.domain.params import SCHEDULERS
from pages.ui.components.gallery_grid import STATUS_TITLES
from pages.ui.gallery.asked import follow
from pages.ui.shell.wording import VERDICT_TITLES

FIRST_DAY = date(2022, 1, 1)
"""Before any picture of this kind was made."""

FAVOURITE_TITLES = {True: "Favourites", False: "Others"}
PARENT_TITLES = {True: "Derived", False: "Original (no parent)"}


def filter_panel(studio: Studio, asked: GalleryFilter) -> None:
    facets = studio.gallery.facets(asked)
    for rows, side in zip((LEFT, RIGHT), st.columns(2, gap="medium"), strict=True):
        with side:
            for row in rows:
                for name, place in zip(row, st.columns(len(row)) if len(row) > 1 else [st.container()], strict=True):
                    with place:
                        SHOWN[name].draw(name, asked, facets)


def filters_set(asked: GalleryFilter) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each filter that is set, in words, with what takes it away."""
    for name in FILTERS:
        value = getattr(asked, name)
        if name not in SHOWN or not asked.asks(name):
            continue
        for one in value if isinstance(value, tuple) else [value]:
            rest = tuple(other for other in value if other != one) if isinstance(value, tuple) else None
            yield SHOWN[name].words(one), {name: rest}


Draw = Callable[[str, GalleryFilter, Facets], None]
"""(name of the filter, what is asked for, the counts): draws a widget for it."""


def _any_of(help: str | None = None) -> Draw:
    """Several of the values that occur."""

    def draw(name: str, asked: GalleryFilter, facets: Facets) -> None:
        counts, chosen = {str(value): count for value, count in facets[name]}, getattr(asked, name)
        st.multiselect(
            options=list(dict.fromkeys((*counts, *chosen))),
            placeholder="Any",
            help=help,
            format_func=lambda value: _counted(name, value, counts.get(value)),
            **follow(name, list(chosen), tuple),
        )

    return draw


def _some_of(values: Sequence[str]) -> Draw:
    """Several of a few, those that occur."""

    def draw(name: str, asked: GalleryFilter, facets: Facets) -> None:
        counts, chosen = dict(facets[name]), getattr(asked, name)
        options = [value for value in values if counts.get(value) or value in chosen]
        st.pills(
            options=options,
            selection_mode="multi",
            wrap=True,
            format_func=lambda value: _counted(name, value, counts.get(value)),
            **follow(name, [value for value in options if value in chosen], tuple),
        )

    return draw


def _yes_or_no(name: str, asked: GalleryFilter, facets: Facets) -> None:
    counts = dict(facets[name])
    st.pills(
        options=[True, False],
        wrap=True,
        format_func=lambda value: _counted(name, value, counts.get(value)),
        **follow(name, getattr(asked, name)),
    )


def _at_least(name: str, asked: GalleryFilter, facets: Facets) -> None:
    def title(rating: int) -> str:
        above = [count for value, count in facets[name] if value is not None and value >= rating]
        return _counted(name, rating, _sum(above))

    st.pills(options=sorted(RATINGS, reverse=True), wrap=True, format_func=title, **follow(name, getattr(asked, name)))


def _day(name: str, asked: GalleryFilter, facets: Facets) -> None:
    days = [FIRST_DAY, datetime.now(UTC).date(), *(day for day in (asked.since, asked.until) if day)]
    st.date_input(
        min_value=min(days),
        max_value=max(days),
        format="YYYY-MM-DD",
        help="Both days count, in UTC.",
        **follow(name, getattr(asked, name)),
    )


def _size(name: str, asked: GalleryFilter, facets: Facets) -> None:
    st.number_input(
        min_value=1,
        max_value=MAX_PX,
        value=None,
        step=64,
        placeholder="px",
        help="The longer side of the picture, in pixels.",
        **follow(name, getattr(asked, name)),
    )


def _counted(name: str, value: Any, count: Count | None) -> str:
    return f"{SHOWN[name].words(value)} · {count or 0:,}"


def _sum(counts: Sequence[Count]) -> Count:
    total = Count(sum(counts))
    total.at_least = any(count.at_least for count in counts)
    return total


def _rating_title(rating: int) -> str:
    return f"{rating} ★" if rating == max(RATINGS) else f"{rating}+ ★"


@dataclass(frozen=True, slots=True)
class Shown:
    """draw: the filter's widget in the panel. words: one of its values, as the artist reads it."""

    draw: Draw
    words: Callable[[Any], str] = str


SHOWN = {
    "statuses": Shown(_some_of(tuple(Status)), STATUS_TITLES.__getitem__),
    "verdicts": Shown(_some_of(VERDICTS), VERDICT_TITLES.__getitem__),
    "rating": Shown(_at_least, _rating_title),
    "favourite": Shown(_yes_or_no, FAVOURITE_TITLES.__getitem__),
    "has_parent": Shown(_yes_or_no, PARENT_TITLES.__getitem__),
    "parent_id": Shown(lambda *_: None, "Derived from {}".format),
    "models": Shown(_any_of()),
    "tags": Shown(_any_of("Generations must have all of these tags.")),
    "schedulers": Shown(_any_of(), lambda key: SCHEDULERS.get(key, key)),
    "devices": Shown(_any_of()),
    "since": Shown(_day, "From {:%d %b %Y}".format),
    "until": Shown(_day, "Until {:%d %b %Y}".format),
    "min_px": Shown(_size, "At least {} px".format),
    "max_px": Shown(_size, "At most {} px".format),
}
"""The filters that are set and taken away one by one; text, order and trash have a place of their own."""

# The two columns of the panel, row by row.
LEFT = (("statuses",), ("verdicts",), ("rating",), ("favourite",), ("has_parent",))
RIGHT = (("models",), ("tags",), ("schedulers",), ("devices",), ("since", "until"), ("min_px", "max_px"))
