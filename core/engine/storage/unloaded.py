"""Components of a pipeline that are in memory only while they are used, such as text encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.memory import trim

ReadAgain = Callable[[str, Any], None]
"""(name of a component, the component)"""


class Unloaded:
    """Those of these components that have no weights yet. read: gives one its weights; None: all stay as they are."""

    def __init__(self, components: Mapping[str, Any], read: ReadAgain | None = None) -> None:
        self._read = read
        self._components = {name: one for name, one in components.items() if read and one is not None and is_out(one)}
        self._is_out = True

    def bring_back(self) -> None:
        """Into the very modules that others know."""
        if not self._is_out or self._read is None:
            return
        for name, component in self._components.items():
            self._read(name, component)
        self._is_out = False

    @contextmanager
    def after_reading(self, pipe: Any) -> Iterator[None]:
        """Around a call of this pipeline: as soon as it has read its prompts, their memory is given back.

        Not of the few pipelines that have no method for it.
        """
        if not self._components or not hasattr(pipe, "encode_prompt"):
            yield
            return
        read = pipe.encode_prompt

        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            read_so = read(*args, **kwargs)
            self.take_out()
            return read_so

        pipe.encode_prompt = encode_prompt
        try:
            yield
        finally:
            del pipe.encode_prompt

    def take_out(self) -> None:
        """Give their memory back, until bring_back."""
        if self._components:
            self._is_out = True
            take_out(self._components.values())


def take_out(components: Iterable[Any]) -> None:
    """Give the memory of their weights back."""
    import torch

    for component in components:
        for module in component.modules():
            for name, values in list(module.named_parameters(recurse=False)):
                setattr(module, name, torch.nn.Parameter(values.to("meta"), requires_grad=False))
    trim()


def is_out(component: Any) -> bool:
    """Whether it has no weights at this moment."""
    return any(parameter.is_meta for parameter in component.parameters())
