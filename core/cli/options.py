"""The parameters of a generation as options of a command: their names, limits and explanations are the domain's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from core.domain.params import PARAMETERS, InpaintParams, Number, Parameter

SHORTER = {
    "num_inference_steps": "steps",
    "mask_grow_px": "grow",
    "mask_feather_px": "feather",
    "crop_padding_px": "padding",
    "keep_threshold": "keep",
    "loras": "lora",
    "ip_adapter_scale": "reference-scale",
}
"""Options that are not named as their parameter."""

LISTS = {
    "loras": "NAME_OR_PATH:WEIGHT, or NAME_OR_PATH:te=WEIGHT:unet=WEIGHT",
    "controlnet": "NAME_OR_PATH:WEIGHT",
}
"""Options that can be given several times, and how each is written."""

IN_PROMPTS = ("embeddings",)
"""Without an option: what they are is found in the prompts."""

CHOSEN = "chosen"


def takes_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have an option for each parameter, where its argument `chosen` stands.

    There the values arrive by the names of InpaintParams, without those that were not given.
    """

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        given = {name: values.pop(name) for name in _names()}
        values[CHOSEN] = {name: value for name, value in given.items() if value is not None}
        command(**values)

    parameters: list[inspect.Parameter] = []
    signature = inspect.signature(command, eval_str=True)
    for parameter in signature.parameters.values():
        if parameter.name == CHOSEN:
            parameters += _options()
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    # What Typer reads the options from.
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


def _options() -> Iterator[inspect.Parameter]:
    for name in _names():
        flag = "--" + SHORTER.get(name, name).replace("_", "-")
        kind: Any = list[str] if name in LISTS else InpaintParams.model_fields[name].annotation
        option = typer.Option(flag, help=_help(name, PARAMETERS[name]))
        yield inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
        )


def _names() -> list[str]:
    return [name for name in InpaintParams.model_fields if name not in IN_PROMPTS]


def _help(name: str, parameter: Parameter) -> str:
    if parameter.choices:
        return f"{parameter.help} [{', '.join(parameter.choices)}]"
    if name in LISTS:
        return f"{parameter.help} [{LISTS[name]}; can be given several times]"
    if isinstance(parameter, Number):
        limits = f"{parameter.low:g} to {parameter.high:.10g} {parameter.unit}".strip()
        return f"{parameter.help} [{limits}; default: recommended for the model]"
    return parameter.help
