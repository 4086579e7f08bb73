"""The LoRAs of the form: which, in which order, and how strongly each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.lora import MAX_LORAS, MAX_WEIGHT
from core.domain.model_file import NamedFile
from core.domain.params import PARAMETERS
from pages.ui.shell import state
from pages.ui.shell.messages import escaped

Values = Sequence[Mapping[str, Any]]
"""As the draft keeps them: fields of Loras."""

STEP = 0.05

TEXT_ENCODER = "Text encoder weight"
TEXT_ENCODER_HELP = "Of what this file changes in the text encoder. Empty: the same weight as in the U-Net."


def lora_field(studio: Studio, id: str, kept: Values, model: str) -> list[dict[str, Any]]:
    """What is chosen. Shown only where the model takes LoRAs, and one is there or was chosen."""
    fitting = {file.name: file for file in studio.loras.for_model(model)}
    chosen = held_loras(id, kept)
    takes_none = "loras" in studio.recommendations.unused(model)
    if takes_none or not (fitting or chosen):
        return chosen
    _fill_once(id, chosen)
    options = [*fitting, *(one["name"] for one in chosen if one["name"] not in fitting)]
    names = st.multiselect(
        PARAMETERS["loras"].title,
        options,
        key=_names_key(id),
        help=PARAMETERS["loras"].help,
        max_selections=MAX_LORAS,
        placeholder="None",
        on_change=_keep,
        args=(studio, id),
    )
    for name in names:
        _weight(studio, id, name, fitting.get(name))
    return held_loras(id, kept)


def _weight(studio: Studio, id: str, name: str, file: NamedFile | None) -> None:
    """Two fields where the file changes the text encoder too, or where two weights were chosen before."""
    key, text_key = _weight_key(id, name), _text_weight_key(id, name)
    state.set_default(key, 1.0)
    changed = file.about.parts if file is not None else ()
    has_two = any(part.startswith("text_encoder") for part in changed) or state.widget_value(text_key) is not None
    look: dict[str, Any] = {"step": STEP, "on_change": _keep, "args": (studio, id)}
    with st.container(horizontal=True):
        st.number_input(f"Weight of {escaped(name)}", -MAX_WEIGHT, MAX_WEIGHT, key=key, help=_help(file), **look)
        if has_two:
            st.number_input(
                TEXT_ENCODER,
                -MAX_WEIGHT,
                MAX_WEIGHT,
                None,
                key=text_key,
                help=TEXT_ENCODER_HELP,
                placeholder="the same",
                **look,
            )


def _help(file: NamedFile | None) -> str:
    if file is None:
        return "Not among the LoRAs for this model on this machine."
    words = ", ".join(file.about.trigger_words)
    return f"{escaped(file.about.title)}. " + (
        f"Trigger words: {escaped(words)}" if words else "No trigger words given."
    )


def held_loras(id: str, kept: Values, session: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """What the field holds now; what the draft keeps, where it was not drawn yet. session: a snapshot to look in."""
    held = state.widget_value if session is None else session.get
    names = held(_names_key(id))
    if names is None:
        return [dict(one) for one in kept]
    weights = {one["name"]: one["weight"] for one in kept}
    loras = []
    for name in names:
        weight, apart = held(_weight_key(id, name)), held(_text_weight_key(id, name))
        one = {"name": name, "weight": weights.get(name, 1.0) if weight is None else weight}
        loras.append(one if apart is None else {**one, "text_encoder_weight": apart})
    return loras


def fill_loras(id: str, values: Values) -> None:
    """For a callback: the field shows these."""
    by_name = {str(one["name"]): one for one in values}
    state.set_value(_names_key(id), list(by_name))
    for name, one in by_name.items():
        state.set_value(_weight_key(id, name), float(one["weight"]))
        state.set_value(_text_weight_key(id, name), one.get("text_encoder_weight"))


def _fill_once(id: str, chosen: Values) -> None:
    """A page switch takes widgets away with what they hold."""
    state.set_default(_names_key(id), [one["name"] for one in chosen])
    for one in chosen:
        state.set_default(_weight_key(id, one["name"]), float(one["weight"]))
        state.set_default(_text_weight_key(id, one["name"]), one.get("text_encoder_weight"))


def _keep(studio: Studio, id: str) -> None:
    params = (studio.drafts.get(id) or Draft()).params
    if params:
        state.change_draft(studio, id, params={**params, "loras": held_loras(id, params.get("loras", ()))})


def _names_key(id: str) -> str:
    return f"{id}.loras"


def _weight_key(id: str, name: str) -> str:
    return f"{id}.lora-weight.{name}"


def _text_weight_key(id: str, name: str) -> str:
    return f"{id}.lora-text-weight.{name}"
