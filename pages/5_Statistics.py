"""Statistics: how long it takes, what was made when, and how it ended."""

from __future__ import annotations

import streamlit as st

from pages.ui.messages import shown_errors
from pages.ui.resources import studio
from pages.ui.statistics_view import statistics_view

st.set_page_config(page_title="Statistics · Inpaint Studio", page_icon=":material/bar_chart:", layout="wide")
st.title("Statistics")
with shown_errors():
    statistics_view(studio())
