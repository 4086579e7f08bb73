"""Reproduction: which pictures can be made again, proven by making them again."""

from __future__ import annotations

import streamlit as st

from pages.ui.messages import shown_errors
from pages.ui.reproduction_view import reproduction_view
from pages.ui.resources import studio

st.set_page_config(page_title="Reproduction · Inpaint Studio", page_icon=":material/fact_check:", layout="wide")
st.title("Reproduction")
with shown_errors():
    reproduction_view(studio())
