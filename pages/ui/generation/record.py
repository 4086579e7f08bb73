"""The whole record of one generation: its words, its parameters, and how it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st

from core.domain.generation import Generation
from core.domain.in_words import LISTS, in_words
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.record import Stated
from pages.ui.components.gallery_grid import STATUS_TITLES
from pages.ui.shell.messages import escaped
from pages.ui.shell.table import table
from pages.ui.shell.wording import duration, when

LONGEST = 20_000
"""Characters of one text on the screen; all of it stands in the record."""

ALWAYS = frozenset(
    PARAMETERS[name].title
    for name in ("model", "seed", "num_inference_steps", "guidance_scale", "strength", "scheduler", "size")
)
"""Titles of the parameters that are shown beside the picture, whatever they are."""

DIFFER_SHOWN = 4

LONG_WORDS = 1_000
"""Characters of a prompt that is scrolled in its place."""


def prompts_panel(generation: Generation) -> None:
    params = generation.params
    _heading(PARAMETERS["prompt"].title)
    _words(params.prompt)
    if params.instruction:
        _heading(PARAMETERS["instruction"].title)
        _words(params.full_prompt)
    if params.negative_prompt:
        _heading(PARAMETERS["negative_prompt"].title)
        _words(params.negative_prompt)


def parameters_panel(generation: Generation) -> None:
    """Those that are always asked for, and those that are not at their defaults."""
    facts = parameter_facts(generation)
    usual = _usual_facts()
    _facts("Parameters", [(title, value) for title, value in facts if title in ALWAYS or usual.get(title) != value])


def record_panel(generation: Generation) -> None:
    """All parameters, and how it was made."""
    with st.expander("All parameters and run details", icon=":material/tune:"):
        left, right = st.columns(2)
        with left:
            _facts("All parameters", parameter_facts(generation))
        with right:
            _facts("Run details", _run_facts(generation))
    with st.expander("Environment and hashes", icon=":material/fingerprint:"):
        left, right = st.columns(2)
        with left:
            _facts("Environment", _environment_facts(generation) or [("", "Not recorded")])
        with right:
            _heading("Fingerprints")
            for name, fingerprint in _fingerprints(generation):
                st.caption(name)
                st.code(fingerprint, language=None, wrap_lines=True)
    if generation.record.imported is not None:
        _foreign_words(generation.record.imported)
    if recorded := generation.record.shown:
        with st.expander("Full record (JSON)", icon=":material/data_object:"):
            st.json(recorded)


def _foreign_words(imported: Stated) -> None:
    """What another program wrote into the file and has no place in our parameters, as it was."""
    named = [("Model", imported.model), ("Seed", imported.seed)]
    texts = {**{name: value for name, value in named if value}, **imported.raw}
    if texts:
        with st.expander("Other metadata in the file", icon=":material/history_edu:"):
            for name, text in texts.items():
                _heading(escaped(name))
                _words(text if len(text) <= LONGEST else text[:LONGEST] + " …")


@cache
def _usual_facts() -> Mapping[str, str]:
    """Titles of parameters, and their defaults in words."""
    return dict(_parameters_in_words(InpaintParams().model_dump()))


def parameter_facts(generation: Generation) -> list[tuple[str, str]]:
    """Every parameter but the prompts, which have a place of their own; of an imported picture what it states."""
    values = generation.params.model_dump()
    if (imported := generation.record.imported) is not None:
        values = {name: value for name, value in values.items() if name in imported.stated}
    return _parameters_in_words(values) or [("", "Not recorded")]


def what_differs(generations: Sequence[Generation]) -> list[list[str]]:
    """For each of them the parameters, but the prompts, in which it is not as all the others, with their values."""
    told = [dict(parameter_facts(generation)) for generation in generations]
    differ = [title for title in told[0] if len({one.get(title) for one in told}) > 1][:DIFFER_SHOWN]
    return [[f"{title} {one.get(title, '')}" for title in differ] for one in told]


def _parameters_in_words(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (parameter.title, _in_unit(name, values[name], parameter.unit))
        for name, parameter in PARAMETERS.items()
        if name in values and name not in ("prompt", "instruction", "negative_prompt")
    ]


def _in_unit(name: str, value: Any, unit: str) -> str:
    if choices := PARAMETERS[name].choices:
        return choices.get(str(value), str(value))
    if name in LISTS:
        return in_words(name, value) or "None"
    if isinstance(value, bool):
        return "On" if value else "Off"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}" if unit == "px" else text


def _run_facts(generation: Generation) -> Iterable[tuple[str, str]]:
    yield "Status", STATUS_TITLES[generation.status]
    yield (
        "Picture",
        f"{generation.width} x {generation.height} px"
        + (f", {generation.source_name}" if generation.source_name else ""),
    )
    yield "Device", generation.device + (f", {generation.dtype}" if generation.dtype else "")
    if generation.model_revision:
        yield "Model revision", _short(generation.model_revision)
    yield from _painting_facts(generation)
    for title, taken in (
        ("Total time", generation.waited_s if generation.started_at else None),
        ("Time in queue", generation.queue_s),
        ("Time to load the model", generation.load_s),
        ("Time to paint", generation.runtime_s),
    ):
        if taken is not None:
            yield title, duration(taken)
    if generation.finished_at:
        yield "Finished", when(generation.finished_at)
    if generation.error_code:
        yield "Error", generation.error_code


def _painting_facts(generation: Generation) -> Iterable[tuple[str, str]]:
    record = generation.record
    if record.effective_steps is not None:
        yield "Steps run", str(record.effective_steps)
    if (crop := generation.painted_part) is not None:
        yield "Crop", f"{crop.size} px, at {crop.left}, {crop.top}"
    if record.working_size is not None:
        yield "Processed at", f"{record.working_size} px"
    if record.parts:
        yield "Parts of the mask", str(len(record.parts))
    if record.colour is not None:
        yield "Colour profile", f"{record.colour.profile}, seen by the model as sRGB"
    if found := [str(one.get("kind", "")) for one in record.selection]:
        yield "Found for the mask", ", ".join(dict.fromkeys(found))
    if record.mask_coverage is not None:
        yield "Masked", f"{record.mask_coverage:.1%} of the picture"
    if record.processing_version is not None:
        yield "Mask and colour processing", f"Version {record.processing_version}"


def _environment_facts(generation: Generation) -> list[tuple[str, str]]:
    """A fingerprint among them is shortened, or the table would be wider than a phone."""
    return [(name, value if " " in value else _short(value)) for name, value in generation.environment.items()]


def _fingerprints(generation: Generation) -> Iterable[tuple[str, str]]:
    yield "Id", generation.id
    yield "Original", generation.source
    yield "Mask", generation.mask
    for guide in generation.guides:
        yield guide.title, guide.picture
    if generation.pixels_sha256:
        yield "Result", generation.pixels_sha256
    if generation.model_revision:
        yield "Model", generation.model_revision
    for one in generation.record.inpainter.loras:
        yield f"LoRA {escaped(one.name)}", one.sha256
    for one in generation.record.inpainter.controlnet:
        yield f"ControlNet {escaped(one.name)}", one.sha256
    for one in generation.record.inpainter.embeddings:
        yield f"Embedding {escaped(one.name)}", one.sha256
    for one in generation.record.inpainter.vae:
        yield f"VAE {escaped(one.name)}", one.sha256
    for one in generation.record.inpainter.ip_adapter:
        yield f"IP-Adapter {escaped(one.name)}", one.sha256
    for one in generation.record.inpainter.image_encoder:
        yield f"Image encoder {escaped(one.name)}", one.sha256
    if noise := generation.record.inpainter.noise_sha256:
        yield "Initial noise", noise
    if generation.environment.get("app_commit"):
        yield "App commit", generation.environment["app_commit"]


def _short(revision: str) -> str:
    """Enough of a hash to tell two apart; the whole one stands among the fingerprints."""
    return revision if len(revision) <= 24 else revision[:19] + "…"


def _heading(title: str) -> None:
    st.markdown(f"**{title}**")


def _words(text: str) -> None:
    """The artist's words exactly as they are, to be copied: a code block never reads them as Markdown.

    A page of words is scrolled in its place, so that the parameters below stay near.
    """
    if text.strip():
        st.code(text, language=None, wrap_lines=True, height=240 if len(text) > LONG_WORDS else "content")
    else:
        st.caption("None")


def _facts(title: str, facts: Iterable[tuple[str, str]]) -> None:
    _heading(title)
    names, values = zip(*facts, strict=True)
    columns = {"What": [name.replace("_", " ") for name in names], "Value": [" ".join(v.split()) for v in values]}
    table(title, columns, has_header=False)
