"""The text of A1111, the common tongue: written by SD.Next, Forge, Fooocus (its second scheme) and many others too.

prompt LF "Negative prompt: " negative LF "Steps: 25, Sampler: Euler, ..."

What it cannot hold: blanks at the ends of a line, a prompt line that starts with "Negative prompt:", and which of two
equal spellings a value had. Therefore the truth travels in our own record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from core.domain.generation import Generation
from core.domain.imported import Imported
from core.metadata import ours
from core.metadata.carriers import MAX_TEXT, USER_COMMENT, Carried, json_object
from core.metadata.samplers import a1111_names, scheduler_of

CHUNK = "parameters"
NEGATIVE = "Negative prompt:"

# The length of a key is limited, or a long line without a colon would take time that grows with its square.
PAIR = re.compile(r'(\w[\w \-/]{1,60}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
MAX_LINE = 100_000
MIN_PAIRS = 3
"""A last line with fewer belongs to the prompt."""

FIELDS = {
    "Steps": "num_inference_steps",
    "CFG scale": "guidance_scale",
    "Seed": "seed",
    "Denoising strength": "strength",
    "Mask blur": "mask_feather_px",
}
SCHEDULES = ("Schedule type", "Scheduler", "Sampler sigma")
"""A1111, Fooocus, SD.Next."""


# Writing -------------------------------------------------------------------------------------------------------


def text_of(generation: Generation) -> str:
    params = generation.params
    negative = f"\n{NEGATIVE} {params.negative_prompt}" if params.negative_prompt else ""
    return f"{params.prompt}{negative}\n{_line(_pairs_of(generation))}".strip()


def _pairs_of(generation: Generation) -> dict[str, Any]:
    params, record = generation.params, generation.record
    ran = record.get("inpainter", {}).get("scheduler", {})
    sampler, schedule = a1111_names(params.scheduler, ran)
    working = record.get("working_size")
    version = ours.version_of(generation)
    return {
        "Steps": params.num_inference_steps,
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": _number(params.guidance_scale),
        "Seed": params.seed,
        "Size": f"{working[0]}x{working[1]}" if working else None,
        "Model": ours.shared_model(generation),
        "Denoising strength": _number(params.strength),
        "Mask blur": params.mask_feather_px,
        "Inpaint area": "Only masked",
        "Masked area padding": params.crop_padding_px,
        # Without it A1111 assumes the noise of a graphics card.
        "RNG": "CPU",
        "Version": f"{ours.PROGRAM} {version}" if version else ours.PROGRAM,
    }


def _line(pairs: Mapping[str, Any]) -> str:
    written = {key: _quoted(str(value)) for key, value in pairs.items() if value is not None}
    return ", ".join(key if key == value else f"{key}: {value}" for key, value in written.items())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if any(c in text for c in ",:\n") else text


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value


# Reading -------------------------------------------------------------------------------------------------------


def read(carried: Carried) -> Imported | None:
    """EXIF before the chunk, as A1111 does it. Comments of cameras and editors do not have the line of pairs."""
    for text in (carried.exif(USER_COMMENT), carried.texts.get("comment")):
        if text and parse(text)[2]:
            return imported_from(text, carried)
    text = carried.texts.get(CHUNK, "")
    return imported_from(text, carried) if text.strip() and json_object(text) is None else None


def imported_from(text: str, carried: Carried) -> Imported:
    prompt, negative, pairs = parse(text)
    found: dict[str, Any] = {"prompt": prompt or None, "negative_prompt": negative or None}
    found |= {field: pairs.pop(key) for key, field in FIELDS.items() if key in pairs}
    if pairs.get("Inpaint area") == "Only masked" and "Masked area padding" in pairs:
        found["crop_padding_px"] = pairs.pop("Masked area padding")
    found["scheduler"] = scheduler_of(pairs.get("Sampler"), next((pairs[k] for k in SCHEDULES if k in pairs), None))
    if found["scheduler"]:
        for key in ("Sampler", *SCHEDULES):
            pairs.pop(key, None)
    size = SIZE.fullmatch(pairs.get("Size", ""))
    if size:
        del pairs["Size"]
    raw = {"model" if key == "Model" else key: value for key, value in pairs.items()}
    return Imported.of(_tool(pairs, carried), found, size=size.groups() if size else None, raw=raw)


def parse(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt, and the pairs of the last line: none if it has fewer than three."""
    *lines, last = text[:MAX_TEXT].strip().split("\n")
    pairs = PAIR.findall(last) if len(last) <= MAX_LINE else []
    if len(pairs) < MIN_PAIRS:
        lines, pairs = [*lines, last], []
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for line in lines:
        line = line.strip()
        if line.startswith(NEGATIVE):
            current, line = negative, line.removeprefix(NEGATIVE).strip()
        # A first line that is empty leaves no trace, as in A1111's own reader.
        if current or line:
            current.append(line)
    return "\n".join(prompt), "\n".join(negative), {key.strip(): _unquoted(value) for key, value in pairs}


def _unquoted(text: str) -> str:
    text = text.strip()
    if not text.startswith('"') or not text.endswith('"'):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _tool(pairs: Mapping[str, str], carried: Carried) -> str:
    if pairs.get("App") == "SD.Next":
        return "sdnext"
    is_fooocus = (
        "fooocus_scheme" in carried.texts
        or pairs.get("Version", "").startswith("Fooocus")
        or (carried.exif("Software") or "").startswith("Fooocus")
    )
    return "fooocus" if is_fooocus else "a1111"
