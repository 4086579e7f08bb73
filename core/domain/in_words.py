"""Parameters that are lists, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.domain import control, lora

LISTS: Mapping[str, Callable[[Any], str]] = {
    "loras": lora.written,
    "controlnet": control.written,
    "embeddings": ", ".join,
}


def in_words(name: str, value: Any) -> Any:
    """Such as "oil:0.8, ink:0.5"; what is no list as it is."""
    return LISTS[name](value) if name in LISTS else value
