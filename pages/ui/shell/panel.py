"""Expanders and popovers of which a run draws only what is open: the others cost it their heads."""

from __future__ import annotations

from collections.abc import Iterable

from streamlit.elements.lib.mutable_expander_container import ExpanderContainer
from streamlit.elements.lib.mutable_popover_container import PopoverContainer

from pages.ui.shell import state


def is_drawn(panel: ExpanderContainer | PopoverContainer, keys: Iterable[str]) -> bool:
    """Whether what stands in it is to be drawn now. panel: made with on_change="rerun".

    keys: of the fields in it, one after the other. Streamlit forgets what a field held that was not drawn; these keep
    it, so that whoever closes the panel and opens it again finds what was chosen.
    """
    for key in keys:
        if panel.open:
            state.take_back(key)
        else:
            state.put_by(key)
    return bool(panel.open)
