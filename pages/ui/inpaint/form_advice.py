"""What is told beside the form about the values in it, and the button that mends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain import instructions
from core.domain.errors import StudioError
from core.domain.lora import without_tags
from core.domain.modes import MODES, REMOVE, Mode, asks_to_remove
from core.domain.params import MAX_PROMPT, ORIGINAL, PARAMETERS
from pages.ui.inpaint.form_fields import Form, choose_mode, fill_form
from pages.ui.inpaint.model_picker import vocabulary_advice
from pages.ui.shell.messages import escaped
from pages.ui.shell.wording import beginning

LOOKS_WEIGHTED = re.compile(
    r"(?<!\\)\([^()]*[^()\d\s]\s*:\s*[0-9.]+\s*\)"
    r"|(?<!\\)\([^()]+(?<!\\)\)(?:\d*\.?\d+|\++|-+)(?!\w)"
    r"|(?<![^\W\d_])[^\W\d_]{2,}(?:\++|--+)(?![\w+-])"
)
"""(red hat:1.3), (red hat)1.3, balloon++: what is written by hardly anybody who does not mean a weight.

A hint and no grammar, which also takes the “+” of “A+” and the “-” of “cat- and dog-sized” for weights.
"""

WEIGHTED_SHOWN = 40
TOLD_SHOWN = 300


def advice(form: Form, values: Mapping[str, Any]) -> None:
    """The lines that come and go with the values."""
    _about_mode(form, MODES[values["mode"]])
    _unused_fields(form.studio, values["model"])
    vocabulary_advice(form.studio.recommendations.vocabulary(values["model"]), without_tags(values["prompt"]))
    _instruction(form, values)
    _weights(form, values)
    _offer_to_remove(form, values["mode"], values["prompt"])


def prompt_line(prompt: str) -> None:
    """One line, whether or not there is something to say about the prompt: it must not move what stands below."""
    is_too_long = len(prompt) > MAX_PROMPT
    st.caption(f":red[{len(prompt):,} of at most {MAX_PROMPT:,} characters]" if is_too_long else "&nbsp;")


def steps_line(form: Form, steps: int, strength: float) -> None:
    if strength < 1 and "strength" not in form.unused:
        st.caption(f"{int(steps * strength)} of {steps} steps are run at this strength.")


def fill_line(fill: str, strength: float) -> None:
    if fill != ORIGINAL and strength == 1:
        st.caption("This has no effect at strength 1. Lower the strength to use it.")


def _about_mode(form: Form, mode: Mode) -> None:
    about_prompt = (form.edits and mode.told) or mode.advice
    st.caption(f"{'' if 'prompt' in form.unused else about_prompt} {mode.painting}".strip())


def _unused_fields(studio: Studio, model: str) -> None:
    try:
        spec = studio.models.find(model)
    except StudioError:
        return
    if spec.unused:
        st.caption(f":material/info: Fields in grey have no effect with {escaped(spec.title)}.")


def _instruction(form: Form, values: Mapping[str, Any]) -> None:
    """The whole sentence, where the field above shows a template."""
    if form.edits and instructions.PROMPT in values["instruction"]:
        told = " ".join(instructions.applied(values["instruction"], values["prompt"]).split())
        st.caption(f":material/edit_note: The model is told: “{escaped(beginning(told, TOLD_SHOWN))}”")


def _weights(form: Form, values: Mapping[str, Any]) -> None:
    """What looks like weights in a prompt is read as text unless they are switched on."""
    if values["prompt_weights"]:
        return
    used = [values[name] for name in ("prompt", "negative_prompt") if name not in form.unused]
    found = next(filter(None, map(LOOKS_WEIGHTED.search, used)), None)
    if found is None:
        return
    written = escaped(beginning(found[0], WEIGHTED_SHOWN))
    if "prompt_weights" in form.unused:
        st.caption(f":material/info: This model takes no weights: “{written}” is read as text.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f":material/info: “{written}” is read as text.", width="content")
        st.button(
            "Use weights",
            key=f"{form.id}.weigh",
            on_click=fill_form,
            args=(form.studio, form.id, {"prompt_weights": True}),
            help=f"Switches {PARAMETERS['prompt_weights'].title} on, which stands below More parameters.",
        )


def _offer_to_remove(form: Form, mode: str, prompt: str) -> None:
    """Who asks for something to go away, where what is written is painted, is led to the mode that does it."""
    if form.edits or mode == REMOVE or not asks_to_remove(prompt):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f":material/info: {MODES[mode].title} paints what the prompt names.", width="content")
        st.button(
            f"Switch to {MODES[REMOVE].title}",
            key=f"{form.id}.to-remove",
            on_click=choose_mode,
            args=(form.studio, form.id, REMOVE),
            help="Removes what you painted over and fills in the background. The prompt is kept.",
        )
