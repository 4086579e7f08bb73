"""Upscaling: a generation that enlarges the result of another one. What is chosen for it stands in place of the model.

"upscale:lanczos@2", or a file in place of "lanczos": so rows, bundles, filters and commands need no word for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "upscale:"
LANCZOS = "lanczos"
"""The method that needs no model."""

FACTORS = (2, 4)

KEY = re.compile(rf"{PREFIX}(?P<method>.+)@(?P<factor>\d)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upscale:
    """method: LANCZOS, or the path of an upscaler's file. factor: of FACTORS. Raises ValueError for another one."""

    method: str
    factor: int

    def __post_init__(self) -> None:
        if self.factor not in FACTORS:
            raise ValueError(f"must enlarge by {' or '.join(map(str, FACTORS))}, not {self.factor}")

    @property
    def key(self) -> str:
        """As params name their model."""
        return f"{PREFIX}{self.method}@{self.factor}"


def upscale_of(model: str) -> Upscale | None:
    """None for a model that paints. Raises ValueError for what begins like an upscale and is none."""
    if not model.startswith(PREFIX):
        return None
    named = KEY.fullmatch(model)
    if named is None:
        raise ValueError(f"must be such as {PREFIX}{LANCZOS}@2")
    return Upscale(named["method"], int(named["factor"]))
