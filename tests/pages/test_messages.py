"""What goes wrong on a page is a sentence, wherever it happens."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core import last_resort


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setenv("INPAINT_STUDIO_DATA", str(tmp_path))
    return tmp_path / last_resort.LOG


def in_a_part_of_the_page():
    import streamlit as st

    from pages.ui.shell.messages import shown_errors

    with shown_errors():
        raise ValueError("secret")
    st.write("the rest")


def outside_of_all_parts():
    import streamlit as st

    import pages.ui.shell.messages  # noqa: F401

    st.write("the rest")
    raise ValueError("secret")


def in_a_callback():
    import streamlit as st

    import pages.ui.shell.messages  # noqa: F401

    def fail():
        raise ValueError("secret")

    st.write("the rest")
    st.button("Press", on_click=fail)


def in_a_fragment():
    import streamlit as st

    from pages.ui.shell.messages import shown_errors

    @st.fragment
    def part():
        if st.button("Press"):
            raise ValueError("secret")

    st.write("the rest")
    with shown_errors():
        part()


def in_a_dialog():
    import streamlit as st

    from pages.ui.shell.messages import shown_errors

    @st.dialog("Title")
    def part():
        raise ValueError("secret")

    st.write("the rest")
    with shown_errors():
        part()


@pytest.mark.unforeseen
@pytest.mark.parametrize(
    "page", [in_a_part_of_the_page, outside_of_all_parts, in_a_callback, in_a_fragment, in_a_dialog]
)
def test_an_error_that_nobody_has_foreseen_is_one_sentence_with_its_number_in_the_log(page, log):
    at = AppTest.from_function(page).run()
    if at.button:
        at.button[0].click().run()

    assert not at.exception
    told = " ".join(error.value for error in at.error).replace("\\", "")
    number = re.search(r"\(error ([0-9a-f]{8})\)", told)[1]
    assert told.count(number) == 1
    assert "secret" not in told
    assert "Traceback" in log.read_text("utf-8")
    assert number in log.read_text("utf-8")


def ends_and_repeats():
    import streamlit as st

    from pages.ui.shell.messages import shown_errors

    with shown_errors():
        if "seen" not in st.session_state:
            st.session_state.seen = True
            st.rerun()
        st.write("seen")
        st.stop()
    st.write("never")


def test_what_ends_or_repeats_a_run_of_the_page_passes(log):
    at = AppTest.from_function(ends_and_repeats).run()

    assert [element.value for element in at.markdown] == ["seen"]
    assert not at.error
    assert not log.exists()


def foreseen():
    from core.domain.errors import StudioError
    from pages.ui.shell.messages import shown_errors

    with shown_errors():
        raise StudioError("Words.", link="https://example.org")


def test_what_was_foreseen_is_told_in_its_own_words(log):
    at = AppTest.from_function(foreseen).run()

    assert at.error[0].value == "Words\\. [Open the page](https://example.org)"
    assert not log.exists()
