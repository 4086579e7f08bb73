"""A place on the page that waits for what the worker tells of its machine."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui.shell.messages import shown_errors
from pages.ui.shell.watching import draw_page_again


@st.fragment(run_every=1.0)
def wait_until(is_told: Callable[[], object], words: str) -> None:
    """These words, until it is true; then the whole page is drawn again."""
    with shown_errors():
        if is_told():
            draw_page_again()
    st.caption(words)
