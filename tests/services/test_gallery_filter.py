"""The question put to the gallery: its address, its cursor, and what it refuses."""

from __future__ import annotations

import base64
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidInput
from core.domain.gallery.answers import Count
from core.domain.gallery.filter import VERDICTS, GalleryFilter
from core.domain.gallery.paging import Cursor, Sort
from core.domain.gallery.search_text import Term, search_terms
from core.domain.generation import Status

words = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), min_size=1, max_size=20
).filter(lambda w: w.strip())
tags = st.text(st.characters(whitelist_categories=("L", "N", "So")), min_size=1, max_size=10)
days = st.dates(date(1970, 1, 1), date(9999, 12, 31))


@st.composite
def filters(draw) -> GalleryFilter:
    since, until = sorted(draw(st.tuples(days, days)))
    low, high = sorted(draw(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6))))
    several = st.lists(words, max_size=3).map(tuple)
    return GalleryFilter(
        text=draw(words | st.just("")),
        statuses=tuple(draw(st.lists(st.sampled_from(Status), max_size=3))),
        models=draw(several),
        devices=draw(several),
        schedulers=draw(several),
        tags=tuple(draw(st.lists(tags, max_size=3))),
        verdicts=tuple(draw(st.lists(st.sampled_from(VERDICTS)))),
        rating=draw(st.sampled_from([None, 1, 5])),
        favourite=draw(st.sampled_from([None, True, False])),
        has_parent=draw(st.sampled_from([None, True, False])),
        parent_id=draw(st.sampled_from([None, "abc"])),
        min_px=draw(st.sampled_from([None, low])),
        max_px=draw(st.sampled_from([None, high])),
        since=draw(st.sampled_from([None, since])),
        until=draw(st.sampled_from([None, until])),
        in_trash=draw(st.booleans()),
        sort=draw(st.sampled_from(Sort)),
    )


GOLDEN = {
    "search": 'red "big sofa" cas*',
    "status": ["failed", "succeeded"],
    "model": ["owner/name", "pocket-inpaint"],
    "device": "cuda:0",
    "scheduler": "ddim",
    "tag": ["Sky", "sea"],
    "verdict": ["EXACT", "unverified"],
    "rating": "4",
    "favourite": "false",
    "has_parent": "true",
    "parent": "0123456789ab",
    "min_px": "512",
    "max_px": "2048",
    "since": "2026-01-31",
    "until": "2026-02-28",
    "trash": "true",
    "sort": "slowest",
}
"""What addresses and saved searches say, and will always say."""


def test_addresses_and_saved_searches_of_before_ask_the_same_for_ever():
    filter = GalleryFilter.from_query(GOLDEN)

    assert filter.to_query() == GOLDEN
    assert list(filter.to_query()) == list(GOLDEN) == list(GalleryFilter.keys())
    assert filter == GalleryFilter(
        text='red "big sofa" cas*',
        statuses=(Status.FAILED, Status.SUCCEEDED),
        models=("owner/name", "pocket-inpaint"),
        devices=("cuda:0",),
        schedulers=("ddim",),
        tags=("Sky", "sea"),
        verdicts=("EXACT", "unverified"),
        rating=4,
        favourite=False,
        has_parent=True,
        parent_id="0123456789ab",
        min_px=512,
        max_px=2048,
        since=date(2026, 1, 31),
        until=date(2026, 2, 28),
        in_trash=True,
        sort=Sort.SLOWEST,
    )


@given(filters())
def test_a_filter_comes_back_from_the_address_as_it_was(filter):
    query = filter.to_query()

    assert GalleryFilter.from_query(query) == filter
    assert GalleryFilter.from_query(query).to_query() == query
    assert GalleryFilter.from_query({k: [v] if isinstance(v, str) else v for k, v in query.items()}) == filter


def test_the_address_holds_only_what_was_chosen_and_always_in_the_same_way():
    assert GalleryFilter().to_query() == {}
    asked = GalleryFilter(text="  red   sofa ", models=("b", "c", "a", "b"), tags=("Sky", "sky"), favourite=False)
    assert asked.to_query() == {"search": "red sofa", "model": ["a", "b", "c"], "tag": "Sky", "favourite": "false"}
    assert GalleryFilter(models=("a", "b")) == GalleryFilter(models=("b", "a", "b"))


def test_what_belongs_to_the_page_itself_is_left_alone():
    assert GalleryFilter.from_query({"after": "x", "generation": "y", "search": "", "model": []}) == GalleryFilter()


@pytest.mark.parametrize(
    "query",
    [
        {"rating": "6"},
        {"rating": "0"},
        {"rating": "4.5"},
        {"rating": "four"},
        {"rating": "-1"},
        {"rating": "٣"},
        {"rating": "9" * 500},
        {"rating": ["1", "2"]},
        {"favourite": "maybe"},
        {"trash": "2"},
        {"min_px": "1e3"},
        {"min_px": "0"},
        {"min_px": "20", "max_px": "10"},
        {"since": "yesterday"},
        {"since": "2026-02-30"},
        {"since": "2026-1-1"},
        {"since": "20260101"},
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"status": "done"},
        {"status": ["succeeded", "'"]},
        {"sort": "random"},
        {"sort": "newest;--"},
        {"search": "a" * 501},
        {"search": "a\x00b"},
        {"search": "\ud800"},
        {"search": "a " * 41},
        {"model": "x" * 301},
        {"model": "\x00"},
        {"model": [str(n) for n in range(51)]},
        {"tag": " "},
        {"tag": "x" * 61},
        {"verdict": "good"},
        {"verdict": ["EXACT", "x" * 500]},
        {"parent": "x" * 301},
        {"search": ["a", "b"]},
    ],
)
def test_hostile_values_in_the_address_are_refused_with_a_message(query):
    with pytest.raises(InvalidInput) as refused:
        GalleryFilter.from_query(query)

    assert len(str(refused.value)) < 300
    assert str(refused.value).endswith(".")


@given(
    st.builds(
        Cursor,
        st.integers(0, 2**63 - 1),
        st.none() | st.integers(1, 5) | st.floats(0, 1e9),
        st.sampled_from(Sort),
    )
)
def test_a_cursor_comes_back_as_it_was(cursor):
    assert Cursor.from_text(cursor.to_text()) == cursor


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        "ü",
        "A" * 500,
        _encoded([1, 2]),
        _encoded(["newest", None, -1]),
        _encoded(["newest", None, 2**63]),
        _encoded(["newest", None, 1.5]),
        _encoded(["newest", None, True]),
        _encoded(["newest", "x", 1]),
        _encoded(["best", float("nan"), 1]),
        _encoded(["best", float("inf"), 1]),
        _encoded(["sideways", None, 1]),
        _encoded({"a": 1}),
        _encoded(["2026-01-01T00:00:00+00:00", "abc"]),
        _encoded([["newest"], None, 1]),
        base64.b64encode(b"[" * 200).decode(),
    ],
)
def test_a_cursor_that_nobody_wrote_is_refused_with_a_message(text):
    with pytest.raises(InvalidInput, match="first page"):
        Cursor.from_text(text)


def test_search_text_is_divided_into_words_beginnings_and_phrases():
    assert search_terms('red cas* "big sofa" "no end') == (
        Term(("red",)),
        Term(("cas",), True),
        Term(("big", "sofa")),
        Term(("no", "end")),
    )
    assert search_terms("a.b-c '!' \"\" *") == (Term(("a", "b", "c")),)
    assert search_terms('"red so"*') == (Term(("red", "so"), True),)


def test_a_count_that_stopped_says_so():
    assert f"{Count.capped(6_000, 5_000):,}" == str(Count.capped(6_000, 5_000)) == "5,000+"
    assert f"{Count.capped(5_000, 5_000):,}" == "5,000"
    assert Count(3) == 3
