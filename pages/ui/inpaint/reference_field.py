"""The reference pictures of the form: what the model looks at, by which IP-Adapter, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.files.picture_formats import FILE_TYPES
from core.domain.guide import Guide, Role
from core.domain.params import PARAMETERS
from core.domain.reference import references_in, without_references
from pages.ui.inpaint.form_fields import Form, field, keep
from pages.ui.shell import prepared, state
from pages.ui.shell.messages import shown_errors

ADAPTER, SCALE = "ip_adapter", "ip_adapter_scale"
NONE = ""

BY_ITSELF = "The model looks at it beside your picture: say in the prompt what it is to take from it."


def reference_field(form: Form, model: str) -> dict[str, Any]:
    """What is chosen. Shown only where the model looks at pictures by itself, or an IP-Adapter is there or chosen."""
    studio, id = form.studio, form.id
    held = state.widget_value(f"{id}.{ADAPTER}")
    kept = {ADAPTER: str(form.kept[ADAPTER] if held is None else held), SCALE: form.kept[SCALE]}
    most, needs_adapter = studio.references.most(model), studio.references.needs_adapter(model)
    names = [file.name for file in studio.references.for_model(model)]
    pictures = references_in((studio.drafts.get(id) or Draft()).guides)
    if not most or (needs_adapter and not (names or kept[ADAPTER] or pictures)):
        return kept
    if len(pictures) < most:
        _upload(studio, id, pictures, studio.references.usual(model) if needs_adapter else NONE, needs_adapter)
    for at, guide in enumerate(pictures):
        _picture(studio, id, at, guide)
    if not needs_adapter:
        return kept
    return {ADAPTER: _adapter(form, names, kept[ADAPTER]), SCALE: field(form, SCALE)}


def _upload(studio: Studio, id: str, pictures: Sequence[Guide[str]], usual: str, needs_adapter: bool) -> None:
    # Another one each time: what was taken stands below it as a picture.
    key = f"{id}.reference.upload.{len(pictures)}"
    title = "Another reference picture (optional)" if pictures else "Reference picture (optional)"
    file = st.file_uploader(title, FILE_TYPES, key=key, help=PARAMETERS[ADAPTER].help if needs_adapter else BY_ITSELF)
    if file is None or not state.is_new_file(key, file.file_id):
        return
    with shown_errors():
        kept = studio.references.keep(studio.pictures.read(file.getvalue()))
        _put(studio, id, [*(guide.picture for guide in pictures), kept])
        if usual and not state.widget_value(f"{id}.{ADAPTER}"):
            state.set_value(f"{id}.{ADAPTER}", usual)
            keep(studio, id, ADAPTER)
        st.rerun()


def _picture(studio: Studio, id: str, at: int, guide: Guide[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with shown_errors():
            st.image(prepared.screen_picture(studio, guide.picture), alt=guide.title, width=120)
        st.button(
            "Remove",
            icon=":material/close:",
            key=f"{id}.reference.remove.{at}",
            help="Take this reference picture away",
            on_click=_remove,
            args=(studio, id, at),
        )


def _remove(studio: Studio, id: str, at: int) -> None:
    pictures = [guide.picture for guide in references_in((studio.drafts.get(id) or Draft()).guides)]
    del pictures[at : at + 1]
    _put(studio, id, pictures)
    if not pictures:
        state.set_value(f"{id}.{ADAPTER}", NONE)
        keep(studio, id, ADAPTER)


def _put(studio: Studio, id: str, pictures: Sequence[str]) -> None:
    others = without_references((studio.drafts.get(id) or Draft()).guides)
    guides = (*others, *(Guide(Role.REFERENCE, at, picture) for at, picture in enumerate(pictures)))
    state.change_draft(studio, id, guides=guides)


def _adapter(form: Form, names: Sequence[str], kept: str) -> str:
    key = f"{form.id}.{ADAPTER}"
    state.set_default(key, kept)
    chosen: str = st.selectbox(
        PARAMETERS[ADAPTER].title,
        [NONE, *names, *([kept] if kept not in (NONE, *names) else [])],
        key=key,
        format_func=lambda name: name or "None",
        help=PARAMETERS[ADAPTER].help,
        on_change=keep,
        args=(form.studio, form.id, ADAPTER),
    )
    return chosen
