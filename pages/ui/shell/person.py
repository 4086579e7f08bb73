"""One browser is one person: its tabs share a name, in a cookie, without any sign-in (decision 18)."""

from __future__ import annotations

import streamlit as st

from pages.ui.shell import state


def greet() -> None:
    """Give the browser its name if it has none yet. A tab that was open before takes the name that another one gave."""
    if state.is_known_person():
        return
    data = {"name": state.PERSON_COOKIE, "value": state.person()}
    met = _component(key="person", data=data, on_value_change=lambda: None)
    state.meet((met or {}).get("value"))


# Kept for a year. Where cookies are blocked, each tab is a person of its own.
_JS = """
export default function ({ data, setStateValue }) {
  const named = () => document.cookie.split("; ").find((one) => one.startsWith(data.name + "="))?.split("=")[1]
  if (!named()) document.cookie = `${data.name}=${data.value}; path=/; max-age=31536000; samesite=lax`
  const found = named()
  if (found && found !== data.value) setStateValue("value", found)
}
"""

_component = st.components.v2.component("inpaint_person", html="<div hidden></div>", js=_JS)
