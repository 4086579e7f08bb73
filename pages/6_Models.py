"""Models: what is on this machine, whether it fits, how often it was used, and what can be downloaded."""

from __future__ import annotations

from pages.ui.models.library import models_view
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page
from pages.ui.shell.resources import studio

begin_page("Models", "🧩")
with shown_errors():
    models_view(studio())
