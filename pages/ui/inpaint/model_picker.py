"""Which model paints: the table, or another one by file, folder or hub id; its facts, its words, its download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.model import ModelSpec, Vocabulary
from core.domain.model_library import PAINT, gigabytes
from core.domain.params import PARAMETERS
from pages.ui.downloads import download_panel
from pages.ui.shell import state
from pages.ui.shell.messages import escaped, show_error, shown_errors

OTHER = "another"

KNOWN_S = 10
"""So long a checkpoint that was just put into a folder is not listed yet."""


def model_picker(studio: Studio, id: str, chosen: str, apply: Any) -> str:
    """The key of the chosen model, or the text typed in. apply: called with the key when another one is chosen."""
    parameter = PARAMETERS["model"]
    titles = _titles(studio, studio.database_title)
    key, other = f"{id}.model", f"{id}.model-other"
    state.set_default(key, chosen if chosen in titles else OTHER)
    state.set_default(other, "" if chosen in titles else chosen)
    if state.widget_value(key) not in (*titles, OTHER):
        # Its file is gone since it was chosen: what it was called says so.
        fill_model(studio, id, str(state.widget_value(key)))

    def on_change() -> None:
        apply(held_model(id))

    st.selectbox(
        parameter.title,
        [*titles, OTHER],
        key=key,
        help=parameter.help,
        on_change=on_change,
        format_func=lambda key: titles.get(key, "Other: file, folder or hub id"),
    )
    held = state.widget_value(key)
    if held != OTHER:
        return str(held)
    address = st.text_input(
        "File, folder or hub id",
        key=other,
        placeholder="owner/name, or a checkpoint (.safetensors) or folder on the machine that runs Inpaint Studio",
        on_change=on_change,
    )
    return address.strip()


@st.cache_data(ttl=KNOWN_S, max_entries=8, show_spinner="Reading headers")
def _titles(_studio: Studio, database: str) -> Mapping[str, str]:
    """By key: the table, and what else is on this machine. database: of another studio they are others."""
    here = _studio.library.here()
    further = {entry.key: entry.found.title for entry in here if entry.kind in PAINT and entry.told.problem is None}
    return {**{spec.key: spec.title for spec in _studio.models.listed()}, **further}


def held_model(id: str, session: Mapping[str, Any] | None = None) -> str:
    """For a callback: the model that the picker shows now. session: a snapshot to look for it in."""
    held = state.widget_value if session is None else session.get
    model = held(f"{id}.model")
    return str(held(f"{id}.model-other") or "").strip() if model == OTHER else str(model or "")


def fill_model(studio: Studio, id: str, model: str) -> None:
    """For a callback: the picker shows this model."""
    is_listed = model in _titles(studio, studio.database_title)
    state.set_value(f"{id}.model", model if is_listed else OTHER)
    state.set_value(f"{id}.model-other", "" if is_listed else model)


def model_facts(studio: Studio, model: str) -> str | None:
    """Show the model. Returns why it cannot paint yet, or None."""
    if not model:
        return "Enter a model first."
    try:
        spec = studio.models.find(model)
        is_ready = studio.models.is_ready(model)
    except StudioError as error:
        show_error(str(error), error.link)
        return "This model cannot be used. Choose another one."
    # Not a caption: a link in it is too pale to be read.
    st.markdown(f":small[{' · '.join(_model_facts(spec))}]")
    if is_ready:
        return None
    return _download(studio, spec, model)


def model_problem(studio: Studio, model: str) -> str | None:
    """The same without showing anything."""
    try:
        studio.models.find(model)
        return None if studio.models.is_ready(model) else "This model is not downloaded yet. Download it first."
    except StudioError as error:
        return str(error)


def _model_facts(spec: ModelSpec) -> list[str]:
    licence = escaped(spec.licence)
    facts = [f"Licence: [{licence}]({spec.licence_url})" if spec.licence_url else f"Licence: {licence}"]
    if spec.url:
        facts.append(f"[{escaped(spec.repository or spec.url)}]({spec.url})")
    if spec.download_gb:
        facts.append(f"download {gigabytes(round(spec.download_gb * 1e9))}")
    if spec.memory_gb:
        facts.append(f"about {spec.memory_gb:g} GB of memory")
    return facts


def _download(studio: Studio, spec: ModelSpec, model: str) -> str | None:
    if spec.repository is None:
        with shown_errors():
            # Nothing to fetch for a folder: this says what is missing in it.
            studio.models.download(model, lambda done, total: None)
        return "The files of this model are missing."
    download_panel(studio, spec, "model-download")
    return "Download the model first."


def vocabulary_advice(vocabulary: Vocabulary | None, prompt: str) -> None:
    """For a model that knows only some words: which, and a warning when the prompt has none of them."""
    if vocabulary is None:
        return
    if not vocabulary.knows(prompt):
        st.warning(
            "This small model knows none of the things in the prompt, so the result may be anything. Use one of its "
            "words, or leave the prompt empty to fill from the surroundings.",
            icon=":material/lightbulb:",
        )
    with st.popover("Words this model knows", icon=":material/menu_book:"):
        st.markdown(f"**Things:** {escaped(', '.join(sorted(vocabulary.objects)))}")
        if vocabulary.colours:
            st.markdown(f"**Colours:** {escaped(', '.join(vocabulary.colours))}")
        if vocabulary.background_words:
            st.markdown(f"**Backgrounds:** {escaped(', '.join(vocabulary.background_words))}")
