"""Masks that are found rather than painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from core.domain.errors import InvalidInput
from core.domain.geometry import Bounds, Size
from core.domain.pixels import compositing
from core.domain.pixels.colour import space_of
from core.domain.selecting import Selected, Selection

Select = Callable[[Image.Image, Selection, Bounds | None], Sequence[Selected]]
"""(an RGB picture, what is looked for, the box of an object) -> at least one. Raises NothingFound, DamagedModel, ..."""

LEAST_BOX_PX = 8


@dataclass(frozen=True, slots=True)
class Selections:
    select: Select

    def find(self, picture: Image.Image, kind: Selection, box: Bounds | None = None) -> Sequence[Selected]:
        """picture: as core.domain.files.picture makes it. box: for an object, and only for that.

        Returns masks of the picture's size, the likeliest first: two of an object, for what fails on one often goes
        well on the other; one of everything else. The same picture gives the same masks, to the bit.

        Raises NothingFound in words for an artist, InvalidInput for a box that is none, DamagedModel, ModelUnavailable
        or OutOfMemory.
        """
        size = Size(*picture.size)
        if (box is None) == (kind is Selection.OBJECT):
            raise InvalidInput("An object is looked for in a box, and only an object. Give both, or neither.")
        if box is not None:
            box = _checked(box, size)
        whole = Bounds(0, 0, *size)
        return self.select(compositing.for_model(picture, whole, size, space_of(picture)), kind, box)


def _checked(box: Bounds, size: Size) -> Bounds:
    """The part of the box that is in the picture. Raises InvalidInput."""
    left, top, right, bottom = (
        max(0, box.left),
        max(0, box.top),
        min(size.width, box.right),
        min(size.height, box.bottom),
    )
    if right - left < LEAST_BOX_PX or bottom - top < LEAST_BOX_PX:
        raise InvalidInput(
            f"The box must cover at least {LEAST_BOX_PX} x {LEAST_BOX_PX} pixels of the picture, which is {size}. "
            "Draw a larger one."
        )
    return Bounds(left, top, right, bottom)
