"""What a browser session holds, typed. No other file names a key of st.session_state for its own data.

Only ids live here; what they stand for is in the database, so a page switch, a refresh or a restart loses nothing.
"""

from __future__ import annotations

import secrets

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft

_DRAFT = "studio.draft"
_SESSION = "studio.session"
DRAFT_PARAMETER = "draft"
"""In the page's address: a refresh makes a new session, and the address is all that is left of the old one."""


def session() -> str:
    """A name for this browser session, recorded with what it submits."""
    return st.session_state.setdefault(_SESSION, secrets.token_hex(8))


def draft(studio: Studio) -> tuple[str, Draft]:
    """The open draft and its id: this session's, else the one that the address names, else a new one."""
    id = st.session_state.get(_DRAFT) or st.query_params.get(DRAFT_PARAMETER)
    found = studio.drafts.get(id) if id else None
    if id is None or found is None:
        id, found = studio.drafts.start(), Draft()
    st.session_state[_DRAFT] = id
    return id, found


def open_draft(studio: Studio, draft: Draft) -> None:
    """Make this the open draft, as a new one: the one open before can still be reached by its address."""
    id = studio.drafts.start()
    studio.drafts.save(id, draft)
    st.session_state[_DRAFT] = id


def fill_widget(key: str, value: object) -> None:
    """What the widget of this key shall show when it is drawn next, in this run."""
    st.session_state[key] = value


def widget_value(key: str) -> object:
    """What the widget of this key holds: for its callback, which runs before it is drawn again."""
    return st.session_state[key]
