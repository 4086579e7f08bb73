"""The size that the mask of a draft needs, told while it is painted, before anything is generated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import StudioError
from core.domain.geometry import Bounds
from core.domain.params import InpaintParams
from core.domain.working_size import sized_by_bounds
from pages.ui.inpaint.form_fields import Form
from pages.ui.inpaint.mask_parts import held
from pages.ui.inpaint.mask_tools import mask_of
from pages.ui.shell import prepared, state
from pages.ui.shell.watching import draw_page_again


def auto_size_field(form: Form) -> bool:
    key = f"{form.id}.auto_size"
    state.set_default(key, bool(form.kept["auto_size"]) and "size" not in form.unused)
    is_on = st.toggle(
        "Smaller for small masks",
        key=key,
        disabled="size" in form.unused,
        help="The processing resolution is then the most: down to half of it where the masked part has no more pixels "
        "of its own. Faster, without loss of detail. What it came to is in the record.",
    )
    size = _size(form.studio, form.id, {**form.kept, "auto_size": is_on})
    state.set_value(_told(form.id), size)
    if size is not None:
        st.caption(f"For this mask: {size} px.")
    return is_on


def tell_again(studio: Studio, id: str) -> None:
    """For the canvas: a stroke may have changed what the form says, which stands outside of its fragment."""
    kept = (studio.drafts.get(id) or Draft()).params
    if _size(studio, id, kept) != state.widget_value(_told(id)):
        draw_page_again()


def sized(studio: Studio, draft: Draft, params: InpaintParams) -> InpaintParams:
    """These params at the size that the mask needs; as they are while there is none that can be read."""
    if draft.has_no_mask:
        return params
    try:
        painted = draft.source, draft.base_mask, draft.drawing, draft.canvas_width
        bounds = _bounds(studio, draft, painted, params.mask_grow_px)
        return sized_by_bounds(params, bounds, prepared.picture_size(studio, draft.picture))
    except StudioError:
        return params  # the canvas says so


def _size(studio: Studio, id: str, kept: Mapping[str, Any]) -> int | None:
    """What the size of the form becomes; None where the mask does not decide it, or there is none."""
    draft = studio.drafts.get(id)
    if not kept.get("auto_size") or draft is None or draft.has_no_mask:
        return None
    params = held(id, kept, model=kept["model"])
    return None if params is None else sized(studio, draft, params).size


def _told(id: str) -> str:
    """The key of what the form says now."""
    return f"{id}.size-by-mask"


@st.cache_data(max_entries=prepared.MANY, show_spinner=False)
def _bounds(_studio: Studio, _draft: Draft, painted: tuple[object, ...], grow_px: int) -> Bounds | None:
    """Of the grown mask, at the full size of its picture: looked for once, not in each run of the page."""
    return mask_of(_studio, _draft).visible.grown_bounds(grow_px)
