"""What was just deleted, with Undo: for some seconds, in a corner of the page that comes next."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.ui.shell import state
from pages.ui.shell.actions import action_button

UNDO_S = 10.0
"""For so long Undo is offered, as page.css has it; a page that looks for news is drawn anew meanwhile."""


def offer(place: str, what: Any) -> None:
    """What was deleted there, for whoever shows the toast of that place."""
    state.flash(place, (what, time.monotonic()))


def toast(place: str, words: Callable[[Any], str], restore: Callable[[Any], object]) -> None:
    """words, restore: of what was deleted.

    Streamlit's own toast has no button: this is a container that page.css lays where that one would be.
    """
    what, at = state.pop_flash(place) or (None, 0.0)
    if what is None or time.monotonic() - at > UNDO_S:
        return
    state.flash(place, (what, at))
    with st.container(key="trash-toast", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/delete: {words(what)}", width="content")
        action_button("Undo", _restore, place, what, restore, key="undo-trash", icon=":material/undo:")


def _restore(place: str, what: Any, restore: Callable[[Any], object]) -> None:
    restore(what)
    state.pop_flash(place)
