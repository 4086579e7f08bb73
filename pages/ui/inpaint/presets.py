"""Presets of parameters, and the prompts that were used last: to be put into the form with one click."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import InvalidParams
from pages.ui.inpaint.form_fields import fill_form
from pages.ui.inpaint.params_form import form_now
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors

LATEST_LOOKED_AT = 60
PROMPTS_SHOWN = 12
LONGEST_LABEL = 60


def presets_popover(studio: Studio, id: str) -> None:
    """What the form of this draft says can be saved, and what is saved fills it."""
    # A run of the page draws only what is open: both popovers are a sixth of the page, and closed nearly always.
    popover = st.popover(
        "Presets", icon=":material/bookmarks:", help="Presets: saved parameters", key="presets", on_change="rerun"
    )
    if popover.open:
        with popover, shown_errors():
            _presets(studio, id)


def prompts_popover(studio: Studio, id: str) -> None:
    """The prompts of the newest generations, each once."""
    popover = st.popover("Prompts", icon=":material/history:", help="Prompt history", key="prompts", on_change="rerun")
    if popover.open:
        with popover, shown_errors():
            _prompts(studio, id)


def _presets(studio: Studio, id: str) -> None:
    presets = studio.presets.all()
    for nth, (name, values) in enumerate(presets.items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                _label(name),
                key=f"preset-use-{nth}",
                width="stretch",
                icon=":material/tune:",
                on_click=fill_form,
                args=(studio, id, values),
            )
            action_button(
                "Delete",
                studio.presets.delete,
                name,
                key=f"preset-delete-{nth}",
                icon=":material/delete:",
                help=f"Forget {_label(name)}",
            )
    if not presets:
        st.caption("No presets yet. Save the current parameters under a name.")
    st.text_input("Name", key="preset-name", placeholder="for example: fine detail")
    st.toggle("With the prompts", key="preset-prompts")
    action_button(
        "Save",
        _save,
        studio,
        id,
        key="preset-save",
        icon=":material/save:",
        width="stretch",
        help="Overwrites a preset of the same name. The seed is not saved.",
    )
    _hand_on(studio, has_any=bool(presets))


def _prompts(studio: Studio, id: str) -> None:
    pairs = {pair: None for pair in studio.gallery.prompts(LATEST_LOOKED_AT) if pair[0].strip()}
    if not pairs:
        st.caption("Prompts that you have used will appear here.")
    for nth, (prompt, negative_prompt) in enumerate(list(pairs)[:PROMPTS_SHOWN]):
        values = {"prompt": prompt, "negative_prompt": negative_prompt}
        st.button(
            _label(prompt),
            key=f"prompt-use-{nth}",
            width="stretch",
            on_click=fill_form,
            args=(studio, id, values),
            help="Also sets its negative prompt" if negative_prompt else None,
        )
    wildcards = studio.generations.prompts.wildcards()
    # Not captions: code in them is too pale to be read.
    st.markdown(":small[Dynamic prompts: `{red|blue}` picks one option for each picture, based on its seed.]")
    if wildcards:
        st.markdown(f":small[Wildcards: {' '.join(f'`__{name}__`' for name in wildcards)}]")


def _hand_on(studio: Studio, *, has_any: bool) -> None:
    """To a file, and from one."""
    st.download_button(
        "Download all",
        studio.presets.export(),
        "presets.json",
        "application/json",
        key="presets-export",
        icon=":material/download:",
        disabled=not has_any,
        width="stretch",
        on_click="ignore",
        help="All presets in one small file, for another machine",
    )
    st.file_uploader(
        "Import presets",
        "json",
        key="presets-import",
        max_upload_size=1,
        on_change=_import,
        args=(studio,),
        help="A file of presets that was downloaded here. Your presets are not overwritten.",
    )


def _import(studio: Studio) -> None:
    file = state.widget_value("presets-import")
    if file is None:
        return
    with shown_errors():
        done = studio.presets.import_(file.getvalue())
        told = f"{len(done.new)} imported" + (f", {len(done.known)} already here" if done.known else "")
        st.toast(f"Presets: {told}.", icon=":material/bookmark_added:")


def _save(studio: Studio, id: str) -> None:
    session = state.snapshot()
    choices, _ = form_now(studio, id, studio.drafts.get(id) or Draft(), session)
    if choices.params is None:
        raise InvalidParams(choices.problem)
    studio.presets.save(session["preset-name"], choices.params, with_prompts=session["preset-prompts"])
    state.set_value("preset-name", "")
    st.toast("Saved as a preset.", icon=":material/bookmark_added:")


def _label(text: str) -> str:
    """For a button, whose label is read as Markdown."""
    words = " ".join(text.split())
    return escaped(words if len(words) <= LONGEST_LABEL else words[: LONGEST_LABEL - 1] + "…")
