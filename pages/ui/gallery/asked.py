"""What the gallery is asked for, as the address says it: the widgets follow the address and write to it.

So Back and a copied address both work. Not bind="query-params": with it st.switch_page refuses to leave the page
(Streamlit 1.67).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core.domain.gallery.filter import FILTERS, GalleryFilter
from core.domain.generation import Status
from pages.ui.shell import address, state
from pages.ui.shell.messages import shown_errors

AFTER = "after"
"""In the address: the cursor of the page shown. Absent on the first page."""


WITHOUT_PICTURE = (Status.FAILED, Status.CANCELLED)


def asked_for() -> GalleryFilter:
    """The filter of the address; all, with a sentence, if it is wrong."""
    with shown_errors():
        return GalleryFilter.from_query(address.as_dict())
    return GalleryFilter()


def with_pictures(asked: GalleryFilter) -> GalleryFilter:
    """What is shown of it: who asks for no status sees pictures and what becomes one, not what failed."""
    if asked.statuses or asked.in_trash:
        return asked
    return replace(asked, statuses=tuple(status for status in Status if status not in WITHOUT_PICTURE))


def ask(filter: GalleryFilter) -> None:
    """Write this filter into the address, and start from its first page."""
    others: dict[str, str | list[str]] = {
        name: values for name, values in address.as_dict().items() if name not in (AFTER, *GalleryFilter.keys())
    }
    address.replace(others | filter.to_query())


def change(**values: Any) -> None:
    """Ask for the same with other values of these filters."""
    with shown_errors():
        ask(replace(asked_for(), **values))


def clear(text: str = "") -> None:
    """Take away all filters, and the search but for this text; order and trash stay as they are."""
    asked = asked_for()
    ask(GalleryFilter(text=text, sort=asked.sort, in_trash=asked.in_trash))


def follow(name: str, shows: Any, read: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """What makes a widget one of this filter: its label, what it shows, and that it changes the filter."""
    state.set_value(_key(name), shows)
    return {"label": FILTERS[name].title, "key": _key(name), "on_change": _change_to_widget, "args": (name, read)}


def _change_to_widget(name: str, read: Callable[[Any], Any]) -> None:
    change(**{name: read(state.widget_value(_key(name)))})


def _key(name: str) -> str:
    return f"filter-{name}"
