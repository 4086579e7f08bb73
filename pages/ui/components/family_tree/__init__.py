"""A family of generations as a small tree of thumbnails: each can be opened by mouse, finger or keyboard.

A component of our own: fifty pictures with buttons would be a hundred elements of Streamlit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pages.ui.shell.component import component


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A line of the tree. title: the prompt. detail: how it came about, and when. more: what is said below it."""

    id: str
    depth: int
    title: str
    detail: str
    picture: str | None = None
    is_current: bool = False
    is_step: bool = False
    more: str | None = None


def family_tree(rows: Sequence[TreeRow], *, key: str) -> str | None:
    """The id of the one that was just clicked."""
    given = _component(key=key, data={"rows": tuple(asdict(row) for row in rows)}, on_open_change=lambda: None)
    opened = given.get("open")
    return opened if opened in {row.id for row in rows} else None


_component = component("inpaint_family_tree", Path(__file__).parent)
