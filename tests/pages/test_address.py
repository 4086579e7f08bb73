from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.shell import address


def page() -> None:
    import streamlit as st

    from pages.ui.shell import address

    address.begin("Gallery")
    for name in ("first", "second"):
        st.button(f"set {name}", on_click=lambda name: address.put(**{name: "1"}), args=(name,))
    st.button("close", on_click=address.drop, args=("first",))
    st.json(address.as_dict())
    if st.button("another page"):
        address.begin("Queue")
        st.query_params.clear()


@pytest.fixture
def browser() -> AppTest:
    return AppTest.from_function(page).run()


def press(browser: AppTest, title: str, *, shows: dict[str, str]) -> dict[str, str]:
    """Press a button while the browser shows this address; what it is told to show then."""
    browser.query_params.clear()
    browser.query_params.update(shows)
    next(button for button in browser.button if button.label == title).click()
    browser.run()
    assert not browser.exception
    return {name: values[-1] for name, values in browser.query_params.items()}


def test_what_is_set_before_the_browser_heard_of_the_last_change_does_not_undo_it(browser):
    press(browser, "set first", shows={})

    assert press(browser, "set second", shows={}) == {"first": "1", "second": "1"}


def test_what_was_just_closed_is_not_opened_again_by_a_browser_that_has_not_heard_of_it(browser):
    press(browser, "set first", shows={})
    press(browser, "close", shows={"first": "1"})

    assert press(browser, "set second", shows={"first": "1"}) == {"second": "1"}


def test_a_step_back_some_time_later_is_one(browser, monkeypatch):
    press(browser, "set first", shows={})
    monkeypatch.setattr(address, "UNDER_WAY_S", 0)

    assert press(browser, "set second", shows={}) == {"second": "1"}


def test_a_link_to_somewhere_else_is_followed_at_any_time(browser):
    press(browser, "set first", shows={})

    assert press(browser, "set second", shows={"linked": "x"}) == {"linked": "x", "second": "1"}


def test_what_was_written_on_one_page_is_not_brought_to_another(browser):
    press(browser, "set first", shows={})
    press(browser, "another page", shows={"first": "1"})

    assert press(browser, "set second", shows={}) == {"second": "1"}
