"""Inpaint: open a picture, paint over what should change, say what should be there, watch it appear."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import GenerationNotFound
from core.domain.generation import Generation
from core.domain.request import InpaintRequest
from core.domain.sheet import Sheet
from core.services.generations import Origin
from pages.ui import state
from pages.ui.canvas import mask_canvas, mask_of
from pages.ui.generation_card import duration
from pages.ui.live_panel import UnderWay, live_panel
from pages.ui.messages import escaped, shown_errors
from pages.ui.outpaint import outpaint_panel
from pages.ui.page import begin_page, scroll_up_for
from pages.ui.params_form import Choices, chosen_device, params_form, resolved_device
from pages.ui.picture_picker import picture_picker
from pages.ui.presets import presets_popover, prompts_popover
from pages.ui.queue_view import queue_link
from pages.ui.resources import studio, warming_up
from pages.ui.result_view import result_view
from pages.ui.sheet_panel import sheet_panel, sheet_view


def inpaint_page(studio: Studio) -> None:
    warming_up(studio)
    id, draft = state.draft(studio)
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
        st.header("Say what should be there")
        saved = st.container(horizontal=True, gap="small")
        choices, below_prompts = params_form(studio, id, draft)
        sheet = sheet_panel(studio, id, choices.params, resolved_device(studio, id, draft))
    with saved:
        presets_popover(studio, id, choices.params)
        prompts_popover(studio, id)
    with below_prompts:
        generations = _generations(studio, id)
        under_way = _generate(studio, id, choices, generations)
        if sheet is not None:
            _started(lambda: _submit_sheet(studio, id, choices, sheet))
        live_panel(studio, id, generations, under_way)
    # Where it is seen without scrolling; on a phone the columns stand below each other, and it follows the form.
    with st.container() if state.is_phone() else beside_the_form:
        if draft.sheet is not None:
            sheet_view(studio, draft.sheet)
        result_view(studio, id, generations)
    # What is gone on with begins at its picture, not at the button far below that was pressed.
    scroll_up_for(id)


def _generate(studio: Studio, id: str, choices: Choices, generations: Sequence[Generation]) -> UnderWay | None:
    """Returns what is said about those of them that are not done yet."""
    mine = sum(generation.status.is_active for generation in generations)
    view = studio.queue.view(limit=0) if mine else None
    under_way = UnderWay.of(generations, view) if view else None
    cannot = choices.problem is not None
    pressed = st.button(
        under_way or "Generate", type="primary", icon=":material/auto_awesome:", width="stretch",
        disabled=bool(mine) or cannot, key="generate",
    )  # fmt: skip
    more = mine and st.button(
        "Queue another", icon=":material/add:", width="stretch", disabled=cannot, key="generate-another",
        help="With the mask and the parameters as they stand now. It is painted after those that wait already.",
    )  # fmt: skip
    if choices.problem is not None:
        st.caption(escaped(choices.problem))
    else:
        _expectation(studio, id, choices)
    if view:
        queue_link(view, mine)
    if (pressed and not mine) or more:
        _started(lambda: _submit(studio, id, choices, add=bool(more)))
    return under_way


def _expectation(studio: Studio, id: str, choices: Choices) -> None:
    """How long it will take, from what earlier ones took."""
    device = resolved_device(studio, id, studio.drafts.get(id) or Draft())
    if choices.params is None or device is None:
        return
    with shown_errors():
        each_s = studio.statistics.estimate_s(choices.params, device)
        if each_s is not None:
            several = f", {duration(each_s * choices.count)} for {choices.count}" if choices.count > 1 else ""
            st.caption(f":material/schedule: About {duration(each_s)} on {escaped(device)}{several}")


def _started(submit: Callable[[], None]) -> None:
    # The first time it waits until the engine is imported.
    with shown_errors(), st.spinner("Getting ready"):
        submit()
        st.rerun()


def _submit(studio: Studio, id: str, choices: Choices, *, add: bool) -> None:
    request, origin, draft = _asked(studio, id, choices)
    ids = studio.generations.submit(request, device=chosen_device(id, draft), count=choices.count, origin=origin)
    state.change_draft(studio, id, generations=(*draft.generations, *ids) if add else tuple(ids), sheet=None)


def _submit_sheet(studio: Studio, id: str, choices: Choices, sheet: Sheet) -> None:
    request, origin, draft = _asked(studio, id, choices)
    made = studio.sheets.submit(request, sheet, device=chosen_device(id, draft), origin=origin)
    ids = tuple(generation.id for generation in made.generations)
    state.change_draft(studio, id, generations=ids, sheet=made.id)


def _asked(studio: Studio, id: str, choices: Choices) -> tuple[InpaintRequest, Origin, Draft]:
    # Read anew: the stroke that came in with this very click is stored by now.
    draft = studio.drafts.get(id) or Draft()
    params = choices.params.reseeded(studio.generations.random_seed()) if choices.is_random else choices.params
    request = InpaintRequest(studio.gallery.image(draft.source), mask_of(studio, draft), params)
    return request, Origin(draft.parent_id, draft.relation, state.session(), draft.source_name, draft.extended), draft


def _generations(studio: Studio, id: str) -> list[Generation]:
    """What was submitted last from this draft, as it stands now; one that was deleted for good is left out."""
    found = []
    for generation_id in (studio.drafts.get(id) or Draft()).generations:
        try:
            found.append(studio.gallery.get(generation_id))
        except GenerationNotFound:
            continue
    return found


begin_page("Inpaint", "🖌️")
with shown_errors():
    inpaint_page(studio())
