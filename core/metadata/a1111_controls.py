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

LOOKS = "ip-adapter-auto"
"""What its preprocessor for IP-Adapters is called that chooses by the model."""

HASH_DIGITS = 8
UNIT = re.compile(r"ControlNet \d{1,2}")
FACT = re.compile(r"\s*([A-Za-z][\w /-]{0,40}):\s*(\([^()]*\)|[^,]*)(?:,|$)")
WITH_HASH = re.compile(r"(.+?)\s*\[[0-9a-fA-F]{6,64}\]")
NUMBER = r"[0-9]{1,3}(?:\.[0-9]{1,20})?"
SPAN = re.compile(rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)")


def written(params: InpaintParams, controlnets: Sequence[RanFile], adapters: Sequence[RanFile]) -> dict[str, str]:
    """As internal_controlnet/args.py writes them, in its words. controlnets, adapters: the files, where known."""
    units = [
        (MODULES[one.hint], _model(one.name, controlnets[at : at + 1]), one) for at, one in enumerate(params.controlnet)
    ]
    if params.ip_adapter:
        looks = Control(name=params.ip_adapter, controlnet_conditioning_scale=params.ip_adapter_scale)
        units.append((LOOKS, _model(params.ip_adapter, adapters), looks))
    return {f"ControlNet {at}": _line(*unit) for at, unit in enumerate(units)}


def _model(name: str, ran: Sequence[RanFile]) -> str:
    shared = shared_name(name)
    return f"{shared} [{ran[0].sha256.removeprefix('sha256:')[:HASH_DIGITS]}]" if ran else shared


def _line(module: str, model: str, unit: Control) -> str:
    facts = {
        "Module": module,
        "Model": model,
        "Weight": f"{unit.controlnet_conditioning_scale:.10g}",
        "Resize Mode": "Crop and Resize",
        "Guidance Start": f"{unit.control_guidance_start:.10g}",
        "Guidance End": f"{unit.control_guidance_end:.10g}",
        "Pixel Perfect": True,
        "Control Mode": "Balanced",
    }
    return ", ".join(f"{key}: {value}" for key, value in facts.items())


def read(pairs: Mapping[str, str]) -> dict[str, Any]:
    """Fields of InpaintParams, of the units that can be understood as such; None where there are none.

    Of several IP-Adapters the first.
    """
    facts = [dict(_facts(text)) for key, text in pairs.items() if UNIT.fullmatch(key)]
    controls = [(one, unit) for one in facts if (unit := _control(one)) is not None]
    found: dict[str, Any] = {
        "controlnet": [unit for one, unit in controls if not _looks(one)][:MAX_CONTROLNETS] or None
    }
    if looks := next((unit for one, unit in controls if _looks(one)), None):
        found |= {"ip_adapter": looks["name"], "ip_adapter_scale": looks["controlnet_conditioning_scale"]}
    return found


def _looks(facts: Mapping[str, str]) -> bool:
    """Whether it is an IP-Adapter, by what it is called: ip-adapter_sd15, ip-adapter_clip_sd15, ip-adapter-auto."""
    return any(word.casefold().startswith("ip-adapter") for word in (_module(facts), facts.get("model", "")))


def _module(facts: Mapping[str, str]) -> str:
    return facts.get("module") or facts.get("preprocessor") or ""


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for match in FACT.finditer(text):
        yield plain(match[1]), match[2].strip()


def _control(facts: Mapping[str, str]) -> dict[str, Any] | None:
    """None of a unit without a model, such as one that only attends to a picture (reference_only)."""
    model = facts.get("model", "")
    name = shared_name((WITH_HASH.fullmatch(model) or [model, model])[1])
    if not name or name.casefold() == "none":
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
        "hint": _hint(_module(facts), name),
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
