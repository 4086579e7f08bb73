"""Instructions: what an edit model is told to do, in the place of a description of what is to be seen.

The modes write them, as templates of the prompt, in the wording that a family was trained on. The templates and the
reasons for their wording: docs/decisions/0036-instructions.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.modes import ADD, EDGES, REMOVE, REPLACE

PROMPT = "{prompt}"
"""What stands for the prompt, as in the styles of A1111."""

SENTENCES, PHRASES = "sentences", "phrases"
"""The keys of TEMPLATES: how a family was taught to read instructions."""


@dataclass(frozen=True, slots=True)
class Template:
    """words: with PROMPT in it. alone: where nothing is prompted."""

    words: str
    alone: str


TEMPLATES: Mapping[str, Mapping[str, Template]] = {
    SENTENCES: {
        REPLACE: Template(
            "Replace the main object with {prompt}. Keep everything else the same.",
            "Replace the main object with something that suits the scene. Keep everything else the same.",
        ),
        ADD: Template(
            "Add {prompt}. Keep everything else the same.",
            "Add something that suits the scene. Keep everything else the same.",
        ),
        REMOVE: Template(
            "Remove {prompt} and fill in the background. Keep everything else the same.",
            "Remove the main object and fill in the background. Keep everything else the same.",
        ),
        EDGES: Template(
            "Fill in the smeared area at the edge so that the scene continues naturally: {prompt}.",
            "Fill in the smeared area at the edge so that the scene continues naturally.",
        ),
    },
    PHRASES: {
        REPLACE: Template("replace the object with {prompt}", "replace the object"),
        ADD: Template("add {prompt}", "add something"),
        REMOVE: Template("remove {prompt}", "remove the object"),
        EDGES: Template("continue the scene to the edge: {prompt}", "continue the scene to the edge"),
    },
}
"""By the wording of the family, then by mode. They are part of no record: there stands the text that was used."""

SUITED: Mapping[str, Any] = {"strength": 1.0, "fill": "original"}
"""Values of InpaintParams for every mode: an instruction is about the picture as it is, with what is to be changed
still in it, and what it asks for may look like nothing that was there."""

_MODES = {
    text: mode
    for templates in TEMPLATES.values()
    for mode, template in templates.items()
    for text in (template.words, template.alone)
}

_TELLS = re.compile(
    r"""(?:(?:please|now|then|just)\W+)*
    (?:(?:add|delete|erase|insert|remove|replace|transform|convert|recolou?r)
    |(?:change|clean|cover|dress|draw|extend|fill|fix|give|keep|make|move|paint|place|put|restore|set|swap|take|turn)
     \ (?:up\ |in\ |on\ |off\ |out\ |away\ )?
     (?:the|a|an|this|that|these|those|it|him|her|them|his|its|their|my|all|every(?:thing|one)?|some|more))
    (?!\w|-)""",
    re.IGNORECASE | re.VERBOSE,
)
"""How a prompt begins that tells what to do. “paint bucket” and “change purse” name things."""


def written(wording: str, mode: str, prompt: str) -> str:
    """The instruction that a mode writes for this prompt: a template, with PROMPT where the prompt belongs.

    wording: a key of TEMPLATES. A prompt that already tells what to do stands alone.
    """
    prompt = " ".join(prompt.split())
    if _TELLS.match(prompt):
        return PROMPT
    template = TEMPLATES[wording][mode]
    return template.words if prompt else template.alone


def is_written(instruction: str) -> bool:
    """Whether a mode wrote it, and no artist."""
    return instruction == PROMPT or instruction in _MODES


def mode_of(instruction: str) -> str | None:
    """The mode that wrote it; None if no mode did, or any could have."""
    return _MODES.get(instruction)


def applied(instruction: str, prompt: str) -> str:
    """What the model reads. An empty instruction leaves the prompt as it is."""
    return instruction.replace(PROMPT, prompt) if instruction else prompt


def length(instruction: str, prompt: str) -> int:
    """Characters of applied(), which is not made for it."""
    return len(instruction) + instruction.count(PROMPT) * (len(prompt) - len(PROMPT)) if instruction else len(prompt)
