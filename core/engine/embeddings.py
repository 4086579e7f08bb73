"""Embeddings (textual inversion) for one run: words of the prompts are read as the vectors of files.

Each vector gets a sign of its own, which the prompt holds in the place of the word: a token that only copies of the
tokenizers know, and whose vector takes the place of what the text encoder's table gives. So everything that reads
prompts (the pipeline, compel with its weights and long prompts, the count of tokens) reads them alike, and afterwards
the model is untouched: nothing was changed in it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from core.domain.errors import InvalidEmbedding
from core.domain.model_file import NamedFile
from core.domain.params import InpaintParams
from core.engine.models.hashed_files import HashedFile, hashed_files
from core.engine.run.signs import MOST_OF_ONE, Signs
from core.ports import FileLibrary

RECORDED = "embeddings"
"""The field of an inpainter's record."""

OF_XL = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}
"""Names of tensors by the component that they are for, where there are two."""


@dataclass(frozen=True, slots=True)
class Embedding(HashedFile):
    """vectors: (count, width) for each text encoder, by the name of the component."""

    name: str
    vectors: Mapping[str, Any]

    @property
    def count(self) -> int:
        return len(next(iter(self.vectors.values())))

    @property
    def details(self) -> Mapping[str, Any]:
        return {"vectors": self.count}


def embeddings(
    params: InpaintParams, library: FileLibrary, recorded: Mapping[str, Any], pipe: Any
) -> Sequence[Embedding]:
    """Those that the params list. recorded: as of lora.chosen.additions. Raises InvalidEmbedding."""
    files = hashed_files(params.embeddings, library, recorded.get(RECORDED))
    return [
        Embedding(found.file, found.sha256, name, _vectors(found.file, pipe))
        for name, found in zip(params.embeddings, files, strict=True)
    ]


class Reading:
    """Pipelines of the same components that read embeddings. Copies of their tokenizers are kept: to copy one takes
    half a second."""

    def __init__(self) -> None:
        self._tokenizers: dict[str, Any] = {}

    @contextmanager
    def of(self, pipe: Any, found: Sequence[Embedding], params: InpaintParams) -> Iterator[tuple[InpaintParams, Signs]]:
        """Meanwhile the pipeline reads the signs in the prompts of these params, which are otherwise as they were."""
        known = Signs.of({embedding.name: embedding.count for embedding in found})
        with ExitStack() as stack:
            for name in _encoders(pipe) if found else ():
                of_signs = {
                    sign: vector
                    for embedding in found
                    for sign, vector in zip(known.by_name[embedding.name], embedding.vectors[name], strict=True)
                }
                self._read(stack, pipe, name, known, of_signs)
            yield known.written(params), known

    def _read(self, stack: ExitStack, pipe: Any, encoder: str, known: Signs, vectors: Mapping[str, Any]) -> None:
        name = encoder.replace("text_encoder", "tokenizer")
        own = getattr(pipe, name)
        if name not in self._tokenizers:
            self._tokenizers[name] = copy.deepcopy(own)
        reads = known.teach(self._tokenizers[name])
        setattr(pipe, name, reads)
        stack.callback(setattr, pipe, name, own)
        of_tokens = {reads.convert_tokens_to_ids(sign): vector for sign, vector in vectors.items()}
        for handle in _hooked(getattr(pipe, encoder), of_tokens):
            stack.callback(handle.remove)


def _hooked(encoder: Any, vectors: Mapping[int, Any]) -> Iterator[Any]:
    """Let a text encoder read these tokens as these vectors; gives what takes that back.

    It is told another token in their place: it has no others in its table, and where it looks for the end of a prompt
    by the largest number (transformers does so for early CLIPs) it would take a new one for the end.
    """
    import torch

    places: dict[int, Any] = {}

    def take_out(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        ids = arguments[0] if arguments else named["input_ids"]
        places.update({token: ids == token for token in vectors})
        known = ids.clone()
        for at in places.values():
            known[at] = 0
        return ((known, *arguments[1:]), named) if arguments else (arguments, {**named, "input_ids": known})

    def put_in(module: Any, arguments: tuple[Any, ...], embedded: Any) -> Any:
        embedded = embedded.clone()
        for token, at in places.items():
            embedded[at.to(embedded.device)] = vectors[token].to(embedded.device, embedded.dtype)
        return embedded

    with torch.no_grad():
        yield encoder.register_forward_pre_hook(take_out, with_kwargs=True)
        yield encoder.get_input_embeddings().register_forward_hook(put_in)


def _encoders(pipe: Any) -> Sequence[str]:
    return [name for name in OF_XL if getattr(pipe, name, None) is not None]


def _vectors(file: NamedFile, pipe: Any) -> Mapping[str, Any]:
    """Raises InvalidEmbedding for a file of which not all is understood, or fits this pipeline."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    name = file.path.name
    count = file.about.vectors or 0
    if not 1 <= count <= MOST_OF_ONE:
        raise InvalidEmbedding(
            f"Embedding {name}: it has {count} vectors, and at most {MOST_OF_ONE} are read. Choose another one."
        )
    try:
        tensors = load_file(file.path)
    except (OSError, SafetensorError) as error:
        raise InvalidEmbedding(f"Embedding {name}: it cannot be read ({error}). Download or copy it again.") from error
    widths = {part: getattr(pipe, part).get_input_embeddings().embedding_dim for part in _encoders(pipe)}
    if len(widths) == 1 and len(tensors) == 1:
        found = dict.fromkeys(widths, next(iter(tensors.values())))
    elif len(widths) > 1 and tensors.keys() == {OF_XL[part] for part in widths}:
        found = {part: tensors[OF_XL[part]] for part in widths}
    else:
        raise InvalidEmbedding(f"Embedding {name}: {_not_for_this(file, widths)}")
    found = {part: tensor.reshape(-1, tensor.shape[-1]) for part, tensor in found.items()}
    if any(tensor.shape != (count, widths[part]) for part, tensor in found.items()):
        raise InvalidEmbedding(f"Embedding {name}: {_not_for_this(file, widths)}")
    if not all(bool(torch.isfinite(tensor.float()).all()) for tensor in found.values()):
        raise InvalidEmbedding(f"Embedding {name}: it holds what is no number. Download or copy it again.")
    return found


def _not_for_this(file: NamedFile, widths: Mapping[str, int]) -> str:
    made_for = f"it was made for {file.about.base}" if file.about.base else "it was made for another model"
    reads = " and ".join(map(str, widths.values()))
    return f"{made_for}, and this model reads vectors {reads} wide. Choose one that was made for this model."
