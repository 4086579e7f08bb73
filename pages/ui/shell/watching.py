"""Fragments that watch: each has a timer of its own, and asks for the whole page when what it watches has changed."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def draw_page_again() -> None:
    """Never in the run that is just drawing the page, of which a fragment's first run is a part.

    Where drawing takes long something has always changed meanwhile, and the page would never come to its end. The next
    run of the fragment finds the change too. Where it comes back, there is nothing more to show.
    """
    context = get_script_run_ctx()
    if context is None or context.fragment_ids_this_run:
        st.rerun()
