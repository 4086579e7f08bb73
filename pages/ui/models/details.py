"""One model: what it is, whether it fits, how often it was used, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.bootstrap import Studio
from core.domain.model_library import KindFilter, ModelEntry, gigabytes
from pages.ui.models.words import title_of
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.links import INPAINT_PAGE
from pages.ui.shell.messages import escaped
from pages.ui.shell.wording import counted, when

AUTOV2 = 10
"""Hex digits of the sha256 that CivitAI and A1111 show as a model's hash."""

COUNTED = (KindFilter.CHECKPOINT, KindFilter.LORA)

VERIFIED = "model-verified"


def details(studio: Studio, entry: ModelEntry, close: Callable[[], None]) -> None:
    """close: called when it has been removed."""
    picture = studio.library.picture(entry)
    if picture:
        shown, facts = st.columns([1, 3])
        shown.image(picture)
    else:
        facts = st.container()
    with facts:
        st.markdown(f"**{escaped(title_of(entry))}**")
        if entry.told.problem:
            st.warning(escaped(entry.told.problem), icon=":material/warning:")
        _facts(studio, entry)
        _for_prompts(studio, entry)
    verified = state.pop_flash(VERIFIED)
    if verified is not None:
        (st.error if verified.is_as_before is False else st.success)(escaped(verified.words))
    _actions(studio, entry, close)


def _facts(studio: Studio, entry: ModelEntry) -> None:
    found, plan = entry.found, studio.library.plan(entry)
    use = studio.library.uses([entry]).get(entry.key)
    used = f"{counted(use.count, 'generation')}, last {when(use.last_at)}" if use and use.last_at else ""
    licence = escaped(entry.licence or "")
    facts = {
        "Size": gigabytes(found.size) if found.size else "",
        "Memory": str(plan).replace(" into memory", "") if plan else "",
        "Licence": f"[{licence}]({entry.licence_url})" if licence and entry.licence_url else licence,
        "Used": used or ("never" if entry.kind in COUNTED else ""),
        "Hash": _hash(entry),
        "Where": escaped(f"{found.place}: {found.path}" if found.path else str(found.place)),
    }
    st.markdown("\n".join(f"- {name}: {value}" for name, value in facts.items() if value))


def _hash(entry: ModelEntry) -> str:
    if entry.found.path is None:
        return ""
    if entry.sha256 is None:
        return "changed since it was verified" if entry.hashed else "not computed yet: press Verify"
    digits = entry.sha256.removeprefix("sha256:")
    return f"`{digits[:AUTOV2]}` (sha256 `{digits}`)"


def _for_prompts(studio: Studio, entry: ModelEntry) -> None:
    if words := studio.library.trigger_words(entry):
        st.caption("Trigger words")
        st.code(", ".join(words), language=None, wrap_lines=True)
    if entry.kind is KindFilter.LORA:
        st.caption("In the prompt")
        st.code(f"<lora:{entry.found.title}:1>", language=None, wrap_lines=True)


def _actions(studio: Studio, entry: ModelEntry, close: Callable[[], None]) -> None:
    with st.container(horizontal=True):
        if entry.kind is KindFilter.CHECKPOINT and not entry.told.problem:
            _use(studio, entry.key)
        if entry.found.path is not None:
            _verify(studio, entry)
        if entry.is_removable:
            _remove(studio, entry, close)


def _use(studio: Studio, key: str) -> None:
    if not st.button("Use for inpainting", icon=":material/brush:", type="primary", key="model-use"):
        return
    id, draft = state.draft(studio)
    params = {**draft.params, **studio.recommendations.for_model(key), "model": key}
    state.change_draft(studio, id, params=params)
    st.switch_page(INPAINT_PAGE, query_params={state.DRAFT_PARAMETER: id})


def _verify(studio: Studio, entry: ModelEntry) -> None:
    if not st.button(
        "Verify",
        icon=":material/fact_check:",
        key="model-verify",
        help="Reads the whole file, computes its sha256 and compares it with the one kept before",
    ):
        return
    bar = st.progress(0.0, text="Reading")
    verified = studio.library.verify(
        entry.key, lambda done, total: bar.progress(min(1.0, done / total) if total else 1.0, "Reading")
    )
    state.flash(VERIFIED, verified)
    st.rerun()


def _remove(studio: Studio, entry: ModelEntry, close: Callable[[], None]) -> None:
    def remove(key: str) -> None:
        studio.library.remove(key)
        close()

    name = Path(entry.found.path or entry.key).name
    with st.popover("Remove", icon=":material/delete:", key="model-remove-asks"):
        st.markdown(escaped(studio.library.loss(entry)))
        action_button(
            f"Delete {escaped(name)}",
            remove,
            entry.key,
            key="model-remove",
            icon=":material/delete_forever:",
            type="primary",
        )
