"""From what is looked for to the masks of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.errors import NothingFound
from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask
from core.domain.selecting import Selected, Selection
from core.engine.selecting import boxed, faces, text
from core.engine.selecting.networks import FAR_FACES, NEAR_FACES, TEXT, U2NETP, Pinned
from core.engine.selecting.salient import salient

VERSION = 1
"""Raised when a change here makes another mask of the same picture."""

LEAST_SUBJECT = 1 / 500
"""Of a picture. Landscapes leave some specks of what might stand out."""


def select(picture: Image.Image, kind: Selection, box: Bounds | None = None) -> Sequence[Selected]:
    """picture: RGB. box: of the object, in its pixels; None for everything else.

    Returns one, or of an object two, the likelier first. Raises NothingFound, and what Pinned.load raises.
    """
    if kind is Selection.OBJECT:
        if box is None:
            raise ValueError("an object is looked for in a box")
        return _objects(picture, box)
    if kind is Selection.TEXT:
        lines = text.lines(picture)
        if not lines:
            raise NothingFound(NO_TEXT)
        drawn = text.drawn(lines, Size(*picture.size))
        return [Selected(Mask(drawn), kind, _facts("pp-ocrv6-det", TEXT), count=len(lines))]
    if kind is Selection.FACES:
        found = faces.faces(picture)
        if not found:
            raise NothingFound(NO_FACES)
        drawn = faces.drawn(found, Size(*picture.size))
        return [Selected(Mask(drawn), kind, _facts("blazeface", NEAR_FACES, FAR_FACES), count=len(found))]
    return [Selected(_subject(picture, kind), kind, _facts("u2netp", U2NETP))]


def _subject(picture: Image.Image, kind: Selection) -> Mask:
    """The subject, or the background."""
    is_subject = salient(picture) > 0.5
    share = float(is_subject.mean())
    if not LEAST_SUBJECT <= share <= 1 - LEAST_SUBJECT:
        raise NothingFound(NO_SUBJECT)
    return _mask(is_subject if kind is Selection.SUBJECT else ~is_subject)


def _objects(picture: Image.Image, box: Bounds) -> Sequence[Selected]:
    ways = (
        (boxed.by_network, _facts("u2netp", U2NETP)),
        (boxed.by_colours, _facts("grabcut")),
    )
    found = [(way(picture, box), facts) for way, facts in ways]
    rated = [(boxed.likelihood(picture, pixels, box), pixels, facts) for pixels, facts in found]
    likely = sorted((one for one in rated if one[1].any()), key=lambda one: -one[0])
    if not likely:
        raise NothingFound(NO_OBJECT)
    return [Selected(Mask(pixels), Selection.OBJECT, facts, box) for _, pixels, facts in likely]


def _facts(method: str, *networks: Pinned) -> dict[str, Any]:
    import cv2

    facts = {"method": method, "version": VERSION, "opencv": cv2.__version__}
    return facts | ({"models": {one.name: one.sha256 for one in networks}} if networks else {})


def _mask(on: NDArray[np.bool_]) -> Mask:
    return Mask(np.where(on, np.uint8(255), np.uint8(0)))


NO_OBJECT = "No object stands out in this box. Draw the box closer around it, or paint it."
NO_SUBJECT = (
    "Nothing in this picture stands out as its subject: landscapes and crowds often have none. Use a box, or paint it."
)
NO_TEXT = "No text was found. Very small, very large and handwritten text can be missed: paint it."
NO_FACES = (
    "No faces were found. Faces smaller than about a thirtieth of the picture, from behind or half covered can be "
    "missed: paint them."
)
