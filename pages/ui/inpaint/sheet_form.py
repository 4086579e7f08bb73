"""The form of a sheet on the Inpaint page: choose one or two parameters to vary, and make every combination."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import InvalidInput, StudioError
from core.domain.params import InpaintParams
from core.domain.sheet import AXES, CONTROLNETS, LORAS, SPEED, WORDS, AtSpeed, Axis, Sheet, axis_choices, axis_title
from pages.ui.inpaint.mask_size import sized
from pages.ui.shell import state
from pages.ui.shell.messages import escaped
from pages.ui.shell.panel import is_drawn
from pages.ui.shell.wording import duration

PANEL = "vary"
NOTHING = "nothing"
EXAMPLES = {
    WORDS: "red, blue, green",
    "seed": "1-4",
    "num_inference_steps": "4, 10, 20",
    "guidance_scale": "1-7 (+2)",
    "strength": "0.4-1 (+0.2)",
    "clip_skip": "1, 2",
    "cache_interval": "1-3",
    LORAS: "oil 0, 0.5, 1",
    CONTROLNETS: "canny 0, 0.5, 1",
    "ip_adapter_scale": "0-0.9 (+0.3)",
}
HELP = {
    WORDS: "The first must occur in your prompt; the others replace it (prompt S/R).",
    LORAS: "The name of a LoRA and the weights that it gets, also as a range: oil 0-1 (+0.25).",
    CONTROLNETS: "The name of a ControlNet and the weights that it gets, also as a range: canny 0-1 (+0.25).",
}
NUMBERS = "Numbers separated by commas, or ranges such as 10-50 (+10)."


def sheet_panel(
    studio: Studio, id: str, params: InpaintParams | None, device: str | None, button: Callable[[str], None]
) -> None:
    """The choice of what to vary. button: draws the one that makes the sheet, under this title."""
    title, icon = "X/Y grid: vary one or two parameters", ":material/grid_on:"
    panel = st.expander(title, icon=icon, key=PANEL, on_change="rerun")
    if not is_drawn(panel, _keys(id)):
        return
    with panel:
        columns, rows = st.columns(2)
        with columns:
            across = _axis(studio, id, "columns", list(AXES), params)
        with rows:
            down = _axis(studio, id, "rows", [NOTHING, *AXES], params)
        at_speed = _at_speed(studio, id, device)
        sheet, problem = _sheet(across, down, params, _unused(studio, params, across, down), at_speed)
        # What comes and goes with the values stands below, so that it does not move the button that is being pressed.
        button(f"Make {sheet.cells} pictures" if sheet else "Make the grid")
        if problem:
            st.caption(escaped(problem))
        elif sheet is not None and params is not None:
            st.caption(_cost(studio, sheet.all_params(params, at_speed), device))


def _keys(id: str) -> Iterator[str]:
    """Of the fields that hold something now."""
    for side in ("columns", "rows"):
        key = f"{id}.sheet.{side}"
        yield key
        yield f"{key}.{state.widget_value(key)}"


def sheet_now(studio: Studio, id: str, params: InpaintParams, device: str | None, session: Mapping[str, Any]) -> Sheet:
    """For a callback, which runs before the panel is drawn: what it says in this snapshot of the session.

    Raises InvalidInput for what cannot be varied, or makes no sheet.
    """
    across, down = (_axis_now(session, f"{id}.sheet.{side}") for side in ("columns", "rows"))
    unused, at_speed = _unused(studio, params, across, down), _at_speed(studio, id, device)
    sheet, problem = _sheet(across, down, params, unused, at_speed)
    if sheet is None:
        raise InvalidInput(problem or "Choose what varies across the columns.")
    return sheet


def _axis_now(session: Mapping[str, Any], key: str) -> Axis | str | None:
    name = session.get(key, NOTHING)
    if name == NOTHING:
        return None
    held = session.get(f"{key}.{name}", ())
    try:
        return Axis.parse(name, held) if isinstance(held, str) else Axis(name, tuple(held))
    except StudioError as error:
        return str(error)


def _axis(studio: Studio, id: str, side: str, names: list[str], params: InpaintParams | None) -> Axis | str | None:
    """An axis, words on what is wrong with it, or None for no axis at all."""
    key, title = f"{id}.sheet.{side}", side.capitalize()
    state.set_default(key, "guidance_scale" if side == "columns" else NOTHING)
    name = st.selectbox(title, names, key=key, format_func=_title)
    if name == NOTHING:
        return None
    try:
        return _values(studio, f"{key}.{name}", name, params)
    except StudioError as error:
        return str(error)


def _values(studio: Studio, key: str, name: str, params: InpaintParams | None) -> Axis:
    if choices := axis_choices(name):
        if name == SPEED:
            state.set_default(key, list(choices))
        chosen = st.multiselect(f"{axis_title(name)}s", list(choices), key=key, format_func=choices.__getitem__)
        return Axis(name, tuple(chosen))
    if name == "model":
        ready = [spec.key for spec in studio.models.listed() if studio.models.is_ready(spec.key)]
        return Axis(name, tuple(st.multiselect("Models", ready, key=key)))
    state.set_default(key, _suggested(name, params))
    help = HELP.get(name, NUMBERS)
    return Axis.parse(name, st.text_input("Values", key=key, placeholder=EXAMPLES[name], help=help))


def _suggested(name: str, params: InpaintParams | None) -> str:
    if name == LORAS:
        return f"{params.all_loras[0].name} 0, 0.5, 1" if params is not None and params.all_loras else ""
    if name == CONTROLNETS:
        return f"{params.controlnet[0].name} 0, 0.5, 1" if params is not None and params.controlnet else ""
    return "" if name == WORDS else EXAMPLES[name]


def _title(name: str) -> str:
    return {NOTHING: "Nothing", WORDS: "Prompt S/R (search and replace)"}.get(name) or axis_title(name)


def _unused(studio: Studio, params: InpaintParams | None, *axes: Axis | str | None) -> Collection[str]:
    varies_model = any(isinstance(axis, Axis) and axis.name == "model" for axis in axes)
    unused = () if params is None or varies_model else studio.recommendations.unused(params.model)
    return (*unused, SPEED) if "num_inference_steps" in unused else unused


def _at_speed(studio: Studio, id: str, device: str | None) -> AtSpeed:
    """With the mask of this draft as it is now."""

    def at_speed(params: InpaintParams, speed: str) -> InpaintParams:
        draft = studio.drafts.get(id) or Draft()
        return params.changed(**studio.speeds.changes(speed, params, device, lambda found: sized(studio, draft, found)))

    return at_speed


def _sheet(
    across: Axis | str | None,
    down: Axis | str | None,
    params: InpaintParams | None,
    unused: Collection[str],
    at_speed: AtSpeed,
) -> tuple[Sheet | None, str | None]:
    if isinstance(across, str) or isinstance(down, str):
        return None, next(axis for axis in (across, down) if isinstance(axis, str))
    for axis in (across, down):
        if axis is not None and axis.name in unused:
            return None, f"{axis.title} has no effect with this model: all pictures would be the same."
    if params is None or across is None:
        return None, None
    try:
        sheet = Sheet(across, down)
        sheet.all_params(params, at_speed)
    except StudioError as error:
        return None, str(error)
    return sheet, None


def _cost(studio: Studio, cells: Sequence[Sequence[InpaintParams]], device: str | None) -> str:
    asked = [(cell, device) for line in cells for cell in line] if device else []
    count, takes = sum(map(len, cells)), [s for s in studio.statistics.estimates_s(asked) if s is not None]
    if not takes or len(takes) < len(asked):
        return f"{count} pictures with the same picture and mask."
    return f"{count} pictures, about {duration(sum(takes))} in all."
