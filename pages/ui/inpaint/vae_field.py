"""The VAE of the form: the model's own, or a file in its place."""

from __future__ import annotations

import streamlit as st

from core.domain.params import PARAMETERS
from pages.ui.inpaint.form_fields import Form, keep
from pages.ui.shell import state

OWN = ""


def vae_field(form: Form, model: str) -> str:
    """What is chosen. Shown only where the model takes another one, and one is there or was chosen."""
    key = f"{form.id}.vae"
    kept = str(form.kept["vae"] if (held := state.widget_value(key)) is None else held)
    names = [file.name for file in form.studio.vaes.for_model(model)]
    if "vae" in form.unused or not (names or kept):
        return kept
    state.set_default(key, kept)
    chosen: str = st.selectbox(
        PARAMETERS["vae"].title,
        [OWN, *names, *([kept] if kept not in (OWN, *names) else [])],
        key=key,
        format_func=lambda name: name or "The model's own",
        help=PARAMETERS["vae"].help,
        on_change=keep,
        args=(form.studio, form.id, "vae"),
    )
    return chosen
