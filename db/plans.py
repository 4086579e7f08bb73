"""In which way the rows of a question are read: what each way costs, by the counts, and which is the quickest.

SQLite's planner knows averages; the table of counts knows the numbers (docs/decisions/0005-search.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.domain.gallery.filter import GalleryFilter
from db.filters import FilterIndex, asked, in_cube
from db.tables import FacetCountRow
from db.text_search import TEXTS, matches_text

# Microseconds, as measured; only their ratios matter.
STEP_US = 0.15
"""To the next entry of the index that holds all that filters look at, in the order of the gallery."""
NARROW_US = STEP_US
"""To the next entry of a filter's own index that holds all of that, too."""
FOUND_US = 1.2
"""To the next row of a search or of another index, and what its filters look at."""
PROBE_US = 50.0
"""Whether one row matches a search."""
QUICK_US = 5_000.0
"""Nothing to be won by a better way."""

TEXT_CAP = 50_000
"""How far the matches of a search are counted before a way is chosen."""
WANTED = 61
"""Rows of a page, and one more."""

TEXT = "text"
TAG = "tag"
IN_ORDER = {"rating": "ratings", "runtime_s": "runtimes"}
"""The indexes of the orders that are not the gallery's own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """name: TEXT, TAG, or an index. tag: the id of the tag whose rows are read."""

    name: str
    cost_us: float = 0.0
    tag: int = 0


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of a question before it is asked, none of them below 1.

    everything: the rows in the gallery, or in the trash. hits: those that suit the filters, as far as the counts know
    these. found: those that match the text, everything without one. is_in_order: the order is the gallery's own, so
    that reading stops with a full page. is_searched: there is a text.
    """

    everything: int
    hits: int
    found: int
    is_in_order: bool
    is_searched: bool

    @property
    def share(self) -> float:
        """Of the rows that match the text."""
        return self.found / self.everything

    @property
    def probe_us(self) -> float:
        return PROBE_US if self.is_searched else 0.0

    @property
    def read(self) -> float:
        """Rows in the order of the gallery until a page is full, whatever the text."""
        return min(self.everything, WANTED * self.everything / self.hits)


def choose(session: Session, filter: GalleryFilter, tags: Sequence[int], by: str) -> Plan:
    """The quickest way to a page in the order of this column. tags: the ids of the filter's tags."""
    indexes = [(name, column.index, value) for name, column, value in asked(filter) if column.index]
    suiting = [(name, index, value) for name, index, value in indexes if index.suits(value)]
    for _, index, _ in suiting:
        if index.is_selective:
            return Plan(index.name)
    in_order = "trash" if filter.in_trash else IN_ORDER.get(by, "gallery")
    singles = [] if filter.in_trash else [(index, GalleryFilter(**{name: value})) for name, index, value in suiting]
    if not (filter.text or tags or singles):
        return Plan(in_order)
    # What the counts know: without text, days, sizes, which may leave fewer.
    all_of_it = GalleryFilter(in_trash=filter.in_trash)
    of_tags, of_singles = ((all_of_it, tag) for tag in tags), ((one, 0) for _, one in singles)
    everything, hits, *sizes = _counted(session, [(all_of_it, 0), (filter, 0), *of_tags, *of_singles])
    known = Numbers(everything, hits, everything, by == "created_at", bool(filter.text))
    if filter.text:
        if known.is_in_order and known.read * FOUND_US < QUICK_US:
            return Plan(TEXT)
        known = Numbers(everything, hits, _count_text(session, filter), known.is_in_order, True)
    plans = [_in_order(known, in_order, is_narrow=known.is_in_order or filter.in_trash)]
    plans += [_by_text(known)] if filter.text else []
    plans += _by_tags(known, tags, sizes)
    plans += _by_indexes(known, [index for index, _ in singles], sizes[len(tags) :])
    return min(plans, key=lambda plan: plan.cost_us)


def _in_order(known: Numbers, index: str, *, is_narrow: bool) -> Plan:
    seen = min(known.everything, known.read / known.share)
    probed = min(known.hits, WANTED / known.share)
    return Plan(index, seen * (STEP_US if is_narrow else FOUND_US) + probed * known.probe_us)


def _by_text(known: Numbers) -> Plan:
    more = known.found if known.found < TEXT_CAP else known.everything
    return Plan(TEXT, (min(more, known.read) if known.is_in_order else more) * FOUND_US)


def _by_tags(known: Numbers, tags: Sequence[int], sizes: Sequence[int]) -> Iterator[Plan]:
    for tag, size in zip(tags, sizes, strict=False):
        yield Plan(TAG, _through(known, size, FOUND_US), tag)


def _by_indexes(known: Numbers, indexes: Sequence[FilterIndex], sizes: Sequence[int]) -> Iterator[Plan]:
    for index, size in zip(indexes, sizes, strict=True):
        yield Plan(index.name, _through(known, size, NARROW_US if index.is_narrow else FOUND_US))


def _through(known: Numbers, size: int, each_us: float) -> float:
    """The rows of one tag or index, of which those that all other filters let through are probed."""
    seen = min(size, WANTED / known.share * size / known.hits) if known.is_in_order else size
    return seen * each_us + min(known.hits, seen) * known.probe_us


def _counted(session: Session, questions: Sequence[tuple[GalleryFilter, int]]) -> list[int]:
    """How many there are under each of these filters, and with this tag, as far as the counts know; at least 1."""
    n = FacetCountRow.n
    totals = (select(func.sum(n)).where(*in_cube(*question)).scalar_subquery() for question in questions)
    return [max(1, total or 0) for total in session.execute(select(*totals)).one()]


def _count_text(session: Session, filter: GalleryFilter) -> int:
    some = select(TEXTS.c.rowid).where(matches_text(filter)).limit(TEXT_CAP).subquery()
    return max(1, session.scalar(select(func.count()).select_from(some)) or 0)
