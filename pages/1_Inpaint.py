"""Inpaint: open a picture, paint over what should change, say what should be there, watch it appear."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.generation import Generation
from pages.ui.drafts.shelf import drafts_shelf
from pages.ui.generation.actions import trash_toast
from pages.ui.generation.sheets import sheet_view
from pages.ui.inpaint.bar import bar
from pages.ui.inpaint.candidates import act, after, before, candidates, chosen_key, told
from pages.ui.inpaint.canvas import choice_of_canvas, mask_canvas
from pages.ui.inpaint.device_field import resolved_device
from pages.ui.inpaint.generating import generate_panel, sheet_button
from pages.ui.inpaint.live_panel import live_panel
from pages.ui.inpaint.painter import Shown
from pages.ui.inpaint.params_form import params_form
from pages.ui.inpaint.picture_picker import picture_notes, picture_picker
from pages.ui.inpaint.presets import presets_popover, prompts_popover
from pages.ui.inpaint.result_view import result_panel, result_view
from pages.ui.inpaint.sheet_form import sheet_panel
from pages.ui.inpaint.workspace import workspace
from pages.ui.shell import state
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page, scroll_up_for
from pages.ui.shell.resources import studio


def inpaint_page(studio: Studio) -> None:
    id, draft = state.draft(studio)
    trash_toast(studio)
    if draft.source is None:
        picture_picker(studio, id)
        drafts_shelf(studio)
        return
    places = workspace()
    made = candidates(studio, draft)
    chosen = next((one for one in made if one.id == state.widget_value(chosen_key(id))), made[0] if made else None)
    with places.bar:
        bar(studio, id, draft)
    with places.canvas:
        back, forward = (way(studio, id, draft) is not None for way in (before, after))
        looked_at = chosen.id if chosen else None
        shown = Shown(told(studio, made, id), looked_at, back, forward, partial(act, studio, id))
        mask_canvas(studio, id, shown)
    generations = _generations(studio, id)
    with places.fields:
        picture_notes(studio, id, draft)
        if draft.sheet is not None:
            sheet_view(studio, draft.sheet)
        if draft.has_simple_canvas:
            result_view(studio, id, generations)
        else:
            result_panel(studio, id, chosen)
        saved = st.container(horizontal=True, gap="small")
    choices = params_form(studio, id, draft, places.generate, places.fields)
    with places.fields:
        make = partial(sheet_button, studio, id)
        sheet_panel(studio, id, choices.params, resolved_device(studio, id, draft), make)
        choice_of_canvas(studio, id, draft)
    with saved:
        presets_popover(studio, id)
        prompts_popover(studio, id)
    with places.generate:
        under_way = generate_panel(studio, id, choices, generations)
        live_panel(studio, id, generations, under_way, in_canvas=not draft.has_simple_canvas)
    # On a phone: what is gone on with begins at its picture.
    scroll_up_for(id)


def _generations(studio: Studio, id: str) -> list[Generation]:
    """What was submitted last from this draft, as it stands now; what is in the trash, or deleted, is left out."""
    found = studio.gallery.known((studio.drafts.get(id) or Draft()).generations)
    return [generation for generation in found if generation.deleted_at is None]


begin_page("Inpaint", "🖌️", is_sidebar_folded=True)
with shown_errors():
    inpaint_page(studio())
