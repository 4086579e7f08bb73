"""Prompts as the pipeline takes them: as text, or as embeddings with weights by compel.

compel (MIT) is kept by InvokeAI's former author of the same syntax: "(soft light)1.3", "balloon++", "grass-".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from core.domain.errors import InvalidParams
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.prompt_length import PromptLength
from core.engine.families import Family
from core.engine.run import tokens
from core.engine.run.signs import Signs

NO_SIGNS = Signs()

DEEPEST = 3
"""Brackets within brackets. Each more takes compel's parser deeper into Python's stack, which is a page's as well."""

MOST_GROUPS = 100
"""Brackets and quotes in one prompt: the text encoder takes 75 tokens, which cannot hold as many."""

LONGEST = 5_000
"""Characters of a prompt with weights: compel's parser takes about a second for as many words as that can be."""

LAYERS_OF_SD2 = 23

SIGNS = re.compile(r"""[-+("\\]""")
"""Without any of these nothing is weighted, and nothing has to be parsed."""

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
            raise InvalidParams(
                f"With prompt weights write (soft light)1.3, not {slip[0]}: the number follows the bracket."
            )
        if _without_escaped(text).count(")") > _without_escaped(text).count("("):
            raise InvalidParams("With prompt weights a bracket ) must close one. Write \\) for one that is text.")


def arguments(pipe: Any, family: Family, params: InpaintParams) -> Mapping[str, Any]:
    """For the pipeline. A prompt without any weight that is read at once goes in as text. Raises InvalidParams."""
    if not is_embedded(pipe, family, params):
        return {"prompt": params.spoken_prompt, "negative_prompt": params.negative_prompt}
    if not takes_weights(pipe):
        raise InvalidParams(
            "This model cannot take weights in its prompts, or prompts of any length. Write the prompts without "
            f"weights, and switch off {PARAMETERS['prompt_weights'].title} and {PARAMETERS['long_prompt'].title}."
        )
    return embedded(pipe, params)


def is_embedded(pipe: Any, family: Family, params: InpaintParams) -> bool:
    """Whether the prompts are weighted, read in several parts, or not by all layers."""
    is_long = params.long_prompt and any(length.is_cut for length in lengths(pipe, family, params).values())
    return is_weighted(params) or is_long or _left_out(pipe, params) > 0


def lengths(pipe: Any, family: Family, params: InpaintParams) -> Mapping[str, PromptLength]:
    """Of the prompts that are used, by their names."""
    tokenizer = tokens.reader(family, lambda name: getattr(pipe, name, None))
    return {name: tokens.measure(tokenizer, family, text) for name, text in words(params).items()}


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


def record(pipe: Any, family: Family, params: InpaintParams, signs: Signs = NO_SIGNS) -> Mapping[str, Any]:
    """What decides the embeddings beside the params, and the end of a prompt that no text encoder reads.

    signs: those in the prompts.
    """
    found: dict[str, Any] = {}
    if params.clip_skip > 1 and takes_weights(pipe):
        found["clip_skip"] = _left_out(pipe, params)
    if is_embedded(pipe, family, params):
        found["compel"] = version("compel")
    for name, length in lengths(pipe, family, params).items():
        if length.is_cut and not params.long_prompt:
            found |= {f"{name}_cut": signs.read_back(length.unread), f"{name}_cut_tokens": length.tokens - length.limit}
        elif length.is_cut:
            found[f"{name}_tokens"] = length.tokens
    return found


def _used(params: InpaintParams) -> dict[str, str]:
    used = {"prompt": params.spoken_prompt}
    if params.guidance_scale > 1:
        used["negative_prompt"] = params.negative_prompt
    return used


# Embeddings ----------------------------------------------------------------------------------------------------


def embedded(pipe: Any, params: InpaintParams) -> dict[str, Any]:
    """The arguments for the prompts that are used: (1, tokens, width) each, all of the same number of tokens.

    In Stable Diffusion XL what several text encoders made stands side by side. The pooled output of the last one has
    no weights and is that of the beginning: it is made of the words alone.
    """
    import torch

    weighted = is_weighted(params)
    prompts = {name: _parts(text) if weighted else ((text, 1.0),) for name, text in _used(params).items()}
    embeddings: dict[str, list[Any]] = {name: [] for name in prompts}
    weighers = _weighers(pipe, whole=params.long_prompt)
    with torch.no_grad():
        for weigher, (_, encoder) in zip(weighers, _encoders(pipe), strict=True):
            with _without_last(encoder, _left_out(pipe, params)):
                made = [_embedding(weigher, parts) for parts in prompts.values()]
                padded = weigher.pad_conditioning_tensors_to_same_length(made)
            for name, tensor in zip(prompts, padded, strict=True):
                embeddings[name].append(tensor)
        given = {f"{name}_embeds": torch.cat(tensors, dim=-1) for name, tensors in embeddings.items()}
        if hasattr(pipe, "text_encoder_2"):
            pooled = weighers[-1].conditioning_provider.get_pooled_embeddings
            for name, text in words(params).items():
                given[f"{name}_embeds".replace("prompt", "pooled_prompt")] = pooled([text])
    return given


def _weighers(pipe: Any, *, whole: bool) -> list[Any]:
    """A Compel for each text encoder. whole: read a prompt to its end, in parts of what the encoder takes."""
    from compel import Compel, ReturnedEmbeddingsType, SplitLongTextMode

    kind = ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED
    if hasattr(pipe, "text_encoder_2"):
        kind = ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
    return [
        Compel(
            tokenizer=tokenizer,
            text_encoder=encoder,
            returned_embeddings_type=kind,
            device=str(pipe._execution_device),
            truncate_long_prompts=not whole,
            # At sentences, its default, a long list of tags behind a short sentence makes a part of five words.
            split_long_text_mode=SplitLongTextMode.PHRASES,
        )
        for tokenizer, encoder in _encoders(pipe)
    ]


def _embedding(weigher: Any, parts: Sequence[tuple[str, float]]) -> Any:
    texts, weights = zip(*parts, strict=True)
    return weigher.conditioning_provider.get_embeddings_for_weighted_prompt_fragments(
        text_batch=[list(texts)], fragment_weights_batch=[list(weights)], device=weigher.device
    )


def _left_out(pipe: Any, params: InpaintParams) -> int:
    """Layers at the end of each text encoder that are not run, beside those that the model was trained without: what
    diffusers calls clip_skip. Raises InvalidParams if none would be left."""
    if params.clip_skip == 1 or not takes_weights(pipe):
        return 0
    layers = min(encoder.config.num_hidden_layers for _, encoder in _encoders(pipe))
    # Stable Diffusion XL takes the output before the last layer, and version 2 comes without the last of 24.
    own = 2 if hasattr(pipe, "text_encoder_2") or layers == LAYERS_OF_SD2 else 1
    count = max(0, params.clip_skip - own)
    if count >= layers:
        raise InvalidParams(
            f"{PARAMETERS['clip_skip'].title}: at {params.clip_skip} no layer of this model's text encoder is left. "
            f"Choose at most {layers - 1 + own}."
        )
    return count


@contextmanager
def _without_last(encoder: Any, count: int) -> Iterator[None]:
    """Meanwhile it ends so many layers earlier, with the same norm behind."""
    stack = getattr(encoder, "text_model", encoder).encoder
    layers = stack.layers
    if count:
        stack.layers = layers[:-count]
    try:
        yield
    finally:
        stack.layers = layers


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
    if not SIGNS.search(text):
        return ((" ".join(text.split()), 1.0),)
    _check_groups(text)
    grammar = _grammar()
    from pyparsing import ParseBaseException

    try:
        read = grammar.PromptParser().parse_conjunction(text)
    except (grammar.PromptParser.ParsingException, ParseBaseException, ValueError, RecursionError) as error:
        raise InvalidParams(
            "The prompt weights cannot be read. Write (soft light)1.3, balloon++ or grass-, or switch "
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
    package = find_spec("compel")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("compel")
    spec = spec_from_file_location("compel_grammar", Path(package.origin).with_name("prompt_parser.py"))
    if spec is None or spec.loader is None:
        raise ImportError("compel.prompt_parser")
    grammar = module_from_spec(spec)
    spec.loader.exec_module(grammar)
    return grammar


def _check_groups(text: str) -> None:
    """Brackets closed, not too deep, and not too many."""
    if len(text) > LONGEST:
        raise InvalidParams(
            f"With prompt weights at most {LONGEST} characters of a prompt can be read, and this one has {len(text)}. "
            "Shorten it, or switch prompt weights off."
        )
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
