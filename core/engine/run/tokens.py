"""Tokens: the pieces of a prompt that a text encoder reads, and how many of them it takes.

Needs no torch: a page counts tokens before anything is painted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.domain.errors import DamagedModel
from core.domain.prompt_length import PromptLength
from core.engine.families import Family


def measure(tokenizer: Any, family: Family, text: str) -> PromptLength:
    """tokenizer: one of transformers, as reader() chooses it."""
    limit = tokenizer.model_max_length
    if family.max_sequence_length is not None:
        limit = min(family.max_sequence_length, limit)
    limit -= tokenizer.num_special_tokens_to_add()
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=tokenizer.is_fast, verbose=False)
    ids = encoded.input_ids
    if len(ids) <= limit:
        return PromptLength(len(ids), limit)
    unread = text[encoded.offset_mapping[limit][0] :] if tokenizer.is_fast else tokenizer.decode(ids[limit:])
    return PromptLength(len(ids), limit, unread.strip())


def reader(family: Family, tokenizer: Callable[[str], Any]) -> Any:
    """The tokenizer that reads the most of a prompt. tokenizer: gives the one of a name, or None.

    Pipelines with max_sequence_length have it for their last text encoder (T5 or a language model); the CLIP encoders
    beside it see the beginning only, and matter less.
    """
    names = ("tokenizer_3", "tokenizer_2") if family.max_sequence_length is not None else ()
    return next(filter(None, map(tokenizer, names)), None) or tokenizer("tokenizer")


def reader_of_folder(folder: Path, index: Mapping[str, Any], family: Family) -> Any | None:
    """As reader(), from the folder of a diffusers pipeline; None if it has no tokenizer.

    index: the content of its model_index.json. Raises DamagedModel.
    """
    return reader(family, lambda name: _declared(folder / name, index.get(name)))


def _declared(folder: Path, declared: Any) -> Any | None:
    """declared: what model_index.json says of this component: its library and its class."""
    match declared:
        case ["transformers", str(kind)]:
            return _load(folder, kind)
    return None


@lru_cache(maxsize=2)
def copy_of(tokenizer: Any) -> Any:
    """One that can be taught more words; always the same one. To make it takes half a second."""
    return copy.deepcopy(tokenizer)


@lru_cache(maxsize=4)
def _load(folder: Path, kind: str) -> Any | None:
    import transformers

    if not kind.endswith(("Tokenizer", "TokenizerFast")) or not hasattr(transformers, kind):
        return None
    try:
        return getattr(transformers, kind).from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # strangers' files: what their parsers raise is anything
        raise DamagedModel("The tokenizer of this model cannot be read. Download or copy the model again.") from error
