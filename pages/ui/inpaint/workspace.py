"""Where things stand while a picture is open: a bar, the canvas, and beside it the form, which scrolls by itself.

workspace.css lays out the containers of these keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

WORKSPACE, BAR, CANVAS, FORM, GENERATE_BAR, FIELDS = "workspace", "bar", "canvas", "form", "generate-bar", "fields"
MASK_TOOLS, MASK_NOTES, SIMPLE_CANVAS = "mask-tools", "mask-notes", "simple-canvas"
"""Within the canvas."""

_STYLE = f"<style>{Path(__file__).with_name('workspace.css').read_text('utf-8')}</style>"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Its places. generate: what is in sight whatever is opened in the fields below it."""

    bar: DeltaGenerator
    canvas: DeltaGenerator
    generate: DeltaGenerator
    fields: DeltaGenerator


def workspace() -> Workspace:
    st.html(_STYLE)
    with st.container(key=WORKSPACE, gap=None):
        bar = st.container(key=BAR, horizontal=True, gap="small", vertical_alignment="center")
        canvas = st.container(key=CANVAS, gap=None)
        with st.container(key=FORM, gap=None):
            generate = st.container(key=GENERATE_BAR, gap="small")
            fields = st.container(key=FIELDS)
    return Workspace(bar, canvas, generate, fields)
