"""What is being painted and what waits, a row of 56 px each: drag a row, use the keys of its handle, or its buttons.

A component of our own: twenty rows of Streamlit's with five buttons each were 4,300 px high and could not be dragged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pages.ui.shell.component import component


@dataclass(frozen=True, slots=True)
class Row:
    """title: the prompt. detail: what it is. when: how far it is, or when it begins. note: more, under the mouse.

    spoken: its name for who cannot see it. fraction: of what is done, from 0 to 1. buttons: what each does, its name,
    and whether it is off. is_movable: it can be dragged.
    """

    id: str
    title: str
    detail: str
    spoken: str
    alt: str
    when: str = ""
    note: str = ""
    number: str = ""
    picture: str | None = None
    fraction: float | None = None
    buttons: tuple[tuple[str, str, bool], ...] = ()
    is_movable: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """do: the name of the button or key, or "place", where it was dropped. after: below which row; None: at the top."""

    do: str
    id: str
    after: str | None = None

    @classmethod
    def read(cls, sent: Any) -> Act | None:
        """None for what is none: anybody can send anything."""
        if not isinstance(sent, dict):
            return None
        do, id, after = sent.get("do"), sent.get("id"), sent.get("after")
        if not isinstance(do, str) or not isinstance(id, str) or not isinstance(after, str | None):
            return None
        return cls(do, id, after)


def work_list(rows: Sequence[Row], *, key: str, label: str, on_act: Callable[[], None]) -> None:
    """on_act: called before the page is drawn again; what was done then stands in the session under the key."""
    data = {"rows": tuple(asdict(row) for row in rows), "label": label}
    _component(key=key, data=data, on_act_change=on_act)


_component = component("inpaint_work_list", Path(__file__).parent)
