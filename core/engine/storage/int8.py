"""Weights kept as whole numbers of eight bits, and expanded for the layer at work: a quarter of float32's memory.

Each output channel has a scale of its own. Scales are numbers of bfloat16, so that the same eight bits serve whatever
is computed in. Sums are of the expanded numbers, and scaled afterwards: exact in bfloat16, as 127 needs seven bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from core.domain.errors import DamagedModel
from core.engine.storage import prepared
from core.engine.storage.prepared import Layout
from core.engine.storage.reader import Stored

VERSION = 1
"""Of the numbers that weights become. Raised when they change: those that are kept on the disk are others then."""

LARGEST = 127
AT_ONCE = 2**19
"""Values that are quantised at a time: no copy in float32 is ever larger, by more than a row."""


class Scratch:
    """Where the layers of one model expand their weights, one after the other; as large as the largest of them."""

    def __init__(self) -> None:
        self._values: torch.Tensor | None = None

    def expanded(self, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """The same numbers in this type; they are overwritten by the next call."""
        kept = self._values
        if kept is None or kept.numel() < weight.numel() or (kept.dtype, kept.device) != (dtype, weight.device):
            kept = self._values = torch.empty(weight.numel(), dtype=dtype, device=weight.device)
        return kept[: weight.numel()].view(weight.shape).copy_(weight)


class Int8(nn.Module):
    """A layer whose weight is int8. scale: of each output channel, in the type that is computed in.

    original: the weight as it is in its file. kept: its weight and scale.
    """

    weight: nn.Parameter
    scale: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        original: Stored,
        kept: Mapping[str, torch.Tensor],
        bias: torch.Tensor | None,
        dtype: torch.dtype,
        scratch: Scratch,
    ) -> None:
        super().__init__()
        self.original = original
        self._scratch = scratch
        self.weight = nn.Parameter(kept["weight"], requires_grad=False)
        self.scale = nn.Parameter(kept["scale"].to(dtype), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.to(dtype), requires_grad=False)

    def _scaled(self, sums: torch.Tensor, *behind: int) -> torch.Tensor:
        """behind: a 1 for each side behind that of the channels."""
        scale = self.scale.view(-1, *behind)
        return sums.mul_(scale) if self.bias is None else torch.addcmul(self.bias.view(-1, *behind), sums, scale)

    def changed(self, weight: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """Another weight in the place of its own: its parameters by their names. weight: of any floating type."""
        changed = quantised(lambda first, last: weight[first:last], tuple(weight.shape))
        return {**changed, "scale": changed["scale"].to(self.scale.dtype)}


class Int8Linear(Int8):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        # Pipelines ask for them.
        self.out_features, self.in_features = self.weight.shape

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self._scaled(functional.linear(values, self._scratch.expanded(self.weight, values.dtype)))


class Int8Conv2d(Int8):
    def __init__(self, like: nn.Conv2d, *given: Any) -> None:
        super().__init__(*given)
        self._how: dict[str, Any] = {name: getattr(like, name) for name in ("stride", "padding", "dilation", "groups")}

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        weight = self._scratch.expanded(self.weight, values.dtype)
        return self._scaled(functional.conv2d(values, weight, **self._how), 1, 1)


def quantised(rows: Callable[[int, int], torch.Tensor], shape: tuple[int, ...]) -> Mapping[str, torch.Tensor]:
    """ "weight" as int8, and "scale" in bfloat16. rows: a part of the values, from one row to before another.

    Raises DamagedModel for what is no number, of which eight bits would tell nothing.
    """
    weight = torch.empty(shape, dtype=torch.int8)
    scale = torch.empty(shape[0], dtype=torch.bfloat16)
    count = max(1, AT_ONCE * shape[0] // weight.numel())
    for first in range(0, shape[0], count):
        part = rows(first, min(first + count, shape[0])).float().flatten(1)
        # The smallest number that is none of the subnormal ones, for a channel of zeros.
        least = torch.finfo(torch.float32).tiny
        of_part = (part.abs().amax(1) / LARGEST).clamp_min(least).to(torch.bfloat16)
        if not bool(of_part.isfinite().all()):
            raise DamagedModel("The weights of this model hold what is no number. Download or copy it again.")
        scale[first : first + count] = of_part
        numbers = part.div_(of_part.float().unsqueeze(1)).round_().clamp_(-LARGEST, LARGEST)
        weight[first : first + count] = numbers.view(-1, *shape[1:])
    return {"weight": weight, "scale": scale}


def fill(model: nn.Module, weights: Mapping[str, Stored], dtype: torch.dtype, kept: Path | None = None) -> None:
    """Give a model without memory its weights, those of the layers inside of its blocks as int8, all else in this type.

    The layers at its ends, which are small and see what no other sees, stay whole.
    weights: by their names in the model, all of them and of its shapes. kept: a file to keep what is int8 in.
    """
    layers = {path: module for path, module in model.named_modules() if _is_inside(path, module)}
    originals = {path: weights[f"{path}.weight"] for path in layers}
    numbers = prepared.tensors(_layout(originals), partial(_all_quantised, originals), kept)
    scratch = Scratch()
    for path, module in layers.items():
        of_layer = {name: numbers[f"{path}.{name}"] for name in ("weight", "scale")}
        bias = weights[f"{path}.bias"].read() if module.bias is not None else None
        given = (originals[path], of_layer, bias, dtype, scratch)
        is_linear = isinstance(module, nn.Linear)
        model.set_submodule(path, Int8Linear(*given) if is_linear else Int8Conv2d(module, *given))
    for path, module in model.named_modules():
        if isinstance(module, Int8):
            continue
        for name, where, _ in _own(module):
            values = weights[f"{path}.{name}" if path else name].read().to(dtype)
            where[name] = nn.Parameter(values, requires_grad=False) if where is module._parameters else values
    model.eval()


def _is_inside(path: str, module: nn.Module) -> bool:
    if "." not in path:
        return False
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.padding_mode == "zeros")


def _layout(originals: Mapping[str, Stored]) -> Layout:
    scales = {f"{path}.scale": ("BF16", original.shape[:1]) for path, original in originals.items()}
    return {**scales, **{f"{path}.weight": ("I8", original.shape) for path, original in originals.items()}}


def _all_quantised(originals: Mapping[str, Stored]) -> Iterator[tuple[str, torch.Tensor]]:
    for path, original in originals.items():
        for name, values in quantised(original.rows, original.shape).items():
            yield f"{path}.{name}", values


def _own(module: nn.Module) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Parameters and kept buffers of a module, not those of its parts: name, where it is registered, and value."""
    for registered in (module._parameters, module._buffers):
        for name, value in list(registered.items()):
            if value is not None and name not in module._non_persistent_buffers_set:
                yield name, registered, value
