"""The form: which parameters stand where, and what it comes to. Every change is stored in the draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import InvalidParams
from core.domain.params import PARAMETERS, TWO_PASS, InpaintParams
from core.domain.speed import BEST
from pages.ui.inpaint.control_field import control_field, held_controls
from pages.ui.inpaint.device_field import chosen_device, device_field, device_problem, resolved_device
from pages.ui.inpaint.embedding_field import embedding_field, embedding_lines
from pages.ui.inpaint.form_advice import advice, fill_line, prompt_line, steps_line
from pages.ui.inpaint.form_fields import (
    Form,
    field,
    fields,
    fill_form,
    images_field,
    instruction_field,
    mode_field,
    seed_field,
    text,
)
from pages.ui.inpaint.lora_field import held_loras, lora_field
from pages.ui.inpaint.mask_size import auto_size_field
from pages.ui.inpaint.model_picker import held_model, model_facts, model_picker, model_problem
from pages.ui.inpaint.prompt_length import prompt_length_line
from pages.ui.inpaint.reference_field import reference_field
from pages.ui.inpaint.speed_field import speed_field, speed_values
from pages.ui.inpaint.vae_field import vae_field
from pages.ui.shell import state

AT_HAND = (
    "prompt",
    "instruction",
    "negative_prompt",
    "model",
    "loras",
    "vae",
    "controlnet",
    "ip_adapter",
    "ip_adapter_scale",
    "embeddings",
    "num_inference_steps",
    "strength",
    "seed",
    "guidance_scale",
    "fill",
)
IN_ORDER = (
    "area",
    "refine_strength",
    "size",
    "crop_padding_px",
    "mask_grow_px",
    "mask_feather_px",
    "colour_match",
    "keep_threshold",
    "soft_mask",
    "prompt_weights",
    "long_prompt",
    "clip_skip",
    "dtype",
    "cache_interval",
    "variation_strength",
    "variation_seed",
    "scheduler",
)
MORE = (*IN_ORDER, *(name for name in PARAMETERS if name not in (*AT_HAND, *IN_ORDER)))
"""Below More parameters; what is named nowhere comes last."""

COUNTS_WHEN: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "refine_strength": lambda values: values["area"] == TWO_PASS,
    "variation_seed": lambda values: values["variation_strength"] > 0,
}
"""What has a field only while the values above it make it count."""


@dataclass(frozen=True, slots=True)
class Choices:
    """params: as they stand, with the seed of the form. is_sized_by_mask: whether their size is the
    most. problem: why nothing can be generated now, if so."""

    params: InpaintParams | None
    is_random: bool
    count: int
    is_sized_by_mask: bool
    problem: str | None


def params_form(studio: Studio, id: str, draft: Draft, in_sight: DeltaGenerator, below: DeltaGenerator) -> Choices:
    """Show the form of this draft, and store every change in it.

    in_sight: the place of the mode and the prompt, above Generate. below: of all others. There stands too whatever
    comes and goes with the words: a line that appears when a field is left must not move the button that is just
    being pressed.
    """
    kept = studio.recommendations.for_form(draft.params)
    suits, model = studio.recommendations, held_model(id) or kept["model"]
    form = Form(studio, id, {**kept, "model": model}, suits.unused(model), suits.takes_instructions(model))
    with in_sight:
        mode = mode_field(form)
        stored = {"mode": mode, "prompt": _prompt(form)}
    with below:
        return _fields(form, draft, stored)


def _fields(form: Form, draft: Draft, stored: dict[str, Any]) -> Choices:
    """stored: what stands above."""
    studio, id, kept = form.studio, form.id, form.kept
    beside = st.container()
    stored["instruction"] = instruction_field(form, stored["mode"], stored["prompt"])
    stored |= fields(form, "negative_prompt")
    stored["model"] = model_picker(studio, id, kept["model"], partial(_apply_recommended, studio, id))
    problem = model_facts(studio, stored["model"])
    stored["loras"] = lora_field(studio, id, kept["loras"], stored["model"])
    embedding_field(form, stored["model"])
    # Those of the prompt that these values were taken from; what counts is found in the prompt.
    stored["embeddings"] = list(state.widget_value(f"{id}.embeddings") or kept["embeddings"])
    speeds = st.container()
    stored |= _at_hand(form)
    with st.expander("More parameters", icon=":material/tune:"):
        stored["controlnet"] = control_field(studio, id, kept["controlnet"], stored["model"])
        stored |= reference_field(form, stored["model"])
        stored["vae"] = vae_field(form, stored["model"])
        stored |= _more(form, stored)
    stored["device"] = chosen_device(id, draft)
    with speeds:
        speed_field(form, stored, resolved_device(studio, id, draft))
    with beside:
        advice(form, stored)
        choices = _checked(studio, stored, draft, problem)
        if choices.params is not None:
            named = studio.embeddings.named(choices.params)
            embedding_lines(named)
            params = choices.params.changed(embeddings=[file.name for file in named.read])
            use_whole = partial(fill_form, studio, id, {"long_prompt": True})
            prompt_length_line(studio, params, form.unused, use_whole, key=f"{id}.whole-prompt")
    if stored != dict(draft.params):
        state.change_draft(studio, id, params=stored)
    return choices


def form_now(studio: Studio, id: str, draft: Draft, session: Mapping[str, Any]) -> tuple[Choices, dict[str, Any]]:
    """For a callback, which runs before the form is drawn: what its fields say in this snapshot of the session.

    The second result is what the draft keeps of it.
    """
    kept = studio.recommendations.for_form(draft.params)
    stored = {name: session.get(f"{id}.{name}", value) for name, value in kept.items()}
    stored["model"] = held_model(id, session) or kept["model"]
    stored["loras"] = held_loras(id, kept["loras"], session)
    stored["controlnet"] = held_controls(id, kept["controlnet"], session)
    stored["random_seed"] = bool(session.get(f"{id}.random", kept["random_seed"]))
    stored["auto_size"] = bool(session.get(f"{id}.auto_size", kept["auto_size"]))
    return _checked(studio, stored, draft, model_problem(studio, stored["model"])), stored


def _prompt(form: Form) -> str:
    with st.container(gap=None):
        prompt = text(form, "prompt", height=84)
        prompt_line(prompt)
    return prompt


def _at_hand(form: Form) -> dict[str, Any]:
    left, right = st.columns(2)
    with left:
        values = fields(form, "num_inference_steps", "strength") | seed_field(form)
    with right:
        values |= fields(form, "guidance_scale") | {"count": images_field(form)}
        device_field(form.studio, form.id, form.kept["device"])
    steps_line(form, values["num_inference_steps"], values["strength"])
    return values


def _more(form: Form, above: Mapping[str, Any]) -> dict[str, Any]:
    values = fields(form, "fill")
    if not form.edits:
        fill_line(values["fill"], above["strength"])
    for name in MORE:
        counts = name not in COUNTS_WHEN or COUNTS_WHEN[name](values)
        values[name] = field(form, name) if counts else form.kept[name]
        if name == "size":
            values["auto_size"] = auto_size_field(form)
    st.button(
        "Reset to recommended",
        icon=":material/restart_alt:",
        key=f"{form.id}.reset",
        help="The values recommended for this model. Prompts and seed are kept.",
        on_click=_apply_recommended,
        args=(form.studio, form.id, above["model"]),
    )
    return values


def _apply_recommended(studio: Studio, id: str, model: str) -> None:
    # Also back from what a faster speed had chosen.
    fill_form(studio, id, {**studio.recommendations.for_model(model), **speed_values(studio, id, BEST, model)})


def _checked(studio: Studio, stored: Mapping[str, Any], draft: Draft, problem: str | None) -> Choices:
    """Without params if the choices, or the weights in a prompt, cannot be read."""
    asked = stored["random_seed"], stored["count"], bool(stored["auto_size"])
    try:
        values = {name: stored[name] for name in PARAMETERS}
        values["instruction"] = studio.recommendations.instruction(stored)
        unused = studio.recommendations.unused(stored["model"])
        # Kept for the model that comes next, but not for this one.
        files = {"loras", "controlnet", "ip_adapter", "vae"}.intersection(unused)
        values |= {name: PARAMETERS[name].default for name in files}
        params = InpaintParams(**values)
        studio.generations.check(params, studio.references.used(params.model, draft.guides))
    except InvalidParams as error:
        return Choices(None, *asked, problem or str(error))
    return Choices(params, *asked, problem or device_problem(studio, stored["device"], params))
