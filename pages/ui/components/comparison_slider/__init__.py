"""Two pictures on top of each other, with a divider between them: drag it, tap, or use the arrow keys.

A component of our own, as Streamlit has none. It says nothing to the server, so moving the divider costs nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from core.domain.geometry import Size
from pages.ui.shell.component import component


@dataclass(frozen=True, slots=True)
class Layer:
    """address: of a picture on the media server. title: stands on the picture. alt: for those who do not see it."""

    address: str
    title: str
    alt: str


def comparison_slider(left: Layer, right: Layer, size: Size, *, key: str, at: float = 0.5) -> None:
    """size: of the pictures, which are of one size; only its shape counts. at: where the divider is first, 0 to 1."""
    data = {"layers": (asdict(left), asdict(right)), "width": size.width, "height": size.height, "at": 100 * at}
    _component(key=key, data=data)


_component = component("inpaint_comparison_slider", Path(__file__).parent)
