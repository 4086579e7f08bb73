"""Selecting: masks that are found in a picture rather than painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.domain.geometry import Bounds
from core.domain.pixels.mask import Mask


class Selection(StrEnum):
    """What is looked for."""

    OBJECT = "object"
    SUBJECT = "subject"
    BACKGROUND = "background"
    TEXT = "text"
    FACES = "faces"


@dataclass(frozen=True, slots=True)
class Selected:
    """A mask that was found, of the picture's size, black and white. kind: what was looked for; box: where, of an
    object. count: of the lines of text, or the faces. facts: how it was found (method, version, hashes of the models,
    OpenCV), which together with kind and box say how to find it again.
    """

    mask: Mask
    kind: Selection
    facts: Mapping[str, Any]
    box: Bounds | None = None
    count: int | None = None

    @property
    def origin(self) -> dict[str, Any]:
        """As the record of a generation tells it, in JSON values."""
        box = {"box": list(self.box.box)} if self.box else {}
        count = {} if self.count is None else {"count": self.count}
        return {"kind": self.kind.value, **box, **count, **self.facts}
