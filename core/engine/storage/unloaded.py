"""Text encoders that are in memory only while they read a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.memory import trim


class Unloaded:
    """The text encoders of a pipeline, by name. load: reads the same ones again from their files; None: they stay."""

    def __init__(self, encoders: Mapping[str, Any], load: Callable[[], Mapping[str, Any]] | None) -> None:
        self._encoders = encoders
        self._load = load
        self._is_out = False

    def bring_back(self) -> None:
        """Into the very modules that others know, to the bit what they were."""
        if not self._is_out or self._load is None:
            return
        for name, again in self._load().items():
            self._encoders[name].load_state_dict(again.state_dict(), assign=True)
        self._is_out = False

    @contextmanager
    def after_reading(self, pipe: Any) -> Iterator[None]:
        """Around a call of this pipeline: as soon as it has read its prompts, their memory is given back."""
        if self._load is None:
            yield
            return
        read = pipe.encode_prompt

        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            read_so = read(*args, **kwargs)
            self._take_out()
            return read_so

        pipe.encode_prompt = encode_prompt
        try:
            yield
        finally:
            del pipe.encode_prompt

    def _take_out(self) -> None:
        import torch

        self._is_out = True
        for encoder in self._encoders.values():
            for module in encoder.modules():
                for name, values in list(module.named_parameters(recurse=False)):
                    setattr(module, name, torch.nn.Parameter(values.to("meta"), requires_grad=False))
        trim()
