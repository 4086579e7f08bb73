"""Home: what was begun and not finished, to go on with."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.bootstrap import Studio
from core.services.drafts import DRAFT_TTL
from pages.ui.drafts.open_file import open_draft_file
from pages.ui.drafts.tiles import deleted_toast, draft_menu, draft_tiles, restore_button
from pages.ui.shell import state

SHOWN = 6


def drafts_shelf(studio: Studio) -> None:
    deleted_toast(studio)
    person = state.person()
    mine, deleted = studio.drafts.of(person), studio.drafts.deleted(person)
    st.header("Continue where you left off")
    if not mine:
        st.caption("No drafts yet: every picture that you open is kept here with its mask, until you go on with it.")
    more = len(mine) > SHOWN and bool(state.widget_value("all-drafts"))
    draft_tiles(studio, mine if more else mine[:SHOWN], partial(draft_menu, studio))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(mine) > SHOWN:
            st.toggle(f"All {len(mine)} drafts", key="all-drafts")
        with st.popover("Open a draft file", icon=":material/upload_file:", key="draft-upload"):
            open_draft_file(studio)
        if deleted:
            with st.popover(
                "Deleted drafts", icon=":material/delete:", key="drafts-deleted", on_change="rerun"
            ) as panel:
                if panel.open:
                    st.caption(f"Kept for {DRAFT_TTL.days} days after they were deleted.")
                    draft_tiles(studio, deleted, partial(restore_button, studio))
