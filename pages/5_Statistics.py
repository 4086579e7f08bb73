"""Statistics: how long it takes, what was made when, and how it ended."""

from __future__ import annotations

from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page
from pages.ui.shell.resources import studio
from pages.ui.statistics import statistics_view

begin_page("Statistics", "📊")
with shown_errors():
    statistics_view(studio())
