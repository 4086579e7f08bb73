"""A sheet: the same picture and mask under every combination of the values of one or two parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from core.domain.control import MAX_SCALE, control_values
from core.domain.errors import InvalidInput, InvalidParams
from core.domain.lora import MAX_WEIGHT, Lora, retagged, values_of
from core.domain.params import MAX_PROMPT, PARAMETERS, SCHEDULERS, InpaintParams, Number
from core.domain.speed import SPEEDS

MAX_CELLS = 100

MAX_TOLD = 60
"""Characters of a value that a sentence repeats."""

WORDS = "prompt"
"""On this axis the first value is a part of the prompt, which each of the others takes the place of."""

LORAS = "loras"
"""Each value on this axis is a LoRA with the weight that it gets, as text: "oil:0.5"."""

CONTROLNETS = "controlnet"
"""Each value on this axis is a ControlNet with the weight that it gets, as text: "canny:0.5"."""

SPEED = "speed"
"""Each value on this axis is a key of SPEEDS: as many parameters as that sets."""

AXES = (
    "prompt",
    SPEED,
    "seed",
    "num_inference_steps",
    "guidance_scale",
    "strength",
    "scheduler",
    "clip_skip",
    "dtype",
    "cache_interval",
    LORAS,
    CONTROLNETS,
    "ip_adapter_scale",
    "model",
)

FIRST = ("model", SPEED)
"""What decides values of other parameters; those on the other axis then win."""

AtSpeed = Callable[[InpaintParams, str], InpaintParams]
"""(params, key of SPEEDS): the same at that speed."""

SCALE = "controlnet_conditioning_scale"

RANGE = re.compile(r"(-?[0-9.]+)\s*-\s*(-?[0-9.]+)(?:\s*\(\s*\+?\s*([0-9.]+)\s*\))?")
OF_A_FILE = re.compile(rf"(?:(?P<name>.*\S)\s*[\s:]\s*)??(?P<weights>{RANGE.pattern}|[-+]?[0-9.]+)", re.DOTALL)

WEIGHTS = {
    LORAS: Number(PARAMETERS[LORAS].title, "", default=1.0, low=-MAX_WEIGHT, high=MAX_WEIGHT, step=0.25),
    CONTROLNETS: Number(PARAMETERS[CONTROLNETS].title, "", default=1.0, low=0.0, high=MAX_SCALE, step=0.25),
}
"""Of what is a file with a weight."""


@dataclass(frozen=True, slots=True)
class Axis:
    """name: one of AXES. values: of that parameter, in the order in which they are shown; at least one, each once."""

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.name not in AXES:
            raise InvalidInput(f"A sheet can vary one of {', '.join(AXES)}, not {self.name!r}.")
        if not self.values:
            raise InvalidInput(f"{self.title}: give at least one value.")
        if not all(_fits(self.name, value) for value in self.values):
            raise InvalidParams(f"{self.title}: a value is invalid or outside the limits.")
        if len(set(self.values)) < len(self.values):
            raise InvalidInput(f"{self.title}: a value occurs twice.")

    @property
    def title(self) -> str:
        return axis_title(self.name)

    @property
    def labels(self) -> tuple[str, ...]:
        if self.name == WORDS:
            return tuple(" ".join(str(value).split()) or "(nothing)" for value in self.values)
        return tuple(f"{self.title} {_shown(self.name, value)}" for value in self.values)

    @classmethod
    def parse(cls, name: str, text: str) -> Axis:
        """Values divided by commas; for numbers also ranges: “10-50 (+10)”. Raises InvalidInput in words."""
        parts = [part.strip() for part in text.split(",")]
        if name == WORDS:
            return cls(name, tuple(parts) if text.strip() else ())
        parts = [part for part in parts if part]
        if name in WEIGHTS:
            return cls(name, tuple(_parse_weights(WEIGHTS[name], parts)))
        parameter = PARAMETERS.get(name)
        return cls(name, tuple(_parse_numbers(parameter, parts) if isinstance(parameter, Number) else parts))

    def applied(self, params: InpaintParams, value: Any, at_speed: AtSpeed) -> InpaintParams:
        """Raises InvalidParams if the value, or the part of the prompt, does not fit."""
        if self.name == SPEED:
            return at_speed(params, value)
        if self.name == LORAS:
            return _with_lora(params, Lora(**values_of(value)))
        if self.name == CONTROLNETS:
            return _with_control(params, value)
        if self.name != WORDS:
            return params.changed(**{self.name: value})
        part, by = str(self.values[0]), str(value)
        if part not in params.prompt or not part:
            told = part if len(part) <= MAX_TOLD else f"{part[:MAX_TOLD]}…"
            raise InvalidParams(f"Prompt: the first value, “{told}”, must occur in the prompt.")
        length = len(params.prompt) + params.prompt.count(part) * (len(by) - len(part))
        if length > MAX_PROMPT:
            # Not made first: a letter that stands for a page makes gigabytes of a prompt.
            raise InvalidParams(f"Prompt: would have {length:,} characters with “{by[:MAX_TOLD]}…” in it; too many.")
        return params.changed(prompt=params.prompt.replace(part, by))


@dataclass(frozen=True, slots=True)
class Sheet:
    """columns, rows: what is varied; rows may be missing. Raises InvalidInput for too many cells."""

    columns: Axis
    rows: Axis | None = None

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows.name == self.columns.name:
            raise InvalidInput("Columns and rows vary the same parameter. Choose a different one for the rows.")
        if self.cells > MAX_CELLS:
            raise InvalidInput(f"This sheet has {self.cells} pictures; the limit is {MAX_CELLS}.")

    @property
    def cells(self) -> int:
        return len(self.columns.values) * (len(self.rows.values) if self.rows else 1)

    def all_params(self, params: InpaintParams, at_speed: AtSpeed) -> list[list[InpaintParams]]:
        """Row by row. Raises InvalidParams for a value that does not fit, before anything is made."""
        rows = [(self.rows, value) for value in self.rows.values] if self.rows else [None]

        def cell(*chosen: tuple[Axis, Any] | None) -> InpaintParams:
            found = params
            for axis, value in sorted(filter(None, chosen), key=lambda one: _rank(one[0])):
                found = axis.applied(found, value, at_speed)
            return found

        return [[cell(row, (self.columns, value)) for value in self.columns.values] for row in rows]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"columns": _axis_to_dict(self.columns), "rows": _axis_to_dict(self.rows) if self.rows else None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Sheet:
        """Raises InvalidInput, InvalidParams, TypeError or KeyError for what to_dict did not write."""
        rows = values["rows"]
        return cls(_axis(values["columns"]), _axis(rows) if rows else None)


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """A sheet with the ids of its generations, row by row. Raises InvalidInput if they are not as many as its cells."""

    id: str
    created_at: datetime
    sheet: Sheet
    ids: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        rows = len(self.sheet.rows.values) if self.sheet.rows else 1
        if [len(line) for line in self.ids] != [len(self.sheet.columns.values)] * rows:
            raise InvalidInput("This sheet does not have a picture for each of its fields.")


def axis_title(name: str) -> str:
    return "Speed" if name == SPEED else PARAMETERS[name].title


def axis_choices(name: str) -> Mapping[str, str]:
    """The values that an axis can have, with their titles; none where it has no list of them."""
    return {speed: title for speed, (title, _) in SPEEDS.items()} if name == SPEED else PARAMETERS[name].choices


def _rank(axis: Axis) -> int:
    return FIRST.index(axis.name) if axis.name in FIRST else len(FIRST)


def _fits(name: str, value: Any) -> bool:
    if name == SPEED:
        return value in SPEEDS
    parameter = PARAMETERS[name]
    if isinstance(parameter, Number):
        return isinstance(value, int | float) and not isinstance(value, bool) and value in parameter
    if not isinstance(value, str) or len(value) > MAX_PROMPT:
        return False
    return name not in WEIGHTS or bool(InpaintParams(**{name: [value]}))


def _with_lora(params: InpaintParams, lora: Lora) -> InpaintParams:
    """With this weight wherever it is asked for: on the form, in the prompt; if nowhere, after the others."""
    chosen = [lora if one.name == lora.name else one for one in params.loras]
    prompt = retagged(params.prompt, lora) if lora not in chosen else params.prompt
    if lora not in chosen and prompt == params.prompt:
        chosen.append(lora)
    return params.changed(prompt=prompt, loras=[one.model_dump() for one in chosen])


def _with_control(params: InpaintParams, value: str) -> InpaintParams:
    """With this weight where it is asked for, which leaves all else of it as it is; if nowhere, after the others."""
    new = control_values(value)
    weight = {SCALE: new[SCALE]}
    chosen = [{**one.model_dump(), **(weight if one.name == new["name"] else {})} for one in params.controlnet]
    if new["name"] not in (one.name for one in params.controlnet):
        chosen.append(new)
    return params.changed(controlnet=chosen)


def _parse_weights(weight: Number, parts: Sequence[str]) -> Iterable[str]:
    """Of "oil 0", "0.5", "0.6-1 (+0.2)": a name counts until the next one."""
    name = None
    for part in parts:
        found = OF_A_FILE.fullmatch(part)
        name = (found["name"] or name) if found else None
        if found is None or name is None:
            raise InvalidInput(
                f"{weight.title}: “{part[:MAX_TOLD]}” cannot be read. Write a name, then weights: oil 0, 0.5, 1."
            )
        for number in _parse_numbers(weight, [found["weights"]]):
            yield str(Lora(name=name, weight=number))


def _axis(values: Mapping[str, Any]) -> Axis:
    return Axis(values["name"], tuple(values["values"]))


def _axis_to_dict(axis: Axis) -> dict[str, Any]:
    return {"name": axis.name, "values": list(axis.values)}


def _shown(name: str, value: Any) -> str:
    if name == "scheduler":
        return SCHEDULERS.get(value, str(value))
    if name == SPEED:
        return SPEEDS[value][0]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parse_numbers(parameter: Number, parts: Sequence[str]) -> Iterable[int | float]:
    kind = int if isinstance(parameter.default, int) else float
    for part in parts:
        span = RANGE.fullmatch(part)
        try:
            # Decimals, so that 0.1 to 0.5 ends at 0.5.
            found = _span(span[1], span[2], span[3], parameter.step) if span else [Decimal(part)]
            fits = all(number in parameter for number in found)
        except InvalidOperation:
            raise InvalidInput(f"{parameter.title}: “{part}” is not a number. Separate values with commas.") from None
        if not fits:
            # Before it is made an int: that of 1e999999999 would fill the memory.
            raise InvalidParams(
                f"{parameter.title}: must be from {parameter.low:g} to {parameter.high:.10g}, not “{part[:20]}”."
            )
        for number in found:
            if kind is int and number != number.to_integral_value():
                raise InvalidInput(f"{parameter.title}: “{part}” must be whole numbers.")
            yield kind(number)


def _span(first: str, last: str, by: str | None, step: float) -> list[Decimal]:
    low, high, each = Decimal(first), Decimal(last), Decimal(by or str(step))
    if each <= 0 or high < low or not (low.is_finite() and high.is_finite()):
        raise InvalidInput(f"{first}-{last} is not a range from a smaller number to a larger one.")
    count = int((high - low) / each) + 1
    if count > MAX_CELLS:
        raise InvalidInput(f"{first}-{last} has {count} values; the limit is {MAX_CELLS}.")
    return [low + nth * each for nth in range(count)]
