"""The tables of a page, as their reader sees them."""

from __future__ import annotations

from html.parser import HTMLParser

from streamlit.testing.v1 import AppTest


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def tables_on(page: AppTest) -> list[list[list[str]]]:
    """The cells of each, row by row; the names of the columns are the first row."""
    found = []
    for element in page.get("html"):
        if "<table" in element.proto.body:
            reader = _Reader()
            reader.feed(element.proto.body)
            found.append(reader.rows)
    return found


def rows_on(page: AppTest) -> list[str]:
    """Every row of every table in one line."""
    return [" ".join(row) for table in tables_on(page) for row in table]
