"""Reproduction: which pictures can be made again, proven by making them again."""

from __future__ import annotations

from pages.ui.reproduction import reproduction_view
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page
from pages.ui.shell.resources import studio

begin_page("Reproduction", "✅")
with shown_errors():
    reproduction_view(studio())
