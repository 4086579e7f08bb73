"""Opening a draft that was saved as a file."""

from __future__ import annotations

import io

import streamlit as st

from core.bootstrap import Studio
from pages.ui.shell import state
from pages.ui.shell.links import INPAINT_PAGE
from pages.ui.shell.messages import shown_errors


def open_draft_file(studio: Studio) -> None:
    file = st.file_uploader(
        "Open a saved draft", "zip", key="draft-file", help="A .draft.zip file, from here or another Inpaint Studio"
    )
    if file is not None and state.is_new_file("draft", file.file_id):
        with shown_errors(), st.spinner("Opening the draft"):
            id = studio.draft_files.import_(io.BytesIO(file.getvalue()), state.person())
            st.switch_page(INPAINT_PAGE, query_params={state.DRAFT_PARAMETER: id})
