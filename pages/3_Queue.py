"""Queue: what is being painted, what waits and for how long, and what can be done about it."""

from __future__ import annotations

import streamlit as st

from pages.ui.queue import queue_view
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page
from pages.ui.shell.resources import studio

begin_page("Queue", "⏳")
st.caption("The queue is kept on disk: after a restart everything is still here. People take turns.")
with shown_errors():
    queue_view(studio())
