"""The fields of the form: each takes its title, explanation, limits and step from the domain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.modes import MODES, REPLACE
from core.domain.params import MAX_SEED, PARAMETERS, Number, Parameter, Text
from pages.ui.inpaint.control_field import fill_controls
from pages.ui.inpaint.lora_field import fill_loras
from pages.ui.inpaint.model_picker import fill_model, held_model
from pages.ui.shell import state

N = TypeVar("N", int, float)

MAX_IMAGES = 8
SLIDER_STEPS = 300
"""A slider for as many places as a hand can still hit; a number field above."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one draft. kept: what each field begins with. unused: parameters without any effect with its model.
    edits: whether that is an edit model, which is told what to do.

    The widget of a parameter has the key "{id}.{name}".
    """

    studio: Studio
    id: str
    kept: Mapping[str, Any]
    unused: Collection[str]
    edits: bool


def fields(form: Form, *names: str) -> dict[str, Any]:
    return {name: field(form, name) for name in names}


def field(form: Form, name: str) -> Any:
    """The widget that suits this parameter. Returns its value."""
    match PARAMETERS[name]:
        case Number() as parameter:
            return _number(form, name, parameter)
        case Text():
            return text(form, name)
        case parameter:
            return _choice(form, name, parameter) if parameter.choices else _toggle(form, name)


def text(form: Form, name: str, height: int | None = None) -> str:
    """height: in pixels, of several lines."""
    state.set_default(f"{form.id}.{name}", str(form.kept[name]))
    # No max_chars: the browser would refuse a longer text without a word, and the one before would be painted.
    title, look = PARAMETERS[name].title, _look(form, name)
    value: str = (
        st.text_input(title, **look)
        if height is None
        else st.text_area(
            # Also in it: on a phone the label has no room.
            title,
            height=height,
            placeholder=title,
            **look,
        )
    )
    return value


def _choice(form: Form, name: str, parameter: Parameter) -> str:
    choices, kept = parameter.choices, form.kept[name]
    # Of those that are told apart, a model may refuse all but the default.
    _begin_with_default_if_unused(form, name)
    state.set_default(f"{form.id}.{name}", kept if kept in choices else parameter.default)
    value: str = st.selectbox(
        parameter.title, list(choices), format_func=lambda key: choices.get(key, key), **_look(form, name)
    )
    return value


def _toggle(form: Form, name: str) -> bool:
    _begin_with_default_if_unused(form, name)
    state.set_default(f"{form.id}.{name}", bool(form.kept[name]))
    return st.toggle(PARAMETERS[name].title, **_look(form, name))


def _number(form: Form, name: str, parameter: Number) -> int | float:
    kind = type(parameter.default)
    low, high, step = kind(parameter.low), kind(parameter.high), kind(parameter.step)
    state.set_default(f"{form.id}.{name}", _within(form.kept[name], kind, low, high))
    title = f"{parameter.title} ({parameter.unit})" if parameter.unit else parameter.title
    widget = st.slider if (high - low) / step <= SLIDER_STEPS else st.number_input
    value: int | float = widget(title, low, high, step=step, **_look(form, name))
    return value


def _look(form: Form, name: str) -> dict[str, Any]:
    """What the widgets of all parameters have in common."""
    return {
        "key": f"{form.id}.{name}",
        "help": PARAMETERS[name].help,
        "disabled": name in form.unused,
        "on_change": keep,
        "args": (form.studio, form.id, name),
    }


def keep(studio: Studio, id: str, name: str) -> None:
    """What was just said in a field is stored with the words themselves, and not only when the form is drawn again."""
    params = (studio.drafts.get(id) or Draft()).params
    # What a draft does not say is recommended for its model: a new one says nothing until its form has been drawn.
    if params:
        state.change_draft(studio, id, params={**params, name: state.widget_value(f"{id}.{name}")})


def _begin_with_default_if_unused(form: Form, name: str) -> None:
    if name in form.unused:
        state.set_value(f"{form.id}.{name}", PARAMETERS[name].default)


def _within(value: object, kind: type[N], low: N, high: N) -> N:
    return kind(min(max(value, low), high)) if isinstance(value, int | float) else low


def mode_field(form: Form) -> str:
    """What is to be done. Choosing sets the parameters that suit it; they can be changed afterwards."""
    key = f"{form.id}.mode"
    state.set_default(key, form.kept["mode"] if form.kept["mode"] in MODES else REPLACE)
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
        args=(form.studio, form.id),
    )
    return chosen or REPLACE


def instruction_field(form: Form, mode: str, prompt: str) -> str:
    """What an edit model is told, as the mode writes it until it is changed here. Other models have no such field."""
    key = f"{form.id}.instruction"
    held = state.widget_value(key)
    said: str = form.kept["instruction"] if held is None else held
    if not form.edits:
        return said
    values = {**form.kept, "mode": mode, "prompt": prompt, "instruction": said}
    state.set_value(key, form.studio.recommendations.instruction(values))
    return text(form, "instruction", height=68)


def choose_mode(studio: Studio, id: str, mode: str) -> None:
    """For a callback."""
    state.set_value(f"{id}.mode", mode)
    _apply_mode(studio, id)


def _apply_mode(studio: Studio, id: str) -> None:
    chosen = state.widget_value(f"{id}.mode") or REPLACE
    fill_form(studio, id, studio.recommendations.for_mode(chosen, held_model(id)))


def seed_field(form: Form) -> dict[str, Any]:
    """The seed, and whether chance decides it."""
    id, parameter = form.id, PARAMETERS["seed"]
    state.set_default(f"{id}.random", bool(form.kept["random_seed"]))
    state.set_default(f"{id}.seed", _within(form.kept["seed"], int, 0, MAX_SEED))
    # Around a chosen picture its seed stays, and chance decides the variation seed.
    held = state.widget_value(f"{id}.variation_strength")
    is_varied = bool(form.kept["variation_strength"] if held is None else held)
    is_random = bool(state.widget_value(f"{id}.random"))
    seed = st.number_input(
        parameter.title,
        0,
        MAX_SEED,
        step=1,
        key=f"{id}.seed",
        help=parameter.help,
        disabled=is_random and not is_varied,
    )
    # One word more does not fit beside its help on a tablet.
    st.toggle("Random", key=f"{id}.random", help="A new seed each time. The one used is shown with the result.")
    return {"seed": seed, "random_seed": is_random}


def images_field(form: Form) -> int:
    key = f"{form.id}.count"
    if "seed" in form.unused:
        # Without chance all of them would be alike.
        state.set_value(key, 1)
    state.set_default(key, _within(form.kept["count"], int, 1, MAX_IMAGES))
    return st.number_input(
        "Images",
        1,
        MAX_IMAGES,
        key=key,
        help="How many pictures to make, each with its own seed.",
        disabled="seed" in form.unused,
    )


def fill_form(studio: Studio, id: str, values: Mapping[str, Any]) -> None:
    """For a callback: the form takes these values of parameters. A seed among them is no longer a random one."""
    for name, value in values.items():
        if name == "model":
            fill_model(studio, id, str(value))
        elif name == "loras":
            fill_loras(id, value or ())
        elif name == "controlnet":
            fill_controls(studio, id, value or ())
        elif name in PARAMETERS and value is not None:
            state.set_value(f"{id}.{name}", type(PARAMETERS[name].default)(value))
    if "size" in values or "auto_size" in values:
        # A size by itself, such as that of a preset, is meant as it is.
        state.set_value(f"{id}.auto_size", bool(values.get("auto_size")))
    if "seed" in values:
        state.set_value(f"{id}.random", False)
