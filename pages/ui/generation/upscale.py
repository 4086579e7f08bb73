"""Upscale: the result of a generation, enlarged, as a new generation."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import ImageTooLarge
from core.domain.generation import Generation
from core.domain.geometry import Size
from core.domain.upscale import FACTORS, LANCZOS, Upscale
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import shown_errors


def upscale_button(studio: Studio, generation: Generation, queued: str) -> None:
    """queued: the flash that the id of the new generation is left in."""
    if generation.output is None:
        return
    with st.popover("Upscale", icon=":material/zoom_out_map:"), shown_errors():
        sizes = {factor: size for factor in FACTORS if (size := _size(studio, generation, factor))}
        if not sizes:
            most = studio.upscales.max_pixels / 1e6
            st.caption(f"Enlarged, this picture would have more than {most:.0f} megapixels, the limit of the settings.")
            return
        key = f"upscale-{generation.id}"
        factor = st.radio("Factor", list(sizes), format_func=lambda by: f"{by}x: {sizes[by]} px", key=f"{key}-factor")
        methods = studio.upscales.methods()
        method = st.selectbox(
            "Upscaler",
            list(methods),
            format_func=lambda method: methods[method],
            key=f"{key}-method",
            help="Upscalers are .onnx files in models/upscale_models of the data folder. Lanczos adds no detail.",
        )
        part_only = (
            method != LANCZOS
            and studio.upscales.has_part(generation)
            and st.checkbox(
                "The painted part only",
                key=f"{key}-part",
                help="The upscaler works on what was painted, and the rest is enlarged by Lanczos.",
            )
        )
        action_button(
            f"Upscale {factor}x",
            _submit,
            studio,
            generation,
            Upscale(method, factor),
            part_only,
            queued,
            key=key,
            type="primary",
        )


def _size(studio: Studio, generation: Generation, factor: int) -> Size | None:
    try:
        return studio.upscales.size(generation, factor)
    except ImageTooLarge:
        return None


def _submit(studio: Studio, generation: Generation, upscale: Upscale, part_only: bool, queued: str) -> None:
    id = studio.upscales.submit(generation, upscale, part_only=part_only, session=state.person())
    state.flash(queued, (id, f"Queued: {upscale.factor}x."))
