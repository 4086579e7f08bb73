"""Components of a pipeline that are in memory only while they are used, such as text encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.memory import trim


class Unloaded:
    """load: reads the same components again from their files, by their names; None: they stay."""

    def __init__(self, components: Mapping[str, Any], load: Callable[[], Mapping[str, Any]] | None = None) -> None:
        self._components = components
        self._load = load
        self._is_out = False

    def bring_back(self) -> None:
        """Into the very modules that others know, to the bit what they were."""
        if not self._is_out or self._load is None:
            return
        for name, again in self._load().items():
            self._components[name].load_state_dict(again.state_dict(), assign=True)
        self._is_out = False

    @contextmanager
    def after_reading(self, pipe: Any) -> Iterator[None]:
        """Around a call of this pipeline: as soon as it has read its prompts, their memory is given back.

        Not of the few pipelines that have no method for it.
        """
        if self._load is None or not hasattr(pipe, "encode_prompt"):
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
        import torch

        if self._load is None:
            return
        self._is_out = True
        for component in self._components.values():
            for module in component.modules():
                for name, values in list(module.named_parameters(recurse=False)):
                    setattr(module, name, torch.nn.Parameter(values.to("meta"), requires_grad=False))
        trim()
