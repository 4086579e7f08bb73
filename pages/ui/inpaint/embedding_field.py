"""The embeddings of the form: which the prompts name, and a list of those that can be put into them."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.embedding import word_of
from core.domain.model_file import NamedFile
from core.domain.params import PARAMETERS
from core.services.embeddings import Named
from pages.ui.inpaint.form_fields import Form, fill_form
from pages.ui.shell import state
from pages.ui.shell.messages import escaped
from pages.ui.shell.wording import counted

PROMPTS = ("prompt", "negative_prompt")


def embedding_field(form: Form, model: str) -> None:
    """Shown only where the model reads embeddings, and one that it can read is on this machine."""
    files = {word_of(file.name): file for file in form.studio.embeddings.for_model(model)}
    if not files:
        return
    title = PARAMETERS["embeddings"].title
    with st.popover(title, icon=":material/translate:"):
        word = st.selectbox(
            title,
            list(files),
            format_func=lambda word: _described(files[word]),
            key=f"{form.id}.embedding",
            help=PARAMETERS["embeddings"].help,
        )
        for prompt in PROMPTS:
            st.button(
                f"Add to {PARAMETERS[prompt].title.lower()}",
                key=f"{form.id}.embedding-to-{prompt}",
                disabled=prompt in form.unused,
                on_click=_add,
                args=(form.studio, form.id, prompt, word),
                width="stretch",
            )


def embedding_lines(named: Named) -> None:
    """Which are read, and which names are read as words, though there are files of them."""
    if named.read:
        listed = ", ".join(escaped(_described(file)) for file in named.read)
        st.caption(f":material/translate: {PARAMETERS['embeddings'].title}: {listed}")
    for note in named.notes:
        st.caption(f":material/info: {escaped(note)}")


def _described(file: NamedFile) -> str:
    return f"{word_of(file.name)} ({counted(file.about.vectors or 0, 'vector')})"


def _add(studio: Studio, id: str, prompt: str, word: str) -> None:
    written = str(state.widget_value(f"{id}.{prompt}") or "").rstrip(" ,")
    fill_form(studio, id, {prompt: f"{written}, {word}" if written else word})
