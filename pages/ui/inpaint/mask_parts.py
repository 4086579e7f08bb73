"""What is told of a mask that gets too few pixels of the model: how many, and what gives it more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from core.domain.errors import InvalidParams
from core.domain.geometry import Size
from core.domain.params import AREAS, InpaintParams
from core.domain.pixels.areas import Advice, advice, shares
from core.domain.pixels.mask import Mask
from pages.ui.inpaint.open_draft import OpenDraft
from pages.ui.shell import state
from pages.ui.shell.messages import escaped

DECIDE = ("area", "size", "crop_padding_px", "mask_grow_px")
"""Parameters that decide how many pixels a mask gets."""


def few_pixels_offer(opened: OpenDraft, mask: Callable[[], Mask | None]) -> None:
    """mask: the draft's own, at any size; asked for only if it was not looked at before."""
    key = f"{opened.id}.area"
    if (chosen := state.pop_flash(key)) is not None:
        # In a run of the whole page, before its form is drawn, as the field stands outside of this fragment.
        state.set_value(key, chosen)
    draft = opened.draft
    params = held(opened.id, draft.params)
    said = None
    if params and draft.base_mask is not None:
        decided = tuple(getattr(params, name) for name in DECIDE)
        said = _advice(mask, params, (draft.base_mask, draft.drawing), opened.picture.sides, decided)
    if said is None:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f":material/info: {escaped(said.words)}", width="content")
        if said.area is not None and st.button(
            AREAS[said.area],
            icon=":material/center_focus_strong:",
            key=f"{opened.id}.use-area",
            help="Also available under More parameters: Inpaint area.",
        ):
            state.flash(key, said.area)
            st.rerun()


def held(id: str, kept: Mapping[str, Any], **others: Any) -> InpaintParams | None:
    """These parameters as the form holds them, or as they are kept; None before it was drawn for the first time."""
    values = {
        name: kept.get(name) if (value := state.widget_value(f"{id}.{name}")) is None else value for name in DECIDE
    }
    if None in values.values():
        return None
    try:
        return InpaintParams(**values, **others)
    except InvalidParams:
        return None  # the form says so


@st.cache_data(max_entries=256, show_spinner=False)
def _advice(
    _mask: Callable[[], Mask | None],
    _params: InpaintParams,
    key: tuple[str, str | None],
    picture: tuple[int, int],
    decided: tuple[object, ...],
) -> Advice | None:
    """key: of the mask, and what is drawn over it. Its parts are looked for once, not in each run of the page."""
    mask = _mask()
    return None if mask is None else advice(shares(mask, Size(*picture), _params), _params)
