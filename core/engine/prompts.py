"""Prompts as the pipeline takes them: as text, or as embeddings with weights by compel.

compel (MIT) is kept by InvokeAI's former author of the same syntax: "(soft light)1.3", "balloon++", "grass-".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from core.domain.errors import InvalidParams
from core.domain.params import InpaintParams

DEEPEST = 3
"""Brackets within brackets. compel's parser takes four times as long for each more: with ten it would never end."""


def arguments(pipe: Any, params: InpaintParams) -> Mapping[str, Any]:
    """For the pipeline. Prompts without any weight go in as text. Raises InvalidParams."""
    if not is_weighted(params):
        return {"prompt": params.prompt, "negative_prompt": params.negative_prompt}
    if getattr(pipe, "text_encoder_2", None) is not None:
        raise InvalidParams("This model reads a prompt in two ways, and cannot take weights. Write it without them.")
    import torch
    from compel import Compel

    weigh = Compel(tokenizer=pipe.tokenizer, text_encoder=pipe.text_encoder, device=str(pipe._execution_device))
    with torch.no_grad():
        given = {"prompt_embeds": weigh(params.prompt)}
        if params.guidance_scale > 1:
            given["negative_prompt_embeds"] = weigh(params.negative_prompt)
    return given


def is_weighted(params: InpaintParams) -> bool:
    return params.prompt_weights and any(weight != 1 for text in _used(params).values() for _, weight in _parts(text))


def words(params: InpaintParams) -> Mapping[str, str]:
    """The prompts that are used, as the text encoder reads them: without the signs for weights."""
    used = _used(params)
    if not is_weighted(params):
        return used
    return {name: " ".join(part for part, _ in _parts(text)) for name, text in used.items()}


def record(params: InpaintParams) -> Mapping[str, Any]:
    """What decides the embeddings beside the params; nothing if nothing is weighted."""
    if not is_weighted(params):
        return {}
    from importlib.metadata import version

    return {"compel": version("compel")}


def _used(params: InpaintParams) -> dict[str, str]:
    used = {"prompt": params.prompt}
    if params.guidance_scale > 1:
        used["negative_prompt"] = params.negative_prompt
    return used


@lru_cache(maxsize=8)
def _parts(text: str) -> tuple[tuple[str, float], ...]:
    """The text in parts of one weight each. Raises InvalidParams for what compel cannot read or we do not take."""
    _check_brackets(text)
    from compel.prompt_parser import FlattenedPrompt, Fragment, PromptParser
    from pyparsing import ParseBaseException

    try:
        read = PromptParser().parse_conjunction(text)
    except (PromptParser.ParsingException, ParseBaseException, ValueError, RecursionError) as error:
        raise InvalidParams(
            "The weights in the prompt cannot be read. Write (soft light)1.3, balloon++ or grass-, or switch "
            "prompt weights off."
        ) from error
    [prompt, *others] = read.prompts or [FlattenedPrompt([("", 1.0)])]
    if others or not isinstance(prompt, FlattenedPrompt) or read.lora_weights:
        raise InvalidParams("Of compel's prompts only weights are taken here, no .and(), .blend() or withLora().")
    if not all(isinstance(part, Fragment) for part in prompt.children):
        raise InvalidParams("Of compel's prompts only weights are taken here, no .swap().")
    return tuple((part.text, part.weight) for part in prompt.children)


def _check_brackets(text: str) -> None:
    depth = deepest = 0
    for sign in text.replace("\\(", "").replace("\\)", ""):
        depth = max(0, depth + (sign == "(") - (sign == ")"))
        deepest = max(deepest, depth)
    if depth or deepest > DEEPEST:
        raise InvalidParams(
            f"With prompt weights every bracket must be closed, and at most {DEEPEST} may stand within each other. "
            "Write \\( for one that is text."
        )
