"""Inpaint: open a picture, paint over what should change, say what should be there, watch it appear."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import GenerationNotFound
from core.domain.generation import Generation
from pages.ui.generation.actions import trash_toast
from pages.ui.generation.sheets import sheet_view
from pages.ui.inpaint.canvas import mask_canvas
from pages.ui.inpaint.device_field import resolved_device
from pages.ui.inpaint.generating import generate_panel, sheet_button
from pages.ui.inpaint.live_panel import live_panel
from pages.ui.inpaint.outpaint import outpaint_panel
from pages.ui.inpaint.params_form import params_form
from pages.ui.inpaint.picture_picker import picture_picker
from pages.ui.inpaint.presets import presets_popover, prompts_popover
from pages.ui.inpaint.result_view import result_view
from pages.ui.inpaint.sheet_form import sheet_panel
from pages.ui.shell import state
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page, scroll_up_for
from pages.ui.shell.resources import studio


def inpaint_page(studio: Studio) -> None:
    id, draft = state.draft(studio)
    trash_toast(studio)
    picture_picker(studio, id, draft)
    if draft.source is None:
        return
    painting, choosing = st.columns([5, 3], gap="medium")
    with painting:
        st.header("Paint over what should change")
        mask_canvas(studio, id)
        outpaint_panel(studio, id, draft)
        beside_the_form = st.container()
    with choosing:
        st.header("Describe what should be there")
        saved = st.container(horizontal=True, gap="small")
        choices, below_prompts, live = params_form(studio, id, draft)
        make = partial(sheet_button, studio, id)
        sheet_panel(studio, id, choices.params, resolved_device(studio, id, draft), make)
    with saved:
        presets_popover(studio, id)
        prompts_popover(studio, id)
    generations = _generations(studio, id)
    with below_prompts:
        under_way = generate_panel(studio, id, choices, generations)
    with live:
        live_panel(studio, id, generations, under_way)
    # Where it is seen without scrolling; on a phone the columns stand below each other, and it follows the form.
    with st.container() if state.is_phone() else beside_the_form:
        if draft.sheet is not None:
            sheet_view(studio, draft.sheet)
        result_view(studio, id, generations)
    # What is gone on with begins at its picture, not at the button far below that was pressed.
    scroll_up_for(id)


def _generations(studio: Studio, id: str) -> list[Generation]:
    """What was submitted last from this draft, as it stands now; what is in the trash, or deleted, is left out."""
    found = []
    for generation_id in (studio.drafts.get(id) or Draft()).generations:
        with suppress(GenerationNotFound):
            found.append(studio.gallery.get(generation_id))
    return [generation for generation in found if generation.deleted_at is None]


begin_page("Inpaint", "🖌️")
with shown_errors():
    inpaint_page(studio())
