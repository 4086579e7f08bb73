"""What every page begins with."""

from __future__ import annotations

import streamlit as st

STUDIO = "Inpaint Studio"

SIDEBAR_PX = 200
"""Wide enough for the names of the pages. On a tablet the 300 of Streamlit are a third of the screen."""


def begin_page(title: str, icon: str) -> None:
    """icon: of the browser's tab, ":material/name:"."""
    tab = title if title == STUDIO else f"{title} · {STUDIO}"
    st.set_page_config(page_title=tab, page_icon=icon, layout="wide", initial_sidebar_state=SIDEBAR_PX)
    st.title(title)
