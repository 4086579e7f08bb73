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
        self.components = {name: one for name, one in components.items() if read and one is not None and is_out(one)}
        self._is_out = True

    def bring_back(self) -> None:
        """Into the very modules that others know."""
        if not self._is_out or self._read is None:
            return
        for name, component in self.components.items():
            self._read(name, component)
        self._is_out = False

    def take_out(self) -> None:
        """Give their memory back, until bring_back."""
        if self.components:
            self._is_out = True
            take_out(self.components.values())

    @contextmanager
    def only_in(self, pipe: Any, name: str) -> Iterator[None]:
        """Around a call of this pipeline: they are in memory while it is in its method of this name."""
        method = getattr(pipe, name, None)
        if not self.components or method is None:
            self.bring_back()
            yield
            return

        def with_them(*args: Any, **kwargs: Any) -> Any:
            trim()
            self.bring_back()
            try:
                return method(*args, **kwargs)
            finally:
                self.take_out()

        with in_place_of(pipe, name, with_them):
            yield


def take_out(components: Iterable[Any]) -> None:
    """Give the memory of their weights back.

    In their place is what is no number, once for each tensor: so pipelines, which ask some component for the device,
    are told the right one, and whatever is computed with it by mistake is broken, and noticed.
    """
    import torch

    for component in components:
        for module in component.modules():
            for name, values in list(module.named_parameters(recurse=False)):
                where = "cpu" if values.is_meta else values.device
                nothing = torch.full((1,), torch.nan, dtype=values.dtype, device=where).expand(values.shape)
                setattr(module, name, torch.nn.Parameter(nothing, requires_grad=False))
    trim()


def is_out(component: Any) -> bool:
    """Whether it has no weights at this moment."""
    return any(values.untyped_storage().nbytes() < values.nbytes for values in component.parameters())


@contextmanager
def in_place_of(target: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Meanwhile this is the method of that name."""
    before = vars(target).get(name)
    setattr(target, name, method)
    try:
        yield
    finally:
        # Somebody else may watch it, too.
        delattr(target, name) if before is None else setattr(target, name, before)
