"""A fragment that watches asks for the whole page when something has changed, and never keeps it from being drawn."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.shell import watching


def always_changed() -> None:
    import streamlit as st

    from pages.ui.shell.watching import draw_page_again

    @st.fragment(run_every=1.0)
    def watch() -> None:
        draw_page_again()

    watch()
    st.caption("the end of the page")


def test_a_page_on_which_something_has_always_changed_comes_to_its_end():
    page = AppTest.from_function(always_changed).run(timeout=10)

    assert [caption.value for caption in page.caption] == ["the end of the page"]


@pytest.mark.parametrize(("fragments", "times"), [(None, 0), ([], 0), (["a"], 1)])
def test_only_a_run_of_the_fragment_alone_asks_for_the_page(monkeypatch, fragments, times):
    asked = []
    monkeypatch.setattr(watching, "get_script_run_ctx", lambda: SimpleNamespace(fragment_ids_this_run=fragments))
    monkeypatch.setattr(watching.st, "rerun", lambda: asked.append(True))

    watching.draw_page_again()

    assert len(asked) == times
