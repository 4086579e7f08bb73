"""A component of our own: HTML, CSS and JavaScript in files beside the Python that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


# What they are given is a dict of tuples and plain values: to see whether a list or a dict in it is a table, Streamlit
# imports pandas and pyarrow, 65 MB.


def component(name: str, folder: Path) -> ComponentRenderer:
    """Register component.html, component.css and component.js of this folder. name: unique in the application."""
    html, css, js = ((folder / f"component.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component(name, html=html, css=css, js=js)


def script(name: str, path: Path) -> ComponentRenderer:
    """Register a component without anything to see: the JavaScript of this file, in an empty element."""
    return st.components.v2.component(name, html="<div></div>", js=path.read_text("utf-8"))
