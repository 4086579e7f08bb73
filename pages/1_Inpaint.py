"""Inpaint: open a picture, paint over what should change, say what should be there, watch it appear."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import GenerationNotFound
from core.domain.generation import Generation, Status
from core.domain.request import InpaintRequest
from core.services.generations import Origin
from pages.ui import state
from pages.ui.canvas import mask_canvas, mask_of
from pages.ui.live_panel import live_panel
from pages.ui.messages import shown_errors
from pages.ui.params_form import Choices, chosen_device, params_form
from pages.ui.picture_picker import picture_picker
from pages.ui.resources import studio
from pages.ui.result_view import result_view


def inpaint_page(studio: Studio) -> None:
    id, draft = state.draft(studio)
    st.query_params[state.DRAFT_PARAMETER] = id
    picture_picker(studio, id, draft)
    if draft.source is None:
        return
    painting, choosing = st.columns([3, 2], gap="large")
    with painting:
        st.subheader("Paint over what should change")
        mask_canvas(studio, id)
    with choosing:
        st.subheader("Say what should be there")
        choices, below_prompts = params_form(studio, id, draft)
    with below_prompts:
        _generate(studio, id, choices)
        generations = _generations(studio, id)
        live_panel(studio, generations)
    result_view(studio, id, [g for g in generations if g.status is Status.SUCCEEDED])


def _generate(studio: Studio, id: str, choices: Choices) -> None:
    is_busy = any(generation.status.is_active for generation in _generations(studio, id))
    pressed = st.button(
        "Painting" if is_busy else "Generate", type="primary", icon=":material/auto_awesome:", width="stretch",
        disabled=is_busy or choices.problem is not None, key="generate",
    )  # fmt: skip
    if choices.problem is not None:
        st.caption(choices.problem)
    if pressed and not is_busy and choices.params is not None:
        # The first time it waits until the engine is imported.
        with shown_errors(), st.spinner("Getting ready"):
            _submit(studio, id, choices)
            st.rerun()


def _submit(studio: Studio, id: str, choices: Choices) -> None:
    # Read anew: the stroke that came in with this very click is stored by now.
    draft = studio.drafts.get(id) or Draft()
    params = choices.params.changed(seed=studio.generations.random_seed()) if choices.is_random else choices.params
    request = InpaintRequest(studio.gallery.image(draft.source), mask_of(studio, draft), params)
    origin = Origin(draft.parent_id, draft.relation, state.session(), draft.source_name)
    ids = studio.generations.submit(request, device=chosen_device(id, draft), count=choices.count, origin=origin)
    state.change_draft(studio, id, generations=tuple(ids))


def _generations(studio: Studio, id: str) -> list[Generation]:
    """What was submitted last from this draft, as it stands now; one that was deleted for good is left out."""
    found = []
    for generation_id in (studio.drafts.get(id) or Draft()).generations:
        try:
            found.append(studio.gallery.get(generation_id))
        except GenerationNotFound:
            continue
    return found


st.set_page_config(page_title="Inpaint · Inpaint Studio", page_icon=":material/brush:", layout="wide")
st.title("Inpaint")
with shown_errors():
    inpaint_page(studio())
