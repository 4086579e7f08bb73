"""What a form and a command line need to know of one parameter, by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as a form and a command line need it. choices: stable keys and their titles, if it has a fixed set.

    default: of the field's type in InpaintParams, which checks it.
    """

    title: str
    help: str
    default: Any
    unit: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Parameter):
    """high: its characters at most."""

    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Parameter):
    """low, high: the smallest and the largest value. step: between two values of a slider."""

    low: float
    high: float
    step: float

    def __contains__(self, value: float | Decimal) -> bool:
        return self.low <= value <= self.high
