"""Generate: the click itself submits what the form and the canvas hold. What is refused is told below the button."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import InvalidParams, StudioError
from core.domain.generation import Generation, Origin
from core.domain.queue import QueueView
from core.domain.request import StoredRequest
from core.domain.working_size import sized_by_mask
from pages.ui.inpaint.again import submitted
from pages.ui.inpaint.canvas import store_drawn
from pages.ui.inpaint.device_field import resolved_device
from pages.ui.inpaint.live_panel import UnderWay
from pages.ui.inpaint.mask_size import sized
from pages.ui.inpaint.mask_tools import mask_of
from pages.ui.inpaint.painter import store_painted
from pages.ui.inpaint.params_form import Choices, form_now
from pages.ui.inpaint.sheet_form import sheet_now
from pages.ui.shell import prepared, state
from pages.ui.shell.actions import action_button
from pages.ui.shell.links import QUEUE_PAGE
from pages.ui.shell.messages import escaped, show_error, shown_errors
from pages.ui.shell.resources import pipeline
from pages.ui.shell.wording import duration

WORTH_A_WORD_S = 0.5
FEW_AHEAD = 20
"""Of so many it is told when they will be done; to look at more of them costs each run of the page too much."""


def generate_panel(studio: Studio, id: str, choices: Choices, generations: Sequence[Generation]) -> UnderWay | None:
    """Returns what is said about those of them that are not done yet."""
    mine = sum(generation.status.is_active for generation in generations)
    view = studio.queue.view(FEW_AHEAD)
    under_way = UnderWay.of(generations, view) if mine else None
    # Off only while it paints: what makes it impossible may be mended by the very field that is left for the button.
    action_button(
        under_way or "Generate",
        _generate,
        studio,
        id,
        key="generate",
        type="primary",
        icon=":material/auto_awesome:",
        width="stretch",
        disabled=bool(mine),
    )
    if mine:
        action_button(
            "Queue another",
            _generate_another,
            studio,
            id,
            key="generate-another",
            icon=":material/add:",
            width="stretch",
            help="With the current mask and parameters. It joins the end of your queue.",
        )
    _refusal(studio, id, "generate", choices.problem)
    if choices.problem is None:
        _expectation(studio, id, choices, view)
    if mine:
        queue_link(view, mine)
    return under_way


def sheet_button(studio: Studio, id: str, title: str) -> None:
    action_button(title, _make_sheet, studio, id, key=f"{id}.sheet", width="stretch", icon=":material/grid_on:")
    _refusal(studio, id, "sheet")


def _expectation(studio: Studio, id: str, choices: Choices, view: QueueView) -> None:
    """How long it will take until it is there, from what earlier ones took."""
    draft = studio.drafts.get(id) or Draft()
    device = resolved_device(studio, id, draft)
    if choices.params is None or device is None:
        return
    with shown_errors():
        params = sized(studio, draft, choices.params) if choices.is_sized_by_mask else choices.params
        at = f", at {params.size} px" if choices.is_sized_by_mask and not draft.has_no_mask else ""
        each_s = studio.statistics.estimate_s(params, device)
        if each_s is None:
            if at:
                st.caption(f":material/schedule: On {escaped(device)}{at}")
            return
        model = params.model
        load_s = 0.0 if studio.workers.holds(model, device) else studio.statistics.load_estimate_s(model, device) or 0.0
        ahead, ahead_s = _ahead(view)
        paint_s = each_s * choices.count
        parts = [f"{duration(paint_s)} to paint" + (f" {choices.count}" if choices.count > 1 else "")]
        if load_s >= WORTH_A_WORD_S:
            parts.insert(0, f"{duration(load_s)} to load the model")
        if ahead:
            parts.insert(0, f"{ahead:,} in the queue first" + (f", {duration(ahead_s)}" if ahead_s else ""))
        whole_s = paint_s + (load_s if load_s >= WORTH_A_WORD_S else 0.0) + (ahead_s or 0.0)
        why = f": {', '.join(parts)}" if len(parts) > 1 or choices.count > 1 else ""
        st.caption(f":material/schedule: About {duration(whole_s)} on {escaped(device)}{at}{why}")


def _ahead(view: QueueView) -> tuple[int, float | None]:
    """How many are painted or wait already, and for how long at most; None if that is not known."""
    entries = (*view.running, *view.waiting)
    takes = [entry.takes_s for entry in entries if entry.takes_s is not None]
    known = len(view.waiting) == view.waiting_count and len(takes) == len(entries)
    return len(view.running) + view.waiting_count, sum(takes) if entries and known else None


# The clicks ----------------------------------------------------------------------------------------------------


def _generate(studio: Studio, id: str) -> None:
    # Another tab may have begun meanwhile.
    if not any(studio.generations.is_active(one) for one in (studio.drafts.get(id) or Draft()).generations):
        _submitting(studio, id, "generate", _submit)


def _generate_another(studio: Studio, id: str) -> None:
    _submitting(studio, id, "generate", lambda *given: _submit(*given, is_added=True))


def _make_sheet(studio: Studio, id: str) -> None:
    _submitting(studio, id, "sheet", _submit_sheet)


Session = dict[str, Any]


def _submitting(studio: Studio, id: str, place: str, submit: Callable[..., None]) -> None:
    """Take the stroke and the words that came with this click, and submit. Looks into the session only afterwards."""
    session, taken, problem = dict(state.snapshot()), None, None
    try:
        taken = store_painted(studio, id, session)
        store_drawn(studio, id, session)
        if taken is not None and taken.problem is not None:
            raise taken.problem
        choices, stored = form_now(studio, id, studio.drafts.get(id) or Draft(), session)
        draft = state.change_draft(studio, id, params=stored)
        submit(studio, id, draft, choices, session)
    except StudioError as error:
        problem = error
    if taken is not None:
        state.keep_painter_instance(taken.key, taken.instance)
    state.refuse(f"{id}.{place}", problem and (str(problem), problem.link, _answered(studio, id)))


def _submit(
    studio: Studio, id: str, draft: Draft, choices: Choices, session: Session, *, is_added: bool = False
) -> None:
    request, origin = _asked(studio, id, draft, choices)
    ids = studio.generations.submit(request, device=draft.params["device"], count=choices.count, origin=origin)
    if is_added:
        state.change_draft(studio, id, generations=(*draft.generations, *ids), sheet=None)
    else:
        submitted(studio, id, ids)


def _submit_sheet(studio: Studio, id: str, draft: Draft, choices: Choices, session: Session) -> None:
    request, origin = _asked(studio, id, draft, choices)
    sheet = sheet_now(studio, id, request.params, resolved_device(studio, id, draft), session)
    made = studio.sheets.submit(request, sheet, device=draft.params["device"], origin=origin)
    submitted(studio, id, [generation.id for generation in made.generations], made.id)


def _asked(studio: Studio, id: str, draft: Draft, choices: Choices) -> tuple[StoredRequest, Origin]:
    if choices.params is None or choices.problem is not None:
        raise InvalidParams(choices.problem or "These parameters cannot be used together.")
    params = choices.params.reseeded(studio.generations.random_seed()) if choices.is_random else choices.params
    guides = studio.references.used(params.model, draft.guides)
    mask = mask_of(studio, draft)
    if choices.is_sized_by_mask:
        params = sized_by_mask(params, mask, prepared.picture_size(studio, draft.picture))
    request = studio.generations.stored(draft.picture, mask, params, guides)
    if (device := resolved_device(studio, id, draft)) is not None:
        pipeline(studio, params.model, device)
    return request, Origin(
        draft.parent_id,
        draft.relation,
        state.person(),
        draft.source_name,
        draft.extended,
        draft.source_exif,
        draft.selection,
    )


# What was refused ----------------------------------------------------------------------------------------------


def _refusal(studio: Studio, id: str, place: str, problem: str | None = None) -> None:
    """Why the last click came to nothing, as long as nothing was changed since. problem: why the next one will."""
    refused = state.refused(f"{id}.{place}")
    if refused is not None and refused[2] == _answered(studio, id):
        show_error(refused[0], refused[1])
    elif problem is not None:
        st.warning(escaped(problem), icon=":material/error:")


def _answered(studio: Studio, id: str) -> str:
    """What was asked for, to see whether it is still the same."""
    draft = studio.drafts.get(id) or Draft()
    return repr((draft.source, draft.base_mask, draft.drawing, draft.guides, sorted(draft.params.items())))


def queue_link(view: QueueView, mine: int) -> None:
    """Below Generate: who else is in the queue."""
    others = len(view.running) + view.waiting_count - mine
    if view.is_paused:
        st.warning("The queue is paused: nothing new starts.", icon=":material/pause_circle:")
    if others > 0 or view.is_paused:
        st.page_link(
            QUEUE_PAGE, label=f"Queue: {others} others" if others else "Open the queue", icon=":material/queue:"
        )
