"""Parameters of a pipeline's modules that others stand in the place of, and the own ones back to the bit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.memory import trim


class Replaced:
    """Those that are replaced at this moment."""

    def __init__(self) -> None:
        self._own: dict[tuple[Any, str], Any] = {}

    def put_in(self, others: Iterable[tuple[Any, str, Any]]) -> None:
        """All of these, or none if one cannot be made: the module, the name of its parameter, and the new values.

        They are taken one after the other: of what is only then computed, one at a time is in memory twice.
        """
        import torch

        try:
            for module, name, values in others:
                own = getattr(module, name)
                # What lies on a card has no room for a second one; the same bits come back from here.
                self._own[module, name] = own if own.device.type == "cpu" else own.detach().cpu()
                setattr(module, name, torch.nn.Parameter(values, requires_grad=False))
        except BaseException:
            self.put_back()
            raise
        trim()

    def put_back(self) -> None:
        """The very parameters that were loaded."""
        import torch

        if not self._own:
            return
        for (module, name), own in self._own.items():
            on_device = own.to(getattr(module, name).device)
            setattr(module, name, own if on_device is own else torch.nn.Parameter(on_device, requires_grad=False))
        self._own.clear()
        trim()
