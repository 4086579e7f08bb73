"""The bar above the canvas: which picture is open, and the ways to another one, to drafts and to the queue."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from pages.ui.drafts.popover import drafts_popover
from pages.ui.inpaint.outpaint import outpaint_popover
from pages.ui.inpaint.picture_picker import open_popover
from pages.ui.shell import state
from pages.ui.shell.links import GALLERY_PAGE, QUEUE_PAGE
from pages.ui.shell.messages import escaped
from pages.ui.shell.prepared import picture_size

HEADLINE, ELSEWHERE = "headline", "elsewhere"
"""Keys of its parts: what concerns the picture, and what leads away from it. Between them stands the painter's own."""


def bar(studio: Studio, id: str, draft: Draft) -> None:
    with st.container(key=HEADLINE, horizontal=True, width="content", gap="small", vertical_alignment="center"):
        width, height = picture_size(studio, draft.picture)
        st.markdown(f"**{escaped(draft.source_name or 'Picture')}** {width:,} x {height:,}", width="content")
        open_popover(studio, id)
        outpaint_popover(studio, id, draft)
        _way_back(studio, id, draft)
    with st.container(key=ELSEWHERE, horizontal=True, width="content", gap="small", vertical_alignment="center"):
        drafts_popover(studio, id)
        st.page_link(GALLERY_PAGE, label="Gallery", icon=":material/photo_library:", width="content")
        st.page_link(QUEUE_PAGE, label="Queue", icon=":material/queue:", width="content")


def _way_back(studio: Studio, id: str, draft: Draft) -> None:
    """To the picture that this one was made from."""
    if draft.before is not None and studio.drafts.get(draft.before) is not None:
        st.button(
            "Back",
            icon=":material/undo:",
            key=f"{id}.before",
            on_click=state.return_to_draft,
            args=(draft.before,),
            help="Back to the previous picture, with its mask and its results",
        )
