"""What every page begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st

from pages.ui.shell import address, callbacks, person, session
from pages.ui.shell.messages import escaped

STUDIO = "Inpaint Studio"

SIDEBAR_PX = 200
"""Wide enough for the names of the pages. On a tablet the 300 of Streamlit are a third of the screen."""

_CSS = Path(__file__).with_name("page.css").read_text("utf-8")
_STYLE = f"<style>:root {{ --studio-sidebar: {SIDEBAR_PX}px; }}\n{_CSS}</style>"


def button_label(title: str, of: str) -> str:
    """title: what is seen. of: what this button belongs to, as it is; part of its name, and only heard."""
    return f"{title} :small[{escaped(of)}]"


def scroll_up_for(what: str) -> None:
    """Show the top of the page whenever this is another word than in the run before: Streamlit stays where it was."""
    scroll = f"<script data-for='{what}'>document.querySelector('[data-testid=stMain]')?.scrollTo(0, 0)</script>"
    st.html(scroll, unsafe_allow_javascript=True)


def scroll_into_view(key: str, what: str) -> None:
    """As little as it takes to see the container of this key, whenever this is another word than in the run before."""
    find = f"document.querySelector('.st-key-{key}')"
    scroll = f"<script data-for='{what}'>setTimeout(() => {find}?.scrollIntoView({{block: 'nearest'}}), 100)</script>"
    st.html(scroll, unsafe_allow_javascript=True)


def begin_page(title: str, icon: str, *, is_sidebar_folded: bool = False) -> None:
    """icon: of the browser's tab, an emoji: the other icons of Streamlit are fetched from a host of Google's.

    is_sidebar_folded: until somebody opens it.
    """
    tab = title if title == STUDIO else f"{title} · {STUDIO}"
    callbacks.install()
    session.install()
    address.begin(title)
    sidebar: Literal["collapsed"] | int = "collapsed" if is_sidebar_folded else SIDEBAR_PX
    st.set_page_config(page_title=tab, page_icon=icon, layout="wide", initial_sidebar_state=sidebar)
    st.html(_STYLE)
    st.title(title)
    person.greet()
