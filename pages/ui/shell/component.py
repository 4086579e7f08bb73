"""A component of our own: HTML, CSS and JavaScript in files beside the Python that shows it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import dataframe_util
from streamlit.components.v2.bidi_component import serialization

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


def _is_dataframe_like(value: object) -> bool:
    """As Streamlit asks of all that a component is given. To see whether a list or a dict holds columns of pandas' it
    imports that, and pyarrow, 75 MB: while nobody has imported it, none does.
    """
    is_no_table = isinstance(value, list | dict) and "pandas" not in sys.modules
    return not is_no_table and dataframe_util.is_dataframe_like(value)


vars(serialization)["is_dataframe_like"] = _is_dataframe_like


def component(name: str, folder: Path) -> ComponentRenderer:
    """Register component.html, component.css and component.js of this folder. name: unique in the application."""
    html, css, js = ((folder / f"component.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component(name, html=html, css=css, js=js)


def script(name: str, path: Path) -> ComponentRenderer:
    """Register a component without anything to see: the JavaScript of this file, in an empty element."""
    return st.components.v2.component(name, html="<div></div>", js=path.read_text("utf-8"))
