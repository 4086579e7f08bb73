"""Tables of our own: for those of Streamlit it imports pandas and pyarrow, 75 MB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path

import streamlit as st

Cell = str | int | float

_SORT = f"<script>{Path(__file__).with_name('table.js').read_text('utf-8')}</script>"


def table(
    title: str,
    columns: Mapping[str, Sequence[Cell]],
    *,
    right: Collection[str] = (),
    has_header: bool = True,
    sortable: bool = False,
) -> None:
    """title: for those who hear the page. columns: by their names, all as long; any text, which is shown as it is.

    right: which columns are aligned as those of numbers are. has_header: without one, the first column names the rows.
    sortable: a click on the name of a column sorts by it.
    """
    is_right = [
        name in right or not any(isinstance(cell, str) for cell in cells) if has_header else False
        for name, cells in columns.items()
    ]
    head = "".join(_name(name, to_right, sortable) for name, to_right in zip(columns, is_right, strict=True))
    rows = [
        "".join(
            _cell(cell, to_right, is_name=not has_header and nth == 0)
            for nth, (cell, to_right) in enumerate(zip(row, is_right, strict=True))
        )
        for row in zip(*columns.values(), strict=True)
    ]
    st.html(
        f'<div class="studio-table"><table aria-label="{escape(title)}">'
        + (f"<thead><tr>{head}</tr></thead>" if has_header else "")
        + f"<tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table></div>"
    )
    if sortable:
        st.html(_SORT, unsafe_allow_javascript=True)


def _name(name: str, to_right: bool, sortable: bool) -> str:
    words = f'<button type="button">{escape(name)}</button>' if sortable else escape(name)
    return f'<th scope="col"{_aligned(to_right)}>{words}</th>'


def _cell(cell: Cell, to_right: bool, is_name: bool) -> str:
    if isinstance(cell, str):
        return f'<th scope="row">{escape(cell)}</th>' if is_name else f"<td{_aligned(to_right)}>{escape(cell)}</td>"
    return f'<td{_aligned(to_right)} data-value="{cell}">{cell:,}</td>'


def _aligned(to_right: bool) -> str:
    return ' class="right"' if to_right else ""
