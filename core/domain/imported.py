"""Imported: what a picture file says about how it was made, whichever tool wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.domain import instructions
from core.domain.errors import InvalidParams
from core.domain.params import MAX_PROMPT, MAX_STEPS, PARAMETERS, InpaintParams
from core.domain.shared_files import OF_FILES, shared_files

TOOLS = {
    "inpaint-studio": "Inpaint Studio",
    "invokeai": "InvokeAI",
    "comfyui": "ComfyUI",
    "fooocus": "Fooocus",
    "novelai": "NovelAI",
    "sdnext": "SD.Next",
    "a1111": "A1111, Forge or alike",
    "civitai": "Civitai",
    "swarmui": "SwarmUI",
    "drawthings": "Draw Things",
    "easydiffusion": "Easy Diffusion",
    "ruinedfooocus": "RuinedFooocus",
    "stabilitymatrix": "Stability Matrix",
    "tensorart": "TensorArt",
    "midjourney": "Midjourney",
    "json": "a tool that does not say its name",
    "openai": "OpenAI",
    "google": "Google",
    "adobe": "Adobe",
    "c2pa": "an image generator (content credentials)",
}
"""Keys of tools, and what a person calls them."""

PROMPTS = ("prompt", "negative_prompt")

MAX_RAW = 2**20
"""Characters of all that is kept as raw. Workflows of hundreds of nodes have a few hundred thousand."""

MAX_NUMBER_TEXT = 40
"""Digits. No tool's seed is longer, and numbers of thousands of digits are only sent to do harm."""

WHOLE_NUMBER = re.compile(rf"[0-9]{{1,{MAX_NUMBER_TEXT}}}")
SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Imported:
    """What could be read from a file, safe to store and to offer.

    tool: a key of TOOLS.
    params: fields of InpaintParams with values inside its limits; InpaintParams(**params) is always valid.
    seed_text: the seed as written, if it is a whole number too large for ours. size: width and height that the tool
    painted at. too_long: names of prompts that are longer than ours may be. record: our own record, as embedded, if
    the tool is ours. raw: all the rest as text, with the model's name as "model"; never with NUL or half characters,
    so that every database takes it.

    Raises InvalidParams if the params are not valid together.
    """

    tool: str
    params: Mapping[str, Any]
    seed_text: str | None = None
    size: tuple[int, int] | None = None
    too_long: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        InpaintParams(**self.params)

    @property
    def offer(self) -> dict[str, Any]:
        """What is offered to an artist who opens the picture: its tool, parameters, and what cannot be used."""
        return {
            "tool": self.tool,
            "params": dict(self.params),
            "model": self.raw.get("model"),
            "seed": self.seed_text,
            "too_long": list(self.too_long),
        }

    @property
    def refusals(self) -> tuple[str, ...]:
        """One sentence for each prompt that cannot be taken."""
        return tuple(f"{words[0].upper()}{words[1:]}." for words in map(describe_too_long, self.too_long))

    def filled_by(self, other: Imported) -> Imported:
        """With what only another text of the same file states."""
        stated = {name for name, value in self.params.items() if value != ""} | self.raw.keys()
        more = {name: value for name, value in other.params.items() if name not in stated}
        if _is_too_long_together({**self.params, **more}):
            more = {name: value for name, value in more.items() if name not in ("prompt", "instruction")}
        if not _leaves_a_step({**self.params, **more}):
            more.pop("strength", None)
        if not _leaves_a_step({**self.params, **more}):
            more.pop("num_inference_steps", None)
        has_seed = "seed" in stated or self.seed_text is not None
        return replace(
            self,
            params={**self.params, **more},
            seed_text=self.seed_text if has_seed else other.seed_text,
            size=self.size or other.size,
            too_long=self.too_long or tuple(name for name in other.too_long if name not in self.params),
            raw={**{name: text for name, text in other.raw.items() if name not in more}, **self.raw},
        )

    @classmethod
    def of(
        cls,
        tool: str,
        found: Mapping[str, Any],
        *,
        size: tuple[Any, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> Imported:
        """Sort what was found: valid values of our fields are params, everything else is kept as text.

        found: by names of InpaintParams, with the tool's own values, as numbers or as text; None where not said.
        size: as the tool says; its longer side is the working size if no other is found.
        """
        painted = _size(size)
        found = {"size": max(painted) if painted else None, **found}
        valid = {name: _valid(name, value) for name, value in found.items()}
        params = {name: value for name, value in valid.items() if value is not None}
        if _is_too_long_together(params):
            del params["instruction"]
        if not _leaves_a_step(params):
            del params["strength" if "strength" in params else "num_inference_steps"]
        refused = {k: v for k, v in found.items() if v is not None and v != "" and k not in params}
        seed = str(refused.get("seed", "")) if not isinstance(refused.get("seed"), bool) else ""
        kept = {**refused, **{k: v for k, v in (raw or {}).items() if v is not None}}
        if size is not None and painted is None:
            kept.setdefault("size", f"{size[0]}x{size[1]}")
        return cls(
            tool=tool,
            params=params,
            seed_text=seed if WHOLE_NUMBER.fullmatch(seed) else None,
            size=painted,
            too_long=tuple(name for name in PROMPTS if _is_too_long(name, refused.get(name))),
            record=record or {},
            raw={as_text(name): as_text(value) for name, value in kept.items()},
        )


def describe_too_long(name: str) -> str:
    return f"its {PARAMETERS[name].title.lower()} is longer than the {MAX_PROMPT:,} characters that are allowed"


def _is_too_long(name: str, value: Any) -> bool:
    return isinstance(value, str) and len(value) > MAX_PROMPT


def _is_too_long_together(params: Mapping[str, Any]) -> bool:
    """Whether an instruction is too long with the prompt in it, each of which is not."""
    return instructions.length(params.get("instruction", ""), params.get("prompt", "")) > MAX_PROMPT


def kept_raw(raw: Mapping[str, str]) -> dict[str, str]:
    """What of it a row can hold: the longest texts give way to a note on how long they were."""
    kept, room = dict(raw), MAX_RAW
    for name, text in sorted(raw.items(), key=lambda entry: len(entry[1])):
        room -= len(name) + len(text)
        if room < 0:
            kept[name] = f"left out: {len(text)} characters"
    return kept


def as_text(value: Any) -> str:
    """Text as it is, other values as JSON; without NUL and half characters, which databases refuse."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return SURROGATES.sub("\ufffd", text).replace("\x00", "\ufffd")


def _valid(name: str, value: Any) -> Any:
    """The value as the field takes it, or None if it takes none such."""
    if name in OF_FILES:
        return _named_alone(name, value)
    if name in PARAMETERS and isinstance(PARAMETERS[name].default, bool):
        return value if isinstance(value, bool) else None
    if name not in PARAMETERS or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(PARAMETERS[name].default, str) and not _is_number(value):
        return None
    # The smallest strength leaves no step of the default count; together they are checked afterwards.
    room = {"num_inference_steps": MAX_STEPS} if name == "strength" else {}
    try:
        return getattr(InpaintParams(**{**room, name: value}), name)
    except InvalidParams:
        return None


def _named_alone(name: str, value: Any) -> Any:
    """A stranger's file names no path of this machine."""
    try:
        shared = shared_files(InpaintParams(**{name: value}))[name]
        # Of a path that ends with a slash no name is left.
        InpaintParams(**{name: shared})
    except InvalidParams:
        return None
    return shared


def _is_number(value: str | int | float) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_NUMBER_TEXT
    return isinstance(value, float) or abs(value) < 10**MAX_NUMBER_TEXT


def _leaves_a_step(params: Mapping[str, Any]) -> bool:
    try:
        InpaintParams(**params)
    except InvalidParams:
        return False
    return True


def _size(size: tuple[Any, Any] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        width, height = (int(side) for side in size if not isinstance(side, str) or len(side) <= MAX_NUMBER_TEXT)
    except (ValueError, TypeError, OverflowError):
        return None
    return (width, height) if 0 < width < 2**31 and 0 < height < 2**31 else None
