"""What text encoders made of prompts, kept: for a prompt that was read before they need not come into memory again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from core.engine.storage.unloaded import ReadAgain, Unloaded, in_place_of

MOST_BYTES = 64 * 2**20
"""Of what is kept: a prompt takes 0.2 MB in Stable Diffusion, and up to 13 in XL."""


class TextEncoders:
    """Those of a pipeline that leave the memory while they are not used: see Unloaded, of which the arguments are."""

    def __init__(self, components: Mapping[str, Any], read: ReadAgain | None = None) -> None:
        self._unloaded = Unloaded(components, read)
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def bring_back(self) -> None:
        self._unloaded.bring_back()

    @contextmanager
    def reading(self, pipe: Any) -> Iterator[None]:
        """Around a call of this pipeline, with their own weights: they come into memory for what they have not read
        yet, and leave it as soon as the pipeline has read its prompts.

        Not of the few pipelines that have no method for it.
        """
        if not self._unloaded.components or not hasattr(pipe, "encode_prompt"):
            self.bring_back()
            yield
            return
        read = pipe.encode_prompt

        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            read_so = read(*args, **kwargs)
            self._unloaded.take_out()
            return read_so

        with ExitStack() as stack:
            for name, encoder in self._unloaded.components.items():
                stack.enter_context(in_place_of(encoder, "forward", self._remembering(name, encoder)))
            stack.enter_context(in_place_of(pipe, "encode_prompt", encode_prompt))
            yield

    def _remembering(self, name: str, encoder: Any) -> Callable[..., Any]:
        import torch

        forward = encoder.forward

        def remembering(*args: Any, **kwargs: Any) -> Any:
            layers = len(getattr(encoder, "text_model", encoder).encoder.layers)
            # Their number decides the last bits.
            key = (name, layers, torch.get_num_threads(), *map(_key, args), *map(_key, sorted(kwargs.items())))
            if key not in self._kept:
                self._unloaded.bring_back()
                self._kept[key] = forward(*args, **kwargs)
                self._forget()
            self._kept.move_to_end(key)
            # Whoever gets it may change it.
            return _copied(self._kept[key])

        return remembering

    def _forget(self) -> None:
        """The oldest ones; the newest stays in any case."""
        sizes = {key: sum(tensor.nbytes for tensor in _tensors(kept)) for key, kept in self._kept.items()}
        total = sum(sizes.values())
        for key in list(self._kept)[:-1]:
            if total <= MOST_BYTES:
                return
            total -= sizes[key]
            del self._kept[key]


def _key(value: Any) -> Any:
    """Of an argument: equal ones have the same."""
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    if hasattr(value, "numpy"):
        return (str(value.dtype), tuple(value.shape), value.cpu().numpy().tobytes())
    return repr(value)


def _tensors(value: Any) -> Iterator[Any]:
    if hasattr(value, "nbytes"):
        yield value
    elif value is not None:
        for part in value.values() if hasattr(value, "values") else value:
            yield from _tensors(part)


def _copied(value: Any) -> Any:
    """An output of transformers, of which each tensor is another one."""
    if hasattr(value, "clone"):
        return value.clone()
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    if hasattr(value, "items"):
        return type(value)(**{name: _copied(part) for name, part in value.items()})
    return value
