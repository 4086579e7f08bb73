"""From a GalleryFilter to SQL that stays quick at a million rows (docs/decisions/0005-search.md).

The only place that knows the search index and the table of counts. On other databases than SQLite the same questions
are answered without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, column, exists, false, func, or_, select, table
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from core.domain.gallery_filter import UNVERIFIED, GalleryFilter
from core.domain.labels import folded
from core.domain.paging import Sort
from core.domain.search_text import Term, search_terms
from db.mapping import number_at_start_of
from db.tables import FacetCountRow, GenerationRow, GenerationTagRow, TagRow

Row, Cube = GenerationRow, FacetCountRow

COUNT_CAP = 5_000
FACET_CAP = 1_000
"""Counting stops here where it has to look at the rows themselves."""

TEXTS = table("generation_texts", column("rowid"), column("generation_texts"))

# Microseconds, as measured; only their ratios matter.
STEP_US = 0.15  # to the next entry of the index that holds all that filters look at
FOUND_US = 1.2  # to the next row of a search, and what its filters look at
EACH_US = {"favourites": STEP_US}  # holds all that filters look at, too
PROBE_US = 50.0  # whether one row matches a search
TEXT_CAP = 50_000  # how far the matches of a search are counted before a way is chosen
QUICK_US = 5_000.0  # nothing to be won by a better way
WANTED = 61  # rows of a page, and one more


# What a filter asks of a row -----------------------------------------------------------------------------------


def conditions(filter: GalleryFilter) -> list[ColumnElement[bool]]:
    """All but text, tags and dates."""
    asked = [Row.deleted_at.is_not(None) if filter.in_trash else Row.deleted_at.is_(None)]
    for column_, values in (
        (Row.status, filter.statuses),
        (Row.model, filter.models),
        (Row.device, filter.devices),
        (Row.scheduler, filter.schedulers),
    ):
        if values:
            asked.append(_one_of(column_, values))
    if filter.verdicts:
        found = [verdict for verdict in filter.verdicts if verdict != UNVERIFIED]
        without = [Row.verdict.is_(None)] if UNVERIFIED in filter.verdicts else []
        asked.append(or_(*([_one_of(Row.verdict, found)] if found else []), *without))
    if filter.rating is not None:
        asked.append(Row.rating >= filter.rating)
    if filter.favourite is not None:
        asked.append(Row.favourite.is_(filter.favourite))
    if filter.has_parent is not None:
        asked.append(Row.parent_id.is_not(None) if filter.has_parent else Row.parent_id.is_(None))
    if filter.parent_id is not None:
        asked.append(Row.parent_id == filter.parent_id)
    if filter.min_px is not None:
        asked.append(or_(Row.width >= filter.min_px, Row.height >= filter.min_px))
    if filter.max_px is not None:
        asked.append(and_(Row.width <= filter.max_px, Row.height <= filter.max_px))
    return asked


def _one_of(column_, values: Sequence[str]) -> ColumnElement[bool]:
    return column_ == values[0] if len(values) == 1 else column_.in_(values)


def within_days(filter: GalleryFilter, number: ColumnElement[int]) -> list[ColumnElement[bool]]:
    asked = []
    if filter.since is not None:
        asked.append(number >= number_at_start_of(filter.since))
    if filter.until is not None and filter.until.year < 9999:
        asked.append(number < number_at_start_of(filter.until + timedelta(days=1)))
    return asked


def fts_query(terms: Sequence[Term]) -> str:
    """Each term as a quoted string, so that nothing a user writes is ever read as syntax."""
    return " ".join('"{}"{}'.format(" ".join(term.words), "*" if term.prefix else "") for term in terms)


def _matches_text(filter: GalleryFilter) -> ColumnElement[bool]:
    terms = search_terms(filter.text)
    if not terms:
        return false()
    return TEXTS.c.generation_texts.op("MATCH", is_comparison=True)(fts_query(terms))


def contains_text(filter: GalleryFilter) -> ColumnElement[bool]:
    """Without a search index: each term somewhere in the texts, also inside of a word."""
    texts = (Row.prompt, Row.negative_prompt, Row.notes, Row.title, Row.tags)
    terms = search_terms(filter.text)
    found = [or_(*(text.icontains(" ".join(term.words), autoescape=True) for text in texts)) for term in terms]
    return and_(*found) if found else false()


# From where the rows are read ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """select: the matching rows, without columns yet. number: what to sort by, to read them in their own order.

    place: the table whose columns yield the order by rating or runtime.
    """

    select: Select
    number: ColumnElement[int]
    place: Any = Row

    def numbers(self) -> Select:
        return self.select.with_only_columns(self.number, maintain_column_froms=True)

    def with_columns(self, *columns: ColumnElement) -> Select:
        number = self.number.label("number")
        return self.select.with_only_columns(number, *columns, maintain_column_froms=True)


def tag_ids(session: Session, filter: GalleryFilter) -> list[int] | None:
    """None if one of the tags does not exist."""
    found = [session.scalar(select(TagRow.id).where(TagRow.folded == folded(tag))) for tag in filter.tags]
    return None if None in found else found


def source(session: Session, filter: GalleryFilter, by: str = "created_at") -> Source:
    """by: the column of the order; the rows without a value there are left out if it is not created_at."""
    asked = conditions(filter)
    if by != "created_at":
        asked.append(getattr(Row, by).is_not(None))
    tags = tag_ids(session, filter)
    if tags is None or (filter.text and not search_terms(filter.text)):
        return Source(select(Row.number).where(false()), Row.number)
    if not is_sqlite(session):
        return _plain_source(filter, asked, tags)
    way = _choose(session, filter, tags, by)
    if way == "text":
        return _from_text(filter, asked, tags)
    if isinstance(way, int):
        return _from_tag(filter, asked, way, tags)
    return _from_index(filter, asked, tags, way)


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _plain_source(filter: GalleryFilter, asked: list, tags: list[int]) -> Source:
    if filter.text:
        asked = [*asked, contains_text(filter)]
    every = and_(*asked, *within_days(filter, Row.number), *(_has_tag(tag) for tag in tags))
    return Source(select(Row.number).where(every), Row.number)


def _from_text(filter: GalleryFilter, asked: list, tags: list[int]) -> Source:
    """The search index yields its rows in the order of the gallery, either way round, and stops when told."""
    number = TEXTS.c.rowid
    every = and_(
        _matches_text(filter),
        Row.number == _unindexed(number),
        *asked,
        *within_days(filter, number),
        *(_has_tag(tag) for tag in tags),
    )
    return Source(_hinted(select(number).select_from(TEXTS, Row), _narrow(filter)).where(every), number)


def _from_tag(filter: GalleryFilter, asked: list, tag: int, tags: list[int]) -> Source:
    number = GenerationTagRow.number
    every = and_(
        GenerationTagRow.tag_id == tag,
        Row.number == _unindexed(number),
        *asked,
        *within_days(filter, number),
        *(_has_tag(other) for other in tags if other != tag),
        *_probe(filter),
    )
    return Source(_hinted(select(number).select_from(GenerationTagRow, Row), _narrow(filter)).where(every), number)


def _from_index(filter: GalleryFilter, asked: list, tags: list[int], index: str) -> Source:
    """The rows of one index in its order, and what else is asked of each from the narrow one: never the wide rows."""
    if index in (_narrow(filter), "favourites"):
        every = and_(*asked, *within_days(filter, Row.number), *(_has_tag(tag) for tag in tags), *_probe(filter))
        return Source(_hinted(select(Row.number), index).where(every), Row.number)
    first = aliased(Row)
    number = first.number
    every = and_(
        *_index_conditions(first, filter, index),
        Row.number == _unindexed(number),
        *asked,
        *within_days(filter, number),
        *(_has_tag(tag) for tag in tags),
        *_probe(filter),
    )
    query = select(number).select_from(first, Row).with_hint(first, f"INDEXED BY ix_generations_{index}", "sqlite")
    return Source(_hinted(query, _narrow(filter)).where(every), number, first)


def _index_conditions(row, filter: GalleryFilter, index: str) -> list[ColumnElement[bool]]:
    live = row.deleted_at.is_(None)
    return {
        "status": lambda: [row.status == filter.statuses[0]],
        "model": lambda: [row.model == filter.models[0]],
        "device": lambda: [row.device == filter.devices[0]],
        "scheduler": lambda: [row.scheduler == filter.schedulers[0]],
        "parent_id": lambda: [row.parent_id == filter.parent_id],
        "verdicts": lambda: [live, row.verdict == filter.verdicts[0]],
        "ratings": lambda: [live, row.rating.is_not(None)],
        "runtimes": lambda: [live, row.runtime_s.is_not(None)],
    }[index]()


def _hinted(query: Select, index: str) -> Select:
    return query.with_hint(Row, f"INDEXED BY ix_generations_{index}", "sqlite")


def _narrow(filter: GalleryFilter) -> str:
    return "trash" if filter.in_trash else "gallery"


def _unindexed(column_) -> ColumnElement[int]:
    """+column: the planner may not look rows up by it, so that this table is read first."""
    return UnaryExpression(column_, operator=custom_op("+"), type_=column_.type)


def _has_tag(tag: int) -> ColumnElement[bool]:
    has = GenerationTagRow
    other = has.__table__.alias()
    return exists().where(other.c.tag_id == tag, other.c.number == Row.number)


def _probe(filter: GalleryFilter) -> list[ColumnElement[bool]]:
    if not filter.text:
        return []
    return [exists().where(_matches_text(filter), TEXTS.c.rowid == Row.number)]


# Which way is the quickest -------------------------------------------------------------------------------------


def _choose(session: Session, filter: GalleryFilter, tags: list[int], by: str) -> str | int:
    """ "text", the id of a tag, or the name of an index."""
    if filter.parent_id is not None:
        return "parent_id"
    in_order = "trash" if filter.in_trash else {"rating": "ratings", "runtime_s": "runtimes"}.get(by, "gallery")
    if not (
        filter.text
        or tags
        or filter.statuses
        or filter.models
        or filter.devices
        or filter.schedulers
        or filter.rating
        or filter.favourite
        or filter.verdicts
    ):
        return in_order
    # What the counts know: without text, dates, sizes, which may leave fewer.
    singles = [] if filter.in_trash else list(_single_filters(filter))
    all_of_it = GalleryFilter(in_trash=filter.in_trash)
    questions = [(all_of_it, 0), (filter, 0), *((all_of_it, tag) for tag in tags), *((one, 0) for _, one in singles)]
    everything, hits, *sizes = (max(1, n) for n in _counted(session, questions))
    read = min(everything, WANTED * everything / hits)
    is_in_order = by == "created_at"
    if filter.text and is_in_order and read * FOUND_US < QUICK_US:
        return "text"
    found = max(1, _count_text(session, filter)) if filter.text else everything
    share, probe = found / everything, PROBE_US if filter.text else 0.0
    step = STEP_US if is_in_order or filter.in_trash else FOUND_US
    ways: dict[str | int, float] = {in_order: min(everything, read / share) * step + min(hits, WANTED / share) * probe}
    if filter.text:
        more = found if found < TEXT_CAP else everything
        ways["text"] = (min(more, read) if is_in_order else more) * FOUND_US
    names = [*((tag, FOUND_US) for tag in tags), *((index, EACH_US.get(index, FOUND_US)) for index, _ in singles)]
    for (name, each_us), size in zip(names, sizes, strict=True):
        # The rows of one index, of which those that all other filters let through are probed.
        seen = min(size, WANTED / share * size / hits) if is_in_order else size
        ways[name] = seen * each_us + min(hits, seen) * probe
    return min(ways, key=ways.__getitem__)


def _single_filters(filter: GalleryFilter):
    """The filters that have an index of their own, which yields the rows in the order of the gallery."""
    for index, values, one in (
        ("status", filter.statuses, GalleryFilter(statuses=filter.statuses)),
        ("model", filter.models, GalleryFilter(models=filter.models)),
        ("device", filter.devices, GalleryFilter(devices=filter.devices)),
        ("scheduler", filter.schedulers, GalleryFilter(schedulers=filter.schedulers)),
    ):
        if len(values) == 1:
            yield index, one
    if filter.favourite:
        yield "favourites", GalleryFilter(favourite=True)
    if len(filter.verdicts) == 1 and filter.verdicts[0] != UNVERIFIED:
        yield "verdicts", GalleryFilter(verdicts=filter.verdicts)


def _counted(session: Session, questions: Sequence[tuple[GalleryFilter, int]]) -> Sequence[int]:
    """How many there are under each of these filters, and with this tag, as far as the counts know."""
    totals = (select(func.sum(Cube.n)).where(*in_cube(*question)).scalar_subquery() for question in questions)
    return [n or 0 for n in session.execute(select(*totals)).one()]


def _count_text(session: Session, filter: GalleryFilter) -> int:
    some = select(TEXTS.c.rowid).where(_matches_text(filter)).limit(TEXT_CAP).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


# The table of counts -------------------------------------------------------------------------------------------


def counts_know(session: Session, filter: GalleryFilter) -> bool:
    """Whether the counts answer this question without a look at the rows."""
    return is_sqlite(session) and not (
        filter.text
        or filter.since
        or filter.until
        or filter.min_px
        or filter.max_px
        or filter.parent_id
        or len(filter.tags) > 1
    )


def in_cube(filter: GalleryFilter, tag: int = 0, skip: str = "") -> list[ColumnElement[bool]]:
    """tag: its id; 0: whatever tags they have. skip: a facet whose own filter does not count."""
    asked = [Cube.tag_id == tag]
    if skip != "in_trash":
        asked.append(Cube.in_trash.is_(filter.in_trash))
    for name, values in (
        ("status", filter.statuses),
        ("model", filter.models),
        ("device", filter.devices),
        ("scheduler", filter.schedulers),
    ):
        if values and name != skip:
            asked.append(_one_of(getattr(Cube, name), values))
    if filter.verdicts and skip != "verdict":
        asked.append(Cube.verdict.in_(["" if verdict == UNVERIFIED else verdict for verdict in filter.verdicts]))
    if filter.rating is not None and skip != "rating":
        asked.append(Cube.rating >= filter.rating)
    for name in ("favourite", "has_parent"):
        wanted = getattr(filter, name)
        if wanted is not None and name != skip:
            asked.append(getattr(Cube, name).is_(wanted))
    return asked


def order(filter: GalleryFilter, found: Source, by: str, *, back: bool = False) -> list:
    """back: the other way round."""
    keys = [found.number] if by == "created_at" else [getattr(found.place, by), found.place.number]
    return [key.desc() if filter.sort.descending is not back else key.asc() for key in keys]


def without(filter: GalleryFilter, facet: str) -> GalleryFilter:
    """The same question without what it asks of this facet."""
    from dataclasses import replace

    empty = {
        "status": {"statuses": ()},
        "model": {"models": ()},
        "device": {"devices": ()},
        "scheduler": {"schedulers": ()},
        "favourite": {"favourite": None},
        "rating": {"rating": None},
        "has_parent": {"has_parent": None},
        "verdict": {"verdicts": ()},
        "tag": {},
        "in_trash": {"in_trash": not filter.in_trash},
    }[facet]
    return replace(filter, sort=Sort.NEWEST, **empty)
