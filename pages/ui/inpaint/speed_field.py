"""Draft, Balanced or Best: each sets parameters, whose values tell afterwards which one it is, if any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain import speed as speeds
from core.domain.draft import Draft
from core.domain.errors import StudioError
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.speed import SPEEDS, Surroundings
from pages.ui.downloads import download_panel
from pages.ui.inpaint.device_field import resolved_device
from pages.ui.inpaint.form_fields import Form, fill_form
from pages.ui.inpaint.lora_field import held_loras
from pages.ui.inpaint.mask_parts import DECIDE
from pages.ui.inpaint.mask_size import sized
from pages.ui.inpaint.model_picker import held_model
from pages.ui.shell import state
from pages.ui.shell.messages import escaped
from pages.ui.shell.panel import is_drawn
from pages.ui.shell.wording import duration

FILES = "files-for-drafts"
ALIKE = ((38, "hardly any difference"), (30, "fine details differ"), (25, "details differ"), (0, "another picture"))
"""From so many dB on (PSNR), as it looks."""


def speed_field(form: Form, stored: Mapping[str, Any], device: str | None) -> None:
    """stored: what the form says now. device: the key of the one that is meant; None if it is not known yet."""
    if "num_inference_steps" in form.unused:
        return
    around = form.studio.speeds.around(stored["model"], device)
    if around is None:
        return
    key = f"{form.id}.speed"
    state.set_value(key, speeds.chosen(stored, around))
    st.segmented_control(
        "Speed",
        list(SPEEDS),
        key=key,
        format_func=lambda speed: SPEEDS[speed][0],
        width="stretch",
        help="\n\n".join(f"**{title}**: {help}" for title, help in SPEEDS.values()),
        on_change=_apply_speed,
        args=(form.studio, form.id),
    )
    lines = [_costs(form, stored, around, device), _likeness(stored["model"], stored["mode"])]
    if said := "  \n".join(line for line in lines if line):
        st.caption(said)
    if around.missing:
        _files_for_drafts(form.studio, around)


def _costs(form: Form, stored: Mapping[str, Any], around: Surroundings, device: str | None) -> str:
    """Seconds of each speed, from what earlier runs of this model took; only of those that can be told."""
    if device is None:
        return ""
    studio, draft = form.studio, form.studio.drafts.get(form.id) or Draft()
    # Only what decides the time: whatever is wrong in another field is told elsewhere.
    now = {name: stored[name] for name in ("model", "strength", *DECIDE)}
    asked = []
    try:
        for speed in SPEEDS:
            values = speeds.values(speed, around)
            params = InpaintParams(**{**now, **{n: v for n, v in values.items() if n in PARAMETERS}})
            asked.append(sized(studio, draft, params) if values["auto_size"] else params)
        takes = studio.statistics.estimates_s([(params, device) for params in asked])
    except StudioError:
        return ""
    found = [f"{SPEEDS[speed][0]} {duration(s)}" for speed, s in zip(SPEEDS, takes, strict=True) if s is not None]
    if not found:
        return ""
    return f"{'At most about' if draft.has_no_mask else 'About'}: {' · '.join(found)}"


def _likeness(model: str, mode: str) -> str:
    """How near each speed comes to the best one."""
    found = speeds.LIKENESS.get((model, mode))
    if found is None:
        return "How near Draft and Balanced come to Best was not measured for this model and task."
    near = " · ".join(f"{SPEEDS[speed][0]} {_alike(found[speed])}" for speed in SPEEDS if speed in found)
    return f"Compared with Best: {near} (another seed: {_alike(found[speeds.ANOTHER_SEED])})"


def _alike(db: float) -> str:
    return f"{db:.0f} dB, {next(words for least, words in ALIKE if db >= least)}"


def _files_for_drafts(studio: Studio, around: Surroundings) -> None:
    """What a draft is faster with, to be downloaded from here."""
    panel = st.popover("Files for faster drafts", icon=":material/download:", key=FILES, on_change="rerun")
    if not is_drawn(panel, ()):
        return
    by_place = {spec.place: spec for spec in studio.models.additions()}
    with panel:
        for place in around.missing:
            if spec := by_place.get(place):
                st.markdown(
                    f"**{escaped(spec.title)}**  \n:small[{escaped(spec.description)} "
                    f"Licence: [{escaped(spec.licence)}]({spec.licence_url})]"
                )
                download_panel(studio, spec, f"draft-file-{spec.key}")
            else:
                st.caption(f"Put {escaped(place)} into the folder models.")


def _apply_speed(studio: Studio, id: str) -> None:
    draft = studio.drafts.get(id) or Draft()
    model = held_model(id) or studio.recommendations.for_form(draft.params)["model"]
    if speed := state.widget_value(f"{id}.speed"):
        fill_form(studio, id, speed_values(studio, id, speed, model))


def speed_values(studio: Studio, id: str, speed: str, model: str) -> dict[str, Any]:
    """For a callback: what the form of this draft takes for this model, with the files that the artist chose."""
    draft = studio.drafts.get(id) or Draft()
    kept, held = studio.recommendations.for_form(draft.params), state.widget_value(f"{id}.vae")
    files = {"loras": held_loras(id, kept["loras"]), "vae": kept["vae"] if held is None else held}
    return studio.speeds.values(speed, model, resolved_device(studio, id, draft), files)
