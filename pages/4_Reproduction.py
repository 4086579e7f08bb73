"""Reproduction: which pictures can be made again, proven by making them again."""

from __future__ import annotations

from pages.ui.messages import shown_errors
from pages.ui.page import begin_page
from pages.ui.reproduction_view import reproduction_view
from pages.ui.resources import studio

begin_page("Reproduction", "✅")
with shown_errors():
    reproduction_view(studio())
