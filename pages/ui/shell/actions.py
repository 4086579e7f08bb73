"""Buttons that start, change or delete something: the click itself does it, before any page is drawn.

What stands behind `if st.button(...)` is done when the run of the page comes to it, and never if the visitor has
clicked on something else or left by then. A callback runs first, and is interrupted only where it looks into the
session (see state.snapshot), so an action begins with what it has to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from core.domain.errors import StudioError
from pages.ui.shell import state
from pages.ui.shell.messages import escaped

DOUBLE_CLICK_S = 0.8


def action_button(title: str, action: Callable[..., object], *given: Any, key: str, **look: Any) -> None:
    """A double click acts once. What a StudioError says is told beside the page, and moves nothing on it."""
    st.button(title, key=key, on_click=_act, args=(state.presses(), key, action, given), **look)


def _act(presses: dict[str, float], key: str, action: Callable[..., object], given: tuple[Any, ...]) -> None:
    if is_second_click(presses, key):
        return
    try:
        action(*given)
    except StudioError as error:
        tell_problem(error)
    finally:
        # The second click may have waited until now.
        presses[key] = time.monotonic()


def kept_by(key: str, keep: Callable[[Any], object]) -> dict[str, Any]:
    """What makes a widget of this key have each change of its value kept at once, with the change itself."""
    return {"key": key, "on_change": _keep, "args": (key, keep)}


def _keep(key: str, keep: Callable[[Any], object]) -> None:
    try:
        keep(state.widget_value(key))
    except StudioError as error:
        tell_problem(error)


def is_second_click(presses: dict[str, float], key: str) -> bool:
    """Whether it comes so soon after the one before that nobody meant it, and from now on that it was clicked."""
    before, presses[key] = presses.get(key), time.monotonic()
    return before is not None and presses[key] - before < DOUBLE_CLICK_S


def tell_problem(error: StudioError) -> None:
    link = f" [Open the page]({error.link})" if error.link else ""
    st.toast(escaped(str(error)) + link, icon=":material/error:", duration="infinite")
