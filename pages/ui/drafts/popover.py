"""Drafts in the bar of the Inpaint page: the open one, and the others to go on with."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from pages.ui.drafts.open_file import open_draft_file
from pages.ui.drafts.tiles import deleted_toast, draft_actions, draft_tiles
from pages.ui.shell import state
from pages.ui.shell.links import HOME_PAGE

OTHERS = 6
TILE_PX = 128
"""Two of them beside each other on a phone."""


def drafts_popover(studio: Studio, id: str) -> None:
    """id: of the open draft."""
    deleted_toast(studio)
    with st.popover("Drafts", icon=":material/draft:", key="drafts-popover", on_change="rerun") as popover:
        if not popover.open:
            return
        mine = studio.drafts.of(state.person())
        open_one = next((kept for kept in mine if kept.id == id), None)
        if open_one is not None:
            draft_actions(studio, open_one)
        others = [kept for kept in mine if kept.id != id]
        if others:
            st.caption("Continue where you left off")
            draft_tiles(studio, others[:OTHERS], lambda kept: None, TILE_PX)
        if len(others) > OTHERS:
            st.page_link(HOME_PAGE, label=f"All {len(mine)} drafts", icon=":material/arrow_forward:")
        open_draft_file(studio)
