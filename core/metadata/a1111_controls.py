"""The lines in which A1111's extension sd-webui-controlnet says what guided a picture: "ControlNet 0: ..., ..."."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from core.domain.control import CANNY, GIVEN, INPAINT, LINEART, MAX_CONTROLNETS, SOFT_EDGE, TILE, Control, hint_of
from core.domain.lora import shared_name
from core.domain.params import InpaintParams
from core.domain.record import RanFile
from core.metadata.flat import plain

MODULES = {
    INPAINT: "inpaint_only",
    CANNY: "canny",
    LINEART: "lineart_standard (from white bg & black line)",
    SOFT_EDGE: "softedge",
    TILE: "none",
    GIVEN: "none",
}
"""What its preprocessors are called; of a soft edge it has several, each by a model of its own."""

HINTS_BY_MODULE = (
    ("inpaint", INPAINT),
    ("canny", CANNY),
    ("lineart", LINEART),
    ("softedge", SOFT_EDGE),
    ("hed", SOFT_EDGE),
    ("pidinet", SOFT_EDGE),
    ("tile", TILE),
)
"""What names of preprocessors begin with, also in its older versions."""

HASH_DIGITS = 8
UNIT = re.compile(r"ControlNet \d{1,2}")
FACT = re.compile(r"\s*([A-Za-z][\w /-]{0,40}):\s*(\([^()]*\)|[^,]*)(?:,|$)")
WITH_HASH = re.compile(r"(.+?)\s*\[[0-9a-fA-F]{6,64}\]")
NUMBER = r"[0-9]{1,3}(?:\.[0-9]{1,20})?"
SPAN = re.compile(rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)")


def written(params: InpaintParams, ran: Sequence[RanFile]) -> dict[str, str]:
    """As internal_controlnet/args.py writes them, in its words. ran: the files, where they are known."""
    lines = {}
    for at, control in enumerate(params.controlnet):
        name = shared_name(control.name)
        lines[f"ControlNet {at}"] = _line(
            MODULES[control.hint],
            f"{name} [{ran[at].sha256.removeprefix('sha256:')[:HASH_DIGITS]}]" if at < len(ran) else name,
            control.controlnet_conditioning_scale,
            (control.control_guidance_start, control.control_guidance_end),
        )
    return lines


def _line(module: str, model: str, weight: float, part: tuple[float, float]) -> str:
    facts = {
        "Module": module,
        "Model": model,
        "Weight": f"{weight:.10g}",
        "Resize Mode": "Crop and Resize",
        "Guidance Start": f"{part[0]:.10g}",
        "Guidance End": f"{part[1]:.10g}",
        "Pixel Perfect": True,
        "Control Mode": "Balanced",
    }
    return ", ".join(f"{key}: {value}" for key, value in facts.items())


def read(pairs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Fields of Controls, of the units that can be understood as such."""
    units = [_control(dict(_facts(text))) for key, text in pairs.items() if UNIT.fullmatch(key)]
    return [unit for unit in units if unit is not None][:MAX_CONTROLNETS]


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for match in FACT.finditer(text):
        yield plain(match[1]), match[2].strip()


def _control(facts: Mapping[str, str]) -> dict[str, Any] | None:
    """None of a unit without a model of its own, such as one that only makes a hint or a reference."""
    model = facts.get("model", "")
    name = shared_name((WITH_HASH.fullmatch(model) or [model, model])[1])
    if not name or name.casefold() == "none" or "ip-adapter" in name.casefold():
        return None
    span = SPAN.fullmatch(facts.get("startingending", ""))
    start, end = span.groups() if span else (facts.get("guidancestart"), facts.get("guidanceend"))
    numbers = {
        "controlnet_conditioning_scale": facts.get("weight"),
        "control_guidance_start": start,
        "control_guidance_end": end,
    }
    told = {field: float(text) for field, text in numbers.items() if text and re.fullmatch(NUMBER, text)}
    values: dict[str, Any] = {
        "name": name,
        "hint": _hint(facts.get("module") or facts.get("preprocessor") or "", name),
        **told,
    }
    try:
        return Control(**values).model_dump()
    except ValidationError:
        return None


def _hint(module: str, name: str) -> str:
    """By what made it; a picture that nothing was made of was for one for tiles, or was a hint already."""
    folded = module.casefold()
    by_module = next((hint for begins, hint in HINTS_BY_MODULE if folded.startswith(begins)), GIVEN)
    return TILE if by_module == GIVEN and folded in ("", "none") and hint_of(name) == TILE else by_module
