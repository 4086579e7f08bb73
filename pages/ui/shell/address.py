"""The query of the page's address: what a link can say, and what Back goes back to. All of it is read and written here.

Each request of the browser names the address that it shows, and the server writes a new one back. Whoever goes on
before that has arrived (closes a picture and chooses another, or sets two filters) sends the address of before once
more: taken at its word, it would open the picture again, lose the first filter, or go back to the last draft.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import streamlit as st

_WRITTEN = "address.written"
UNDER_WAY_S = 1.5
"""For so long an address that was written over is taken for one that was under way, not for a step back."""

Query = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Written:
    """What this session has written into the address of one page. now: as it stands.

    before: what stood there earlier, each with the time in seconds at which it was written over.
    """

    page: str = ""
    now: Query = field(default_factory=dict)
    before: tuple[tuple[Query, float], ...] = ()


def as_dict() -> Query:
    """All that the address says."""
    _settle()
    return _named()


def get(name: str) -> str | None:
    """What it says last under this name."""
    values = get_all(name)
    return values[-1] if values else None


def get_all(name: str) -> list[str]:
    return as_dict().get(name, [])


def put(**values: str | Iterable[str]) -> None:
    """Write these, and keep the others; a name without values goes."""
    replace(as_dict() | values)


def drop(*names: str) -> None:
    replace({name: values for name, values in as_dict().items() if name not in names})


def replace(values: Mapping[str, str | Iterable[str]]) -> None:
    """Write all of it anew; a name without values goes."""
    before = as_dict()
    after = {name: [value] if isinstance(value, str) else list(value) for name, value in values.items() if value}
    # Also when it stands there already: a link to another place on this page tells the server, but not the browser.
    st.query_params.from_dict(after)
    if after == before:
        return
    time_s, written = time.monotonic(), _written()
    young = ((query, at) for query, at in written.before if time_s - at < UNDER_WAY_S)
    st.session_state[_WRITTEN] = Written(written.page, after, (*young, (before, time_s)))


def begin(page: str) -> None:
    """Called by each page first: what was written on another one says nothing about its address."""
    if _written().page != page:
        st.session_state[_WRITTEN] = Written(page)


def _settle() -> None:
    """Take back an address that was under way when it was written over; any other one is what somebody asked for."""
    named, written, time_s = _named(), _written(), time.monotonic()
    if named == written.now:
        return
    if any(query == named and time_s - at < UNDER_WAY_S for query, at in written.before):
        st.query_params.from_dict(written.now)
    else:
        st.session_state[_WRITTEN] = Written(written.page, named)


def _written() -> Written:
    written: Written = st.session_state.get(_WRITTEN, Written())
    return written


def _named() -> Query:
    return {name: st.query_params.get_all(name) for name in st.query_params}
