"""Prompts as the pipeline takes them: as text, or as embeddings with weights by compel.

compel (MIT) is kept by InvokeAI's former author of the same syntax: "(soft light)1.3", "balloon++", "grass-".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from core.domain.errors import InvalidParams
from core.domain.params import InpaintParams

DEEPEST = 3
"""Brackets within brackets. Each more takes compel's parser deeper into Python's stack, which is a page's as well."""

MOST_GROUPS = 100
"""Brackets and quotes in one prompt: the text encoder takes 75 tokens, which cannot hold as many."""

SLIP = re.compile(r"(?<!\\)\([^()]*:\s*[0-9.]+\s*\)")
"""The way of other tools to write a weight: (soft light:1.3). compel reads it as text."""


def check(params: InpaintParams) -> None:
    """Raises InvalidParams for weights that arguments() would refuse, and for what looks like a slip of the pen.

    arguments() reads such slips as text, as it always did, so that old records verify. Needs neither torch nor a model.
    """
    if not params.prompt_weights:
        return
    for text in _used(params).values():
        _parts(text)
        slip = SLIP.search(text)
        if slip:
            raise InvalidParams(f"With prompt weights write (soft light)1.3, not {slip[0]}: here the number follows.")
        if _without_escaped(text).count(")") > _without_escaped(text).count("("):
            raise InvalidParams("With prompt weights a bracket ) must close one. Write \\) for one that is text.")


def arguments(pipe: Any, params: InpaintParams) -> Mapping[str, Any]:
    """For the pipeline. Prompts without any weight go in as text. Raises InvalidParams."""
    if not is_weighted(params):
        return {"prompt": params.prompt, "negative_prompt": params.negative_prompt}
    if not takes_weights(pipe):
        raise InvalidParams("This model cannot take weights in its prompts. Write them without, or switch them off.")
    given = embedded(pipe, params.prompt)
    if params.guidance_scale > 1:
        given |= {f"negative_{name}": values for name, values in embedded(pipe, params.negative_prompt).items()}
    return given


def takes_weights(pipe: Any) -> bool:
    """Of Stable Diffusion and Stable Diffusion XL: a U-Net that is told its prompt by text encoders of CLIP alone."""
    encoders = [type(encoder).__name__ for _, encoder in _encoders(pipe)]
    return hasattr(pipe, "unet") and bool(encoders) and all(name.startswith("CLIPText") for name in encoders)


def is_weighted(params: InpaintParams) -> bool:
    return params.prompt_weights and any(weight != 1 for text in _used(params).values() for _, weight in _parts(text))


def words(params: InpaintParams) -> Mapping[str, str]:
    """The prompts that are used, as the text encoder reads them: without the signs for weights."""
    used = _used(params)
    if not is_weighted(params):
        return used
    return {name: _plain(text) for name, text in used.items()}


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


# Embeddings ----------------------------------------------------------------------------------------------------


def embedded(pipe: Any, text: str) -> dict[str, Any]:
    """The arguments for one prompt.

    In Stable Diffusion XL what several text encoders made stands side by side. The pooled output of the last one has
    no weights: it is made of the words alone.
    """
    import torch
    from compel import Compel, ReturnedEmbeddingsType

    encoders, device = _encoders(pipe), str(pipe._execution_device)
    is_xl = hasattr(pipe, "text_encoder_2")
    kind = ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED
    if is_xl:
        kind = ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
    weighers = [
        Compel(tokenizer=tokenizer, text_encoder=encoder, returned_embeddings_type=kind, device=device)
        for tokenizer, encoder in encoders
    ]
    with torch.no_grad():
        embedded = {"prompt_embeds": torch.cat([weigh(text) for weigh in weighers], dim=-1)}
        if is_xl:
            embedded["pooled_prompt_embeds"] = weighers[-1].conditioning_provider.get_pooled_embeddings([_plain(text)])
    return embedded


def _encoders(pipe: Any) -> list[tuple[Any, Any]]:
    """Tokenizers with their text encoders, as many as the pipeline has."""
    pairs = [
        (getattr(pipe, f"tokenizer{number}", None), getattr(pipe, f"text_encoder{number}", None))
        for number in ("", "_2", "_3")
    ]
    return [(tokenizer, encoder) for tokenizer, encoder in pairs if encoder is not None]


# The grammar ---------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return " ".join(part for part, _ in _parts(text))


@lru_cache(maxsize=8)
def _parts(text: str) -> tuple[tuple[str, float], ...]:
    """The text in parts of one weight each. Raises InvalidParams for what compel cannot read or we do not take."""
    _check_groups(text)
    grammar = _grammar()
    from pyparsing import ParseBaseException

    try:
        read = grammar.PromptParser().parse_conjunction(text)
    except (grammar.PromptParser.ParsingException, ParseBaseException, ValueError, RecursionError) as error:
        raise InvalidParams(
            "The weights in the prompt cannot be read. Write (soft light)1.3, balloon++ or grass-, or switch "
            "prompt weights off."
        ) from error
    [prompt, *others] = read.prompts or [grammar.FlattenedPrompt([("", 1.0)])]
    if others or not isinstance(prompt, grammar.FlattenedPrompt) or read.lora_weights:
        raise InvalidParams("Of compel's prompts only weights are taken here, no .and(), .blend() or withLora().")
    if not all(isinstance(part, grammar.Fragment) for part in prompt.children):
        raise InvalidParams("Of compel's prompts only weights are taken here, no .swap().")
    if any(part.weight < 1 and not part.text.strip() for part in prompt.children):
        raise InvalidParams("A weight below 1 in the prompt belongs to no word. Put words in its brackets.")
    return tuple((part.text, part.weight) for part in prompt.children)


@cache
def _grammar() -> ModuleType:
    """compel's grammar alone: the package around it imports torch, which takes seconds and reads no prompt.

    Its parser tries each bracket in several ways, and what is in it again each time: 12 s for a page full of brackets.
    With pyparsing's memory of what was tried already it is a tenth of a second, for compel's own call of it as well.
    """
    import pyparsing

    pyparsing.ParserElement.enable_packrat()
    file = Path(find_spec("compel").origin).with_name("prompt_parser.py")
    spec = spec_from_file_location("compel_grammar", file)
    grammar = module_from_spec(spec)
    spec.loader.exec_module(grammar)
    return grammar


def _check_groups(text: str) -> None:
    """Brackets closed, not too deep, and not too many."""
    text = _without_escaped(text)
    depth = deepest = 0
    for sign in text:
        depth = max(0, depth + (sign == "(") - (sign == ")"))
        deepest = max(deepest, depth)
    if depth or deepest > DEEPEST:
        raise InvalidParams(
            f"With prompt weights every bracket must be closed, and at most {DEEPEST} may stand within each other. "
            "Write \\( for one that is text."
        )
    if text.count("(") + text.count('"') // 2 > MOST_GROUPS:
        raise InvalidParams(f"With prompt weights at most {MOST_GROUPS} brackets and quotes can be read.")


def _without_escaped(text: str) -> str:
    return text.replace("\\(", "").replace("\\)", "").replace('\\"', "")
