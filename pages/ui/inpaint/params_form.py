"""The parameters: every title, explanation, limit and step comes from the domain."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.environment import Device
from core.domain.errors import InvalidParams, StudioError
from core.domain.modes import MODES, REMOVE, REPLACE, asks_to_remove
from core.domain.params import ORIGINAL, PARAMETERS, TWO_PASS, InpaintParams
from core.services.recommendations import AUTOMATIC
from pages.ui.inpaint.model_picker import (
    fill_model,
    held_model,
    model_facts,
    model_picker,
    model_problem,
    vocabulary_advice,
)
from pages.ui.inpaint.prompt_length import prompt_length_line
from pages.ui.shell import state
from pages.ui.shell.messages import escaped, show_error
from pages.ui.shell.resources import looking_for_devices
from pages.ui.shell.wording import beginning

MAX_IMAGES = 8
SLIDER_STEPS = 300
"""A slider for as many places as a hand can still hit; a number field above."""

MODE = "mode"
LOOKS_WEIGHTED = re.compile(
    r"(?<!\\)\([^()]*[^()\d\s]\s*:\s*[0-9.]+\s*\)"
    r"|(?<!\\)\([^()]+(?<!\\)\)(?:\d*\.?\d+|\++|-+)(?!\w)"
    r"|(?<![^\W\d_])[^\W\d_]{2,}(?:\++|--+)(?![\w+-])"
)
"""(red hat:1.3), (red hat)1.3, balloon++: what is written by hardly anybody who does not mean a weight.

A hint and no grammar, which also takes the “+” of “A+” and the “-” of “cat- and dog-sized” for weights.
"""

WEIGHTED_SHOWN = 40

EXPERT = ("size", "crop_padding_px", "mask_grow_px", "mask_feather_px", "colour_match", "keep_threshold")


@dataclass(frozen=True, slots=True)
class Choices:
    """params: as they stand, with the seed of the form. problem: why nothing can be generated now, if so."""

    params: InpaintParams | None
    is_random: bool
    count: int
    problem: str | None


def params_form(studio: Studio, id: str, draft: Draft) -> tuple[Choices, DeltaGenerator, DeltaGenerator]:
    """Show the form of this draft, and store every change in it.

    The second result is the place below the prompts: what is pressed most belongs where it is seen without scrolling.
    Whatever comes and goes with the words stands below it: a line that appears when a field is left must not move the
    button that is just being pressed. The third is the place below those lines.
    """
    kept = studio.recommendations.for_form(draft.params)
    values: dict[str, Any] = {}
    unused = studio.recommendations.unused(held_model(id) or kept["model"])
    mode = _mode(studio, id, kept, takes_words="prompt" not in unused)
    with st.container(gap=None):
        values["prompt"] = _text(studio, id, "prompt", kept, unused, height=84)
        _prompt_line(values["prompt"])
    values["negative_prompt"] = _text(studio, id, "negative_prompt", kept, unused)
    below_prompts = st.container()
    advice, at_work = st.container(), st.container()
    values["model"] = model_picker(studio, id, kept["model"], lambda model: _apply_recommended(studio, id, model))
    problem = model_facts(studio, values["model"])
    left, right = st.columns(2)
    with left:
        values["num_inference_steps"] = _number(studio, id, "num_inference_steps", kept, unused)
        values["strength"] = _number(studio, id, "strength", kept, unused)
        values["seed"], is_random = _seed(id, kept)
    with right:
        values["guidance_scale"] = _number(studio, id, "guidance_scale", kept, unused)
        images = _images(id, kept, unused)
        _device(studio, id, kept["device"])
    if values["strength"] < 1 and "strength" not in unused:
        steps = int(values["num_inference_steps"] * values["strength"])
        st.caption(f"{steps} of {values['num_inference_steps']} steps are run at this strength.")
    with st.expander("More parameters", icon=":material/tune:"):
        values["fill"] = _choice(studio, id, "fill", kept, unused)
        if values["fill"] != ORIGINAL and values["strength"] == 1:
            st.caption("At a strength of 1 the model begins with pure noise. Lower it to begin with this.")
        values["area"] = _choice(studio, id, "area", kept)
        is_twice = values["area"] == TWO_PASS
        values["refine_strength"] = (
            _number(studio, id, "refine_strength", kept) if is_twice else kept["refine_strength"]
        )
        for name in EXPERT:
            values[name] = _number(studio, id, name, kept)
        values["soft_mask"] = _toggle(studio, id, "soft_mask", kept)
        values["prompt_weights"] = _toggle(studio, id, "prompt_weights", kept, unused)
        values["long_prompt"] = _toggle(studio, id, "long_prompt", kept, unused)
        values |= _variation(studio, id, kept, unused)
        values["scheduler"] = _choice(studio, id, "scheduler", kept, unused)
        st.button(
            "Reset to recommended",
            icon=":material/restart_alt:",
            key=f"{id}.reset",
            help="The values that suit the chosen model. Prompts and seed stay.",
            on_click=_apply_recommended,
            args=(studio, id, values["model"]),
        )
    with advice:
        _advice(studio, values)
        _advise_weights(studio, id, values, unused)
        _offer_to_remove(studio, id, mode, values["prompt"])
        choices = _checked(studio, values, is_random, images, problem)
        if choices.params is not None:
            use_whole = partial(fill_form, studio, id, {"long_prompt": True})
            prompt_length_line(studio, choices.params, unused, use_whole, key=f"{id}.whole-prompt")
    stored = {**values, MODE: mode, "random_seed": is_random, "count": images, "device": chosen_device(id, draft)}
    if stored != dict(draft.params):
        state.change_draft(studio, id, params=stored)
    return choices, below_prompts, at_work


def form_now(studio: Studio, id: str, draft: Draft, session: Mapping[str, Any]) -> tuple[Choices, dict[str, Any]]:
    """For a callback, which runs before the form is drawn: what its fields say in this snapshot of the session.

    The second result is what the draft keeps of it.
    """
    kept = studio.recommendations.for_form(draft.params)
    model = held_model(id, session) or kept["model"]
    fields = {name: session.get(f"{id}.{name}", kept[name]) for name in (*PARAMETERS, "count", "device", MODE)}
    is_random = bool(session.get(f"{id}.random", kept["random_seed"]))
    stored = {**fields, "model": model, "random_seed": is_random}
    values = {name: stored[name] for name in PARAMETERS}
    return _checked(studio, values, is_random, fields["count"], model_problem(studio, model)), stored


def chosen_device(id: str, draft: Draft) -> str:
    return state.held(f"{id}.device") or draft.params.get("device", AUTOMATIC)


def resolved_device(studio: Studio, id: str, draft: Draft) -> str | None:
    """The key of the device that is meant; None while the engine is still looking for devices."""
    wish = chosen_device(id, draft)
    looking = looking_for_devices(studio)
    if wish != AUTOMATIC:
        return wish
    return looking.result()[0] if looking.done() and looking.exception() is None else None


# The fields ----------------------------------------------------------------------------------------------------


def _text(
    studio: Studio, id: str, name: str, kept: Mapping[str, Any], unused: Collection[str] = (), **size: Any
) -> str:
    parameter = PARAMETERS[name]
    state.begin_widget(f"{id}.{name}", str(kept[name]))
    field = st.text_area if size else st.text_input
    return field(
        # No max_chars: the browser would refuse a longer text without a word, and the one before would be painted.
        parameter.title,
        key=f"{id}.{name}",
        help=parameter.help,
        disabled=name in unused,
        on_change=_keep,
        args=(studio, id, name),
        **size,
    )


def _keep(studio: Studio, id: str, name: str) -> None:
    """What was just said in a field is stored with the words themselves, and not only when the form is drawn again."""
    params = (studio.drafts.get(id) or Draft()).params
    # What a draft does not say is recommended for its model: a new one says nothing until its form has been drawn.
    if params:
        state.change_draft(studio, id, params={**params, name: state.widget_value(f"{id}.{name}")})


def _prompt_line(prompt: str) -> None:
    """One line, whether or not there is something to say about the prompt: it must not move what stands below."""
    most = int(PARAMETERS["prompt"].high or 0)
    st.caption(f":red[{len(prompt):,} of at most {most:,} characters]" if len(prompt) > most > 0 else "&nbsp;")


def _number(studio: Studio, id: str, name: str, kept: Mapping[str, Any], unused: Collection[str] = ()) -> int | float:
    parameter = PARAMETERS[name]
    kind = float if isinstance(parameter.default, float) else int
    low, high, step = kind(parameter.low), kind(parameter.high), kind(parameter.step)
    state.begin_widget(f"{id}.{name}", _within(kept[name], kind, low, high))
    title = f"{parameter.title} ({parameter.unit})" if parameter.unit else parameter.title
    field = st.slider if (high - low) / step <= SLIDER_STEPS else st.number_input
    return field(
        title,
        low,
        high,
        step=step,
        key=f"{id}.{name}",
        help=parameter.help,
        disabled=name in unused,
        on_change=_keep,
        args=(studio, id, name),
    )


def _within(value: Any, kind: type, low: float, high: float) -> int | float:
    return kind(min(max(value, low), high)) if isinstance(value, int | float) else kind(low)


def _mode(studio: Studio, id: str, kept: Mapping[str, Any], *, takes_words: bool) -> str:
    """What is to be done. Choosing sets the parameters that suit it; they can be changed afterwards."""
    key = f"{id}.{MODE}"
    state.begin_widget(key, kept[MODE] if kept[MODE] in MODES else REPLACE)
    chosen = st.segmented_control(
        "What to do",
        list(MODES),
        key=key,
        required=True,
        format_func=lambda mode: MODES[mode].title,
        width="stretch",
        wrap=True,
        help="\n\n".join(f"**{mode.title}**: {mode.help}" for mode in MODES.values()),
        on_change=_apply_mode,
        args=(studio, id),
    )
    mode = MODES[chosen or REPLACE]
    st.caption(f"{mode.advice if takes_words else ''} {mode.painting}".strip())
    return chosen or REPLACE


def _apply_mode(studio: Studio, id: str) -> None:
    chosen = state.held(f"{id}.{MODE}") or REPLACE
    fill_form(studio, id, studio.recommendations.for_mode(chosen, held_model(id)))


def _choice(studio: Studio, id: str, name: str, kept: Mapping[str, Any], unused: Collection[str] = ()) -> str:
    parameter = PARAMETERS[name]
    choices = parameter.choices or {}
    if name in unused:
        # Of those that are told apart, a model may refuse all but the default.
        state.fill_widget(f"{id}.{name}", parameter.default)
    state.begin_widget(f"{id}.{name}", kept[name] if kept[name] in choices else parameter.default)
    return st.selectbox(
        parameter.title,
        list(choices),
        key=f"{id}.{name}",
        format_func=choices.get,
        help=parameter.help,
        disabled=name in unused,
        on_change=_keep,
        args=(studio, id, name),
    )


def _toggle(studio: Studio, id: str, name: str, kept: Mapping[str, Any], unused: Collection[str] = ()) -> bool:
    parameter = PARAMETERS[name]
    if name in unused:
        state.fill_widget(f"{id}.{name}", parameter.default)
    state.begin_widget(f"{id}.{name}", bool(kept[name]))
    return st.toggle(
        parameter.title,
        key=f"{id}.{name}",
        help=parameter.help,
        disabled=name in unused,
        on_change=_keep,
        args=(studio, id, name),
    )


def _variation(studio: Studio, id: str, kept: Mapping[str, Any], unused: Collection[str]) -> dict[str, Any]:
    strength = _number(studio, id, "variation_strength", kept, unused)
    seed = _number(studio, id, "variation_seed", kept) if strength else kept["variation_seed"]
    return {"variation_strength": strength, "variation_seed": seed}


def _seed(id: str, kept: Mapping[str, Any]) -> tuple[int, bool]:
    parameter = PARAMETERS["seed"]
    state.begin_widget(f"{id}.random", bool(kept["random_seed"]))
    state.begin_widget(f"{id}.seed", _within(kept["seed"], int, int(parameter.low), int(parameter.high)))
    # Around a chosen picture its seed stays, and chance decides the variation seed.
    held = state.held(f"{id}.variation_strength")
    is_varied = bool(kept["variation_strength"] if held is None else held)
    is_random = bool(state.held(f"{id}.random"))
    seed = st.number_input(
        parameter.title,
        int(parameter.low),
        int(parameter.high),
        step=int(parameter.step),
        key=f"{id}.seed",
        help=parameter.help,
        disabled=is_random and not is_varied,
    )
    # One word more does not fit beside its help on a tablet.
    st.toggle("Random", key=f"{id}.random", help="A new seed each time. The one used is shown with the result.")
    return seed, is_random


def _images(id: str, kept: Mapping[str, Any], unused: Collection[str]) -> int:
    if "seed" in unused:
        # Without chance all of them would be alike.
        state.fill_widget(f"{id}.count", 1)
    state.begin_widget(f"{id}.count", _within(kept["count"], int, 1, MAX_IMAGES))
    return st.number_input(
        "Images",
        1,
        MAX_IMAGES,
        key=f"{id}.count",
        help="How many to make, each with a seed of its own.",
        disabled="seed" in unused,
    )


def _device(studio: Studio, id: str, kept: str) -> None:
    looking = looking_for_devices(studio)
    with suppress(TimeoutError):
        looking.exception(timeout=0.05)
    if looking.done():
        _device_field(looking, id, kept)
    else:
        _wait_for_devices(looking)


def _device_field(looking: Future[tuple[str, Sequence[Device]]], id: str, kept: str) -> None:
    try:
        best, devices = looking.result()
    except StudioError as error:
        show_error(str(error), error.link)
        return
    titles = {device.key: device.title for device in devices}
    titles = {AUTOMATIC: f"Automatic: {titles.get(best, best)}", **titles}
    state.begin_widget(f"{id}.device", kept if kept in titles else AUTOMATIC)
    st.selectbox("Device", list(titles), key=f"{id}.device", format_func=titles.get, help="What the model runs on.")


@st.fragment(run_every="1s")
def _wait_for_devices(looking: Future[tuple[str, Sequence[Device]]]) -> None:
    if looking.done():
        st.rerun()
    st.caption("Looking for devices")


def fill_form(studio: Studio, id: str, values: Mapping[str, Any]) -> None:
    """For a callback: the form takes these values of parameters. A seed among them is no longer a random one."""
    for name, value in values.items():
        if name == "model":
            fill_model(studio, id, str(value))
        elif name in PARAMETERS and value is not None:
            state.fill_widget(f"{id}.{name}", type(PARAMETERS[name].default)(value))
    if "seed" in values:
        state.fill_widget(f"{id}.random", False)


def _apply_recommended(studio: Studio, id: str, model: str) -> None:
    fill_form(studio, id, studio.recommendations.for_model(model))


def _advice(studio: Studio, values: Mapping[str, Any]) -> None:
    _advise_unused(studio, values["model"])
    vocabulary_advice(studio.recommendations.vocabulary(values["model"]), values["prompt"])


def _advise_unused(studio: Studio, model: str) -> None:
    try:
        spec = studio.models.find(model)
    except StudioError:
        return
    if spec.unused:
        st.caption(f":material/info: Fields in grey have no effect with {escaped(spec.title)}.")


def _advise_weights(studio: Studio, id: str, values: Mapping[str, Any], unused: Collection[str]) -> None:
    """What looks like weights in a prompt is read as text unless they are switched on."""
    if values["prompt_weights"]:
        return
    used = [values[name] for name in ("prompt", "negative_prompt") if name not in unused]
    found = next(filter(None, map(LOOKS_WEIGHTED.search, used)), None)
    if found is None:
        return
    written = escaped(beginning(found[0], WEIGHTED_SHOWN))
    if "prompt_weights" in unused:
        st.caption(f":material/info: This model takes no weights: “{written}” is read as text.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f":material/info: “{written}” is read as text.", width="content")
        st.button(
            "Use weights",
            key=f"{id}.weigh",
            on_click=fill_form,
            args=(studio, id, {"prompt_weights": True}),
            help=f"Switches {PARAMETERS['prompt_weights'].title} on, which stands below More parameters.",
        )


def _offer_to_remove(studio: Studio, id: str, mode: str, prompt: str) -> None:
    """Who asks for something to go away, where what is written is painted, is led to the mode that does it."""
    if mode == REMOVE or not asks_to_remove(prompt):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f":material/info: {MODES[mode].title} paints what the prompt names.", width="content")
        st.button(
            f"Switch to {MODES[REMOVE].title}",
            key=f"{id}.to-remove",
            on_click=_switch_to_remove,
            args=(studio, id),
            help="What is painted over goes away, and its surroundings are continued. The prompt stays.",
        )


def _switch_to_remove(studio: Studio, id: str) -> None:
    state.fill_widget(f"{id}.{MODE}", REMOVE)
    _apply_mode(studio, id)


def _checked(studio: Studio, values: Mapping[str, Any], is_random: bool, count: int, problem: str | None) -> Choices:
    """Without params if the choices, or the weights in a prompt, cannot be read."""
    try:
        params = InpaintParams(**values)
        studio.generations.check(params)
    except InvalidParams as error:
        return Choices(None, is_random, count, problem or str(error))
    return Choices(params, is_random, count, problem)
