"""What a LoRA adds to one weight, of its factors: the formulas of LoRA and LoCon (kohya-ss/sd-scripts), and of LoHa and
LoKr (LyCORIS), each also with a convolution's core in a factor of its own (Tucker form).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Factors = Mapping[str, Any]
"""Tensors by role: down, up, mid; hada_w1_a, ..., hada_t1; lokr_w1, lokr_w2_a, ..., lokr_t2."""


FIRST = ("up", "hada_w1_a", "lokr_w1", "lokr_w1_a")
"""Of each formula one factor in which it is linear."""


def delta(factors: Factors) -> Any:
    """What is added at weight 1 with a scale of 1, of the weight's shape or with all but its first side in one.

    Raises RuntimeError or KeyError for factors that do not fit together.
    """
    if "up" in factors or "down" in factors:
        return _lora(factors["up"], factors["down"], factors.get("mid"))
    if "hada_w1_a" in factors:
        first, second = (_product(factors, f"hada_w{n}", factors.get(f"hada_t{n}")) for n in (1, 2))
        return first * second
    return _kronecker(_of_lokr(factors, 1), _of_lokr(factors, 2))


def rank(factors: Factors) -> int | None:
    """What alpha is divided by; None where nothing is: of a LoKr of two whole factors."""
    for role in ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"):
        if role in factors:
            return int(factors[role].shape[0])
    return None


def scale(alpha: float | None, of_rank: int | None, *, by_root: bool = False) -> float:
    """Without alpha it is taken for the rank. by_root: of rank-stabilised LoRA (PEFT's use_rslora)."""
    if of_rank is None:
        return 1.0
    over = math.sqrt(of_rank) if by_root else of_rank
    return (of_rank if alpha is None else alpha) / over


def fits(shape: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """Whether a delta of this shape is one of this weight."""
    if len(shape) == 2 and len(weight) > 2:
        return shape == (weight[0], math.prod(weight[1:]))
    return _without_ones(shape) == _without_ones(weight)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The same weight as a linear layer, of a convolution of 1 x 1."""
    return shape[:2] if set(shape[2:]) <= {1} else shape


def _lora(up: Any, down: Any, mid: Any | None) -> Any:
    import torch

    if mid is not None:
        return torch.einsum("mn...,om,ni->oi...", mid, up.flatten(1), down.flatten(1))
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])


def _product(factors: Factors, name: str, core: Any | None) -> Any:
    import torch

    a, b = factors[f"{name}_a"], factors[f"{name}_b"]
    if core is None:
        return (a @ b.flatten(1)).reshape(a.shape[0], *b.shape[1:])
    return torch.einsum("ij...,ip,jr->pr...", core, a, b)


def _of_lokr(factors: Factors, number: int) -> Any:
    name = f"lokr_w{number}"
    return factors[name] if name in factors else _product(factors, name, factors.get(f"lokr_t{number}"))


def _kronecker(first: Any, second: Any) -> Any:
    import torch

    first = first.reshape(*first.shape, *[1] * (second.dim() - first.dim()))
    return torch.kron(first, second.contiguous())
