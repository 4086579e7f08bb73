"""The text of A1111, the common tongue: written by SD.Next, Forge, Fooocus (its second scheme) and many others too.

prompt LF "Negative prompt: " negative LF "Steps: 25, Sampler: Euler, ..."

What it cannot hold: blanks at the ends of a line, a prompt line that starts with "Negative prompt:", and which of two
equal spellings a value had. Therefore the truth travels in our own record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.domain.embedding import MAX_EMBEDDINGS, words_in
from core.domain.generation import Generation
from core.domain.imported import Imported
from core.domain.lora import shared_name
from core.domain.model_file import ENDING
from core.domain.record import RanFile
from core.metadata import a1111_controls, ours
from core.metadata.carriers import PARAMETERS, Carried
from core.metadata.flat import plain, size_of
from core.metadata.json_text import MAX_TEXT, json_object
from core.metadata.samplers import a1111_names, scheduler_of

CHUNK = PARAMETERS

NEGATIVE = "Negative prompt:"

# The length of a key is limited, or a long line without a colon would take time that grows with its square.
KEY = re.compile(r"(\w[\w \-/]{1,60}):\s*")
QUOTED = re.compile(r'("(?:\\.|[^\\"])+")\s*(?=,|$)')
AFTER_VALUE = re.compile(r"\s*(?:,|$)")
IN_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{(]|[\]})]')
OPENING, CLOSING = ("[", "{", "("), ("]", "}", ")")
FIRST = re.compile(r"\s*Steps:", re.IGNORECASE)
FIRST_WITHIN = re.compile(r"(?<=[\s,])Steps: *\d", re.IGNORECASE)
MAX_LINE = 100_000
MAX_VALUE = 20_000
MOST_LINES = 20
"""That begin with "Steps:" and are looked at, from the last one on."""

MOST_UNCLOSED = 20
"""Values of one line that may begin with a bracket which is never closed."""

MIN_PAIRS = 3
"""A line with fewer belongs to the prompt."""

FIELDS = {
    "steps": "num_inference_steps",
    "cfgscale": "guidance_scale",
    "guidancescale": "guidance_scale",
    "cfg": "guidance_scale",
    "seed": "seed",
    "denoisingstrength": "strength",
    "denoising": "strength",
    "strength": "strength",
    "maskblur": "mask_feather_px",
    "clipskip": "clip_skip",
}
SCHEDULES = ("scheduletype", "scheduler", "samplersigma")
"""A1111, Fooocus, SD.Next. Keys without their spelling: "CFG Scale", "CFGScale" and "cfg_scale" are one."""

PASSES = ("hires", "firstpass", "secondpass")
"""With one of these the denoising is that of a second pass over the whole picture, and nothing was painted over."""

RAW_PROMPTS = {"Raw prompt": "prompt", "Raw negative prompt": "negative_prompt"}
RESOURCES = "Civitai resources"
HASHES = "Hashes"
EMBEDDING_HASHES = "TI hashes"
AUTOV2, OF_EMBEDDING = 10, 12
"""Digits of a sha256: what Civitai finds a file by, and what A1111 writes of an embedding."""

LORAS = ("lora", "locon", "lycoris", "dora")


# Writing -------------------------------------------------------------------------------------------------------


def text_of(generation: Generation, *, longest: int | None = None) -> str:
    """longest: characters of each prompt, of which the rest is left out; None: all."""
    # A1111 knows no other way to name a LoRA.
    loras = (lora.model_copy(update={"name": shared_name(lora.name)}) for lora in generation.params.loras)
    tags = "".join(f" {lora.tag}" for lora in loras)
    prompt, negative = (
        _cut(text, longest) for text in (generation.params.full_prompt, generation.params.negative_prompt)
    )
    prompt += tags
    negative = f"\n{NEGATIVE} {negative}" if negative else ""
    return f"{prompt}{negative}\n{_line(_pairs_of(generation))}".strip()


def _cut(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else f"{text[:longest]} ..."


def _pairs_of(generation: Generation) -> dict[str, Any]:
    params, record = generation.params, generation.record
    version = f"{ours.PROGRAM} {ours.version_of(generation)}"
    if params.upscale:
        # As its tab Extras writes them.
        return {
            "Size": f"{generation.width}x{generation.height}",
            "Postprocess upscale by": params.upscale.factor,
            "Postprocess upscaler": ours.upscaler_name(params.upscale.method),
            "Version": version,
        }
    sampler, schedule = a1111_names(params.scheduler, record.inpainter.scheduler)
    working = record.working_size
    return {
        "Steps": params.num_inference_steps,
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": _number(params.guidance_scale),
        "Seed": params.seed,
        "Size": f"{working.width}x{working.height}" if working else None,
        "Model": ours.shared_model(generation),
        "Denoising strength": _number(params.strength),
        "Mask blur": params.mask_feather_px,
        "Inpaint area": "Only masked",
        "Masked area padding": params.crop_padding_px,
        **_vae(record.inpainter.vae),
        "Clip skip": params.clip_skip if params.clip_skip > 1 else None,
        "Lora hashes": _hashes(record.inpainter.loras, AUTOV2),
        EMBEDDING_HASHES: _hashes(record.inpainter.embeddings, OF_EMBEDDING),
        **a1111_controls.written(params, record.inpainter.controlnet, record.inpainter.ip_adapter),
        # Without it A1111 assumes the noise of a graphics card.
        "RNG": "CPU",
        "Version": version,
    }


def _vae(chosen: Sequence[RanFile]) -> dict[str, str]:
    if not chosen:
        return {}
    return {"VAE hash": _hash(chosen[0], AUTOV2), "VAE": f"{chosen[0].name}{ENDING}"}


def _hashes(files: Sequence[RanFile], digits: int) -> str | None:
    return ", ".join(f"{one.name}: {_hash(one, digits)}" for one in files) or None


def _hash(file: RanFile, digits: int) -> str:
    """As A1111 writes it: of the bytes of the file, cut to so many digits."""
    return file.sha256.removeprefix("sha256:")[:digits]


def _line(pairs: Mapping[str, Any]) -> str:
    written = {key: _quoted(str(value)) for key, value in pairs.items() if value is not None}
    return ", ".join(key if key == value else f"{key}: {value}" for key, value in written.items())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if any(c in text for c in ",:\n") else text


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value


# Reading -------------------------------------------------------------------------------------------------------


def read(carried: Carried) -> Imported | None:
    """EXIF before the chunk, as A1111 does it. Captions and comments of cameras do not have the line of settings."""
    text = next((text for text in carried.spoken if parse(text).pairs), carried.texts.get(CHUNK, ""))
    return imported_from(text, carried) if text.strip() and json_object(text) is None else None


def imported_from(text: str, carried: Carried) -> Imported:
    parsed = parse(text)
    if (carried.texts.get("xmp:CreatorTool") or "").startswith("Draw Things"):
        parsed = _of_draw_things(parsed)
    pairs = dict(parsed.pairs)
    names = {plain(key): key for key in reversed(pairs)}
    found: dict[str, Any] = {"prompt": parsed.prompt or None, "negative_prompt": parsed.negative or None}
    for raw_prompt, field in RAW_PROMPTS.items():
        # Fooocus: what was written, rather than what its styles made of it.
        if pairs.get(raw_prompt):
            found[field] = pairs.pop(raw_prompt)
    has_passes = any(name.startswith(PASSES) for name in names)
    for name, field in FIELDS.items():
        if name in names and field not in found and not (field == "strength" and has_passes):
            found[field] = pairs.pop(names[name])
    if pairs.get("Inpaint area") == "Only masked" and "Masked area padding" in pairs:
        found["crop_padding_px"] = pairs.pop("Masked area padding")
    schedules = [pairs[names[name]] for name in SCHEDULES if name in names]
    found["scheduler"] = scheduler_of(pairs.get(names.get("sampler", "")), next(iter(schedules), None))
    if found["scheduler"]:
        pairs = {key: value for key, value in pairs.items() if plain(key) not in ("sampler", *SCHEDULES)}
    found["embeddings"] = words_in(f"{parsed.prompt}\n{parsed.negative}", _embeddings(pairs)) or None
    # The lines themselves stay beside it: they also hold a hash, and settings of preprocessors.
    found |= a1111_controls.read(pairs)
    if pairs.get("VAE", "").endswith(ENDING):
        found["vae"] = shared_name(pairs.pop("VAE"))
    size = size_of(pairs[names["size"]]) if "size" in names else None
    if size:
        del pairs[names["size"]]
    raw = {"model" if key == "Model" else key: value for key, value in pairs.items()}
    raw |= {name: value for name, value in _resources(pairs).items() if name not in raw}
    if parsed.after:
        raw["after"] = parsed.after
    return Imported.of(_tool(pairs, carried), found, size=size, raw=raw)


def _of_draw_things(parsed: ParsedText) -> ParsedText:
    """Its description writes the negative prompt behind a dash, and a strength for every picture."""
    prompt, _, negative = parsed.prompt.partition("\n-")
    pairs = {key: value for key, value in parsed.pairs.items() if key != "Strength" or not value.startswith("1")}
    return ParsedText(prompt, parsed.negative or negative, pairs, parsed.after)


@dataclass(frozen=True, slots=True)
class ParsedText:
    """What a text says. pairs: of the line of settings, empty if there is none. after: the lines behind it."""

    prompt: str
    negative: str
    pairs: Mapping[str, str]
    after: str = ""


def parse(text: str) -> ParsedText:
    """The last line that begins with "Steps:" holds the settings; without such a line the last one may."""
    lines = text[:MAX_TEXT].strip("\x00").strip().split("\n")
    begins = [number for number, line in enumerate(lines) if FIRST.match(line)]
    for number in reversed(begins[-MOST_LINES:] or [len(lines) - 1]):
        if pairs := pairs_of(lines[number]):
            return ParsedText(*_prompts(lines[:number]), pairs, "\n".join(lines[number + 1 :]).strip())
    return _in_one_line(lines) or ParsedText(*_prompts(lines), {})


def _in_one_line(lines: Sequence[str]) -> ParsedText | None:
    """Some pages hand the whole on as one line, with the settings at its end."""
    *before, line = lines
    begins = [match.start() for match in FIRST_WITHIN.finditer(line)]
    pairs = pairs_of(line[begins[-1] :]) if begins else {}
    if not pairs:
        return None
    words = line[: begins[-1]].replace(f" {NEGATIVE}", f"\n{NEGATIVE}")
    return ParsedText(*_prompts([*before, *words.split("\n")]), pairs)


def _prompts(lines: Sequence[str]) -> tuple[str, str]:
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
    return "\n".join(prompt), "\n".join(negative)


def pairs_of(line: str) -> dict[str, str]:
    """The settings of a line; none if they do not say the steps, and a seed or a sampler: then it is no such line."""
    if len(line) > MAX_LINE:
        return {}
    pairs: dict[str, str] = {}
    at, left = 0, MOST_UNCLOSED
    while found := KEY.search(line, at):
        value, at, is_closed = _value(line, found.end(), left > 0)
        left -= not is_closed
        pairs.setdefault(found[1].strip(), value)
    names = {plain(key) for key in pairs}
    is_settings = len(pairs) >= MIN_PAIRS and "steps" in names and ("seed" in names or "sampler" in names)
    return pairs if is_settings else {}


def _value(line: str, at: int, may_have_brackets: bool) -> tuple[str, int, bool]:
    """The value that begins here, and where it ends: quoted, in brackets, or up to the next comma. Not closed: a
    bracket that would have to be looked for again and again."""
    if quoted := QUOTED.match(line, at):
        return _unquoted(quoted[1]), quoted.end(), True
    is_closed = True
    if may_have_brackets and line[at : at + 1] in OPENING:
        end = _closing(line, at)
        if end is not None:
            return line[at:end], end, True
        is_closed = False
    comma = line.find(",", at)
    end = len(line) if comma < 0 else comma
    return line[at:end].strip(), end, is_closed


def _closing(line: str, at: int) -> int | None:
    """Where the bracket that opens here is closed, and the value with it; None if not within MAX_VALUE characters."""
    depth = 0
    for token in IN_BRACKETS.finditer(line, at, at + MAX_VALUE):
        depth += 1 if token[0] in OPENING else -1 if token[0] in CLOSING else 0
        if depth == 0:
            return token.end() if AFTER_VALUE.match(line, token.end()) else None
    return None


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _resources(pairs: Mapping[str, str]) -> dict[str, str]:
    """Civitai's list of what was used: the checkpoint and the LoRAs, by their names."""
    listed = (json_object(f'{{"all": {pairs.get(RESOURCES, "[]")}}}') or {}).get("all")
    used = [
        (str(item.get("type")).lower(), item["modelName"], item.get("weight"))
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict) and isinstance(item.get("modelName"), str)
    ]
    model = next((name for kind, name, _ in used if kind in ("checkpoint", "model")), "")
    loras = [name if weight is None else f"{name}: {weight}" for kind, name, weight in used if kind in LORAS]
    return {key: text for key, text in (("model", model), ("LoRAs", ", ".join(loras))) if text}


def _embeddings(pairs: Mapping[str, str]) -> list[str]:
    """Names of the embeddings in the prompts: "one: hash, two: hash", or an object; in Hashes as "embed:one"."""
    said = pairs.get(EMBEDDING_HASHES, "")
    listed = json_object(said)
    names = list(listed) if listed else [part.rpartition(":")[0].strip() for part in said.split(",")]
    names += [name.removeprefix("embed:") for name in json_object(pairs.get(HASHES, "")) or () if "embed:" in name]
    return list(dict.fromkeys(name for name in names if name))[:MAX_EMBEDDINGS]


def _tool(pairs: Mapping[str, str], carried: Carried) -> str:
    if pairs.get("App") == "SD.Next":
        return "sdnext"
    if (carried.texts.get("xmp:CreatorTool") or "").startswith("Draw Things"):
        return "drawthings"
    is_fooocus = (
        "fooocus_scheme" in carried.texts
        or pairs.get("Version", "").startswith("Fooocus")
        or (carried.exif("Software") or "").startswith("Fooocus")
    )
    return "fooocus" if is_fooocus else "a1111"
