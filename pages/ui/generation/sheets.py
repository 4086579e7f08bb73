"""Finished sheets as one picture each: by their address, and on the card of a generation that is part of one."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.files.encoding import encoded
from core.domain.generation import Generation
from core.services.sheets import SheetWithGenerations
from pages.ui.shell.messages import shown_errors

PANEL = "sheets"
"""One key for all cards: who goes from picture to picture keeps it open."""


def sheet_view(studio: Studio, sheet_id: str) -> None:
    """The sheet as one picture, and its download. Cells that are not ready yet are empty fields."""
    with shown_errors():
        st.header("X/Y grid")
        _laid_out(studio, studio.sheets.get(sheet_id))


def sheets_of(studio: Studio, generation: Generation) -> None:
    """The sheets that this generation is part of; nothing if there are none."""
    with shown_errors():
        sheets = studio.sheets.of(generation.id)
        if not sheets:
            return
        panel = st.expander("X/Y grid", icon=":material/grid_on:", key=PANEL, on_change="rerun")
        if not panel.open:
            return
        with panel:
            for made in sheets:
                _laid_out(studio, made)


def _laid_out(studio: Studio, made: SheetWithGenerations) -> None:
    picture = _grid_picture(studio, made)
    st.image(picture, alt=_alt_text(made), width="content")
    done = sum(generation.output is not None for generation in made.generations)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{done} of {made.sheet.cells} done. Each is also in the gallery by itself.", width="stretch")
        st.download_button(
            "Download the grid",
            picture,
            f"sheet-{made.id}.png",
            "image/png",
            key=f"sheet-{made.id}",
            on_click="ignore",
            icon=":material/download:",
        )


def _grid_picture(studio: Studio, made: SheetWithGenerations) -> bytes:
    outputs = tuple(g.output or str(g.status) if g else "" for line in made.cells for g in line)
    return _drawn(studio, made, made.id, outputs)


@st.cache_data(max_entries=8, show_spinner="Laying out the grid")
def _drawn(_studio: Studio, _made: SheetWithGenerations, id: str, outputs: tuple[str, ...]) -> bytes:
    return encoded(_studio.sheets.picture(_made), "PNG")


def _alt_text(made: SheetWithGenerations) -> str:
    columns = ", ".join(made.sheet.columns.labels)
    rows = f"; rows: {', '.join(made.sheet.rows.labels)}" if made.sheet.rows else ""
    return f"A grid of {made.sheet.cells} results. Columns: {columns}{rows}"
