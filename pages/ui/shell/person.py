"""One browser is one person: its tabs share a name, in a cookie, without any sign-in (decision 18)."""

from __future__ import annotations

from pathlib import Path

from pages.ui.shell import state
from pages.ui.shell.component import script


def greet() -> None:
    """Give the browser its name if it has none yet. A tab that was open before takes the name that another one gave."""
    if state.is_known_person():
        return
    data = {"name": state.PERSON_COOKIE, "value": state.person()}
    met = _component(key="person", data=data, on_value_change=lambda: None)
    state.meet(met.get("value") if met else None)


_component = script("inpaint_person", Path(__file__).with_name("person.js"))
