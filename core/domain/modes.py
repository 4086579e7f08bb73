"""Modes: what the artist wants to do, and the parameters that suit it. The one table of them.

A mode is a choice of the form, not of the record: it sets parameters, and those are recorded.
The figures behind the table: docs/decisions/0007-the-repaint.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REPLACE, ADD, REMOVE, EDGES = "replace", "add", "remove", "edges"
"""The keys of MODES."""

CONTENT_FILL = "content-fill"
"""Key of the model table: continues the surroundings without any model (docs/decisions/0010-content-fill.md)."""


@dataclass(frozen=True, slots=True)
class Mode:
    """values: of InpaintParams. advice: what to put into the prompt. painting: how to paint the mask.

    told: the advice for edit models, if it is another one. instead: the model that takes the place of one that knows
    only a short list of words.
    """

    title: str
    help: str
    advice: str
    values: Mapping[str, Any] = field(default_factory=dict)
    painting: str = ""
    told: str = ""
    instead: str | None = None


MODES: dict[str, Mode] = {
    REPLACE: Mode(
        "Replace",
        "Replaces what's there with something new, starting from pure noise.",
        "Describe what should be there instead.",
        {
            "fill": "original",
            "strength": 1.0,
            "mask_grow_px": 4,
            "mask_feather_px": 8,
            "colour_match": 0.0,
            "keep_threshold": 0.0,
        },
    ),
    ADD: Mode(
        "Add",
        "Adds something new, starting from the colours around the mask so that it fits the light. The picture beside "
        "it is preserved.",
        "Describe what to add.",
        {
            "fill": "border",
            "strength": 0.9,
            "mask_grow_px": 0,
            "mask_feather_px": 8,
            "colour_match": 0.5,
            "keep_threshold": 0.1,
        },
        painting="Paint a generous outline.",
    ),
    REMOVE: Mode(
        "Remove",
        "Removes what's there and fills in the background.",
        "Leave the prompt empty, or describe the background.",
        {
            "fill": "telea",
            "strength": 0.6,
            "mask_grow_px": 8,
            "mask_feather_px": 8,
            "colour_match": 1.0,
            "keep_threshold": 0.0,
        },
        painting="Paint over its shadow as well.",
        told="Say what to remove, or leave the prompt empty.",
        instead=CONTENT_FILL,
    ),
    EDGES: Mode(
        "Outpaint",
        "Extends the picture beyond its borders, or repairs a torn edge, starting from the border colours.",
        "Describe the whole scene, or leave the prompt empty.",
        {
            "fill": "border",
            "strength": 0.8,
            "mask_grow_px": 0,
            "mask_feather_px": 16,
            "colour_match": 1.0,
            "keep_threshold": 0.0,
        },
        painting="Use Extend, above the picture, to add space.",
        instead=CONTENT_FILL,
    ),
}
"""replace is how a request without any choice is painted: all its values are the defaults."""

_REMOVES = re.compile(
    r"""\W*
    (?:(?:please|just|now|then|first)\W+)*
    (?:(?:can|could|would|will)\ (?:you|we)\ |(?:i|we)(?:'d\ like|\ would\ like|\ want|\ need)\ (?:you\ )?to\ |let's\ )?
    (?:(?:please|just|kindly|also)\W+)*
    (?:remov(?:e|ing)|delet(?:e|ing)|eras(?:e|ing)|get(?:ting)?\ rid\ of|without|no\ more
    |(?:take|taking|clear|clean|wipe|edit|crop|cut|rub|photoshop)
     (?:\ (?:(?!away|out|off|up)[\w'-]+)){0,5}\ (?:away|out)
    |take\ off|make\ (?:[\w'-]+\ ){1,5}(?:disappear|vanish|go\ away))
    (?!\w|-)(?!\W*(?:key|button|icon|sign|tool|mark)s?\b)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How a wish to take something away begins. “removed wallpaper” and “cat without a tail” name what is to be seen."""


LOOKED_AT = 200


def asks_to_remove(prompt: str) -> bool:
    """Whether these words ask to take something away, which a model that paints what it reads would put there."""
    # It stands at the beginning. All of a long prompt would take seconds: what may be repeated is tried in many ways.
    beginning = " ".join(prompt[:LOOKED_AT].replace("’", "'").split())
    return _REMOVES.match(beginning) is not None
