"""One model: what it is, whether it fits, how often it was used, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.bootstrap import Studio
from core.domain.model_library import PAINT, KindFilter, ModelEntry, Verifying, gigabytes
from core.services.models import LISTED
from pages.ui.generation.card import worker_missing
from pages.ui.models.words import title_of
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.links import INPAINT_PAGE
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.wording import counted, when

AUTOV2 = 10
"""Hex digits of the sha256 that CivitAI and A1111 show as a model's hash."""

COUNTED = (*PAINT, *LISTED)


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
    _verified(entry)
    _actions(studio, entry, close)
    if entry.checked.verifying is not None:
        _followed(studio, entry.key)


def _facts(studio: Studio, entry: ModelEntry) -> None:
    found, plan = entry.found, studio.library.plan(entry)
    use = studio.library.uses([entry]).get(entry.key)
    used = f"{counted(use.count, 'generation')}, last {when(use.last_at)}" if use and use.last_at else ""
    licence = escaped(entry.licence or "")
    about = entry.told.about
    facts = {
        "Size": gigabytes(found.size) if found.size else "",
        "VAE": "comes without one; choose one on the form" if about and "VAE" in about.lacks else "",
        "Vectors": str(about.vectors or "") if about else "",
        "Memory": str(plan) if plan else "",
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
        return "the file has changed since it was read" if entry.checked.hashed else "not computed yet: press Verify"
    digits = entry.sha256.removeprefix("sha256:")
    return f"`{digits[:AUTOV2]}` (sha256 `{digits}`)"


def _verified(entry: ModelEntry) -> None:
    """What it came to the last time, as long as it is about the file that is there now."""
    verified = entry.checked.verified
    if verified is not None and verified.sha256 in ("", entry.sha256):
        (st.error if verified.is_as_before is False else st.success)(escaped(verified.words))


def _for_prompts(studio: Studio, entry: ModelEntry) -> None:
    if words := studio.library.trigger_words(entry):
        st.caption("Trigger words")
        st.code(", ".join(words), language=None, wrap_lines=True)
    in_prompt = {KindFilter.LORA: f"<lora:{entry.found.title}:1>", KindFilter.EMBEDDING: entry.found.title}
    if entry.kind in in_prompt:
        st.caption("In the prompt")
        st.code(in_prompt[entry.kind], language=None, wrap_lines=True)


def _actions(studio: Studio, entry: ModelEntry, close: Callable[[], None]) -> None:
    with st.container(horizontal=True):
        if entry.kind in PAINT and not entry.told.problem:
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
    action_button(
        "Verify",
        studio.model_checks.ask,
        entry.key,
        key="model-verify",
        icon=":material/fact_check:",
        disabled=entry.checked.verifying is not None,
        help="Reads the whole file, computes its sha256 and compares it with the one kept before. It goes on when you "
        "close this page, while nothing is painted",
    )


@st.fragment(run_every=1.0)
def _followed(studio: Studio, key: str) -> None:
    """Until it has been read; then the dialog is drawn anew, with what that came to."""
    with shown_errors():
        entry = studio.library.find(key)
        verifying = entry.checked.verifying
        if verifying is None:
            st.rerun()
        size = entry.found.size
        st.progress(min(1.0, verifying.done_bytes / size) if size else 0.0, text=_how_far(verifying, size))
        if not verifying.done_bytes and (why := worker_missing(studio)):
            st.caption(why)
        action_button("Cancel", studio.model_checks.cancel, key, key="model-verify-cancel", icon=":material/close:")


def _how_far(verifying: Verifying, size: int) -> str:
    return f"Reading, {gigabytes(verifying.done_bytes)} of {gigabytes(size)}" if verifying.done_bytes else "Waiting"


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
