"""What every page begins with."""

from __future__ import annotations

import streamlit as st

from pages.ui.shell import address, callbacks, person
from pages.ui.shell.messages import escaped

STUDIO = "Inpaint Studio"

SIDEBAR_PX = 200
"""Wide enough for the names of the pages. On a tablet the 300 of Streamlit are a third of the screen."""


_SIDEBAR = f"""<style>
[data-testid="stSidebar"][style*="width: 300px"] {{ width: {SIDEBAR_PX}px !important; }}
</style>"""
"""Streamlit takes our width only if it arrives before the sidebar is first drawn, which is a matter of luck."""

_TOP = """<style>
[data-testid="stHeader"], [data-testid="stToolbar"] { height: 2.5rem; min-height: 0; }
[data-testid="stMainBlockContainer"] { padding-top: 1.25rem; }
</style>"""
"""The title right below the bar with the menu, and on a phone the sidebar's arrow: Streamlit leaves 6 rem for them.

The title itself begins with 1.25 rem of nothing.
"""

_READABLE = """<style>
[data-testid="stButtonGroup"] button[data-selected]:not([data-disabled]),
[data-testid="stSliderThumbValue"] { color: inherit; }
</style>"""
"""Not in the primary colour: on the dark theme that is dark enough for white on it, and too dark to be read."""

_ONLY_HEARD = """<style>
button p > span[style*="font-size"] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
</style>"""
"""Small print in the label of a button is for those who hear the page: to them, ten buttons “Cancel” are alike."""


def button_label(title: str, of: str) -> str:
    """title: what is seen. of: what this button belongs to, as it is; part of its name, and only heard."""
    return f"{title} :small[{escaped(of)}]"


def scroll_up_for(what: str) -> None:
    """Show the top of the page whenever this is another word than in the run before: Streamlit stays where it was."""
    scroll = f"<script data-for='{what}'>document.querySelector('[data-testid=stMain]')?.scrollTo(0, 0)</script>"
    st.html(scroll, unsafe_allow_javascript=True)


def scroll_to_button(key: str, what: str) -> None:
    """Bring the button of this key into view, unless it is, whenever this is another word than in the run before."""
    scroll = f"""<script data-for='{what}'>{{
        const button = document.querySelector('.st-key-{key}'), box = button?.getBoundingClientRect();
        if (box && (box.top < 0 || box.bottom > innerHeight)) button.scrollIntoView({{block: 'center'}});
    }}</script>"""
    st.html(scroll, unsafe_allow_javascript=True)


def scroll_into_view(key: str, what: str) -> None:
    """As little as it takes to see the container of this key, whenever this is another word than in the run before."""
    find = f"document.querySelector('.st-key-{key}')"
    scroll = f"<script data-for='{what}'>setTimeout(() => {find}?.scrollIntoView({{block: 'nearest'}}), 100)</script>"
    st.html(scroll, unsafe_allow_javascript=True)


def begin_page(title: str, icon: str) -> None:
    """icon: of the browser's tab, an emoji: the other icons of Streamlit are fetched from a host of Google's."""
    tab = title if title == STUDIO else f"{title} · {STUDIO}"
    callbacks.install()
    address.begin(title)
    st.set_page_config(page_title=tab, page_icon=icon, layout="wide", initial_sidebar_state=SIDEBAR_PX)
    st.html(_ONLY_HEARD + _SIDEBAR + _TOP + _READABLE)
    st.title(title)
    person.greet()
