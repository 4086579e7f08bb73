from __future__ import annotations

from typing import Any

import pytest
from streamlit.runtime.state import SafeSessionState, SessionState
from streamlit.testing.v1 import AppTest

from pages.ui.shell import session


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    monkeypatch.setattr(SafeSessionState, "filtered_state", SafeSessionState.filtered_state)


def a_session(**values: Any) -> SafeSessionState:
    made = SafeSessionState(SessionState(), lambda: None)
    for name, value in values.items():
        made[name] = value
    return made


def test_key_by_key_the_session_says_what_all_of_it_says():
    whole = a_session(prompt="a boat", steps=None).filtered_state

    session.install()
    session.install()
    asked = a_session(prompt="a boat", steps=None).filtered_state

    assert dict(asked.items()) == dict(asked) == whole == {"prompt": "a boat", "steps": None}
    assert "seed" not in asked
    assert (asked.get("prompt"), asked.get("seed"), len(asked)) == ("a boat", None, 2)


def test_a_field_is_empty_where_the_session_says_so_and_a_snapshot_stays_what_it_was():
    def page() -> None:
        import streamlit as st

        from pages.ui.shell import session, state

        session.install()
        st.session_state.setdefault("seed", None)
        before = state.snapshot()
        st.session_state["later"] = 1
        st.number_input("Seed", value=7, key="seed")
        st.text("later" in before)

    app = AppTest.from_function(page).run()

    assert not app.exception
    assert app.number_input[0].value is None
    assert app.text[0].value == "False"
