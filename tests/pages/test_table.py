"""A table shows any text as it is, and numbers so that they can be compared."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.pages.tables import tables_on

HOSTILE = "</table><img src=x onerror='alert(1)'> & \"quoted\" | <b>bold</b> `code` :smile:"


def shown() -> None:
    from pages.ui.shell.table import table
    from tests.pages.test_table import HOSTILE

    table(HOSTILE, {HOSTILE: [HOSTILE, "short"], "Runs": [1234, 5], "Time": ["1.5 s", "2 min"]}, right=["Time"])


def test_a_table_shows_any_text_as_it_is():
    page = AppTest.from_function(shown).run()

    assert not page.exception
    assert tables_on(page) == [
        [[HOSTILE, "Runs", "Time"], [HOSTILE, "1,234", "1.5 s"], ["short", "5", "2 min"]],
    ]
    [body] = [element.proto.body for element in page.get("html")]
    assert "<img" not in body
    assert "<b>" not in body


def test_numbers_and_what_is_told_like_them_stand_to_the_right():
    page = AppTest.from_function(shown).run()

    [body] = [element.proto.body for element in page.get("html")]
    assert body.count('class="right"') == 2 + 2 * 2
    assert 'data-value="1234"' in body
