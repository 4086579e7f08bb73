"""Flat JSON objects, in which most tools write their settings: one table of names, and what each tool is known by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.imported import Imported
from core.metadata.carriers import Carried
from core.metadata.samplers import scheduler_of

NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "positiveprompt", "positive", "textprompts", "c"),
    "negative_prompt": ("negativeprompt", "negativeprompts", "negative", "uc"),
    "seed": ("seed", "noiseseed"),
    "num_inference_steps": ("numinferencesteps", "steps", "numsteps", "samplingsteps"),
    "guidance_scale": ("cfgscale", "guidancescale", "cfg", "guidance", "scale"),
    "sampler": ("sampler", "samplername"),
    "schedule": ("scheduler", "scheduletype", "schedule", "noiseschedule"),
    "width": ("width",),
    "height": ("height",),
    "size": ("size", "resolution"),
    "model": (
        "model",
        "modelname",
        "usestablediffusionmodel",
        "stablediffusionmodel",
        "basemodelname",
        "basemodel",
        "checkpoint",
        "ckptname",
        "ckpt",
    ),
}
"""Our names with theirs, in small letters without what stands between their words. Of several for the same the first
that says anything counts. Of a strength only its tool can say what it is."""

NO_LETTER = re.compile(r"[\W_]+")
SIZE = re.compile(r"\(?\s*(\d{1,6})\s*[x×,*]\s*(\d{1,6})\s*\)?(?:\s.*)?", re.DOTALL)
MODEL_NAMES = ("name", "modelname", "model", "modelfilename", "label")
NUMBERS = ("seed", "num_inference_steps", "guidance_scale")


def plain(name: str) -> str:
    """A name without the spelling: "CFG Scale", "cfg_scale" and "cfgScale" are one."""
    return NO_LETTER.sub("", name).lower()


def size_of(text: Any) -> tuple[str, str] | None:
    """Width and height in a text such as 512x768, (512, 768) or 512 × 768."""
    found = SIZE.fullmatch(str(text)[:60].strip())
    return (found[1], found[2]) if found else None


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """What these values say, by our names."""
    return {field: values[name] for field, name in _chosen(values).items()}


def _chosen(values: Mapping[str, Any]) -> dict[str, str]:
    """For each of our names the one of theirs that says it."""
    said: dict[str, str] = {}
    for name, value in values.items():
        if value is not None and value != "":
            said.setdefault(plain(str(name)[:60]), name)
    chosen = {field: next((said[name] for name in names if name in said), None) for field, names in NAMES.items()}
    return {field: name for field, name in chosen.items() if name is not None}


def is_generation(values: Mapping[str, Any]) -> bool:
    """Whether these are settings of a generation: a prompt, and at least one number that only such a tool has."""
    found = known(values)
    return isinstance(found.get("prompt"), str) and any(name in found for name in NUMBERS)


def imported(tool: str, values: Mapping[str, Any], *, strength: Any = None, model: Any = None) -> Imported:
    """strength: where these values say it of an inpainting. model: the name, where it does not stand among them."""
    chosen = _chosen(values)
    found = {field: values[name] for field, name in chosen.items()}
    size = size_of(found.get("size")) or (
        (found["width"], found["height"]) if {"width", "height"} <= found.keys() else None
    )
    scheduler = scheduler_of(found.get("sampler"), found.get("schedule"))
    fields = {name: found.get(name) for name in ("prompt", "negative_prompt", *NUMBERS)}
    taken = {"model", *fields}
    taken |= {"sampler", "schedule"} if scheduler else set()
    taken |= {"width", "height", "size"} if size else set()
    told = {name for field, name in chosen.items() if field in taken}
    raw = {str(name): value for name, value in values.items() if name not in told}
    raw["model"] = model or _name_of(found.get("model"))
    return Imported.of(tool, {**fields, "scheduler": scheduler, "strength": strength}, size=size, raw=raw)


def _name_of(model: Any) -> Any:
    """Some tools keep a model as an object with its name and hash."""
    if isinstance(model, Mapping):
        named = {plain(str(key)): value for key, value in model.items()}
        return next((named[key] for key in MODEL_NAMES if key in named), model)
    return model


Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """known: whether an object of this name is its. inner: where in it the settings stand. strength: what they say of
    an inpainting. model: its name, if it stands elsewhere."""

    key: str
    is_its: Callable[[str, Values], bool]
    inner: Callable[[Values], Any] = lambda values: values
    strength: Callable[[Values], Any] = lambda values: None
    model: Callable[[Values], Any] = lambda values: None


def _below_one(name: str) -> Callable[[Values], Any]:
    """A strength that is written for every picture, and is 1 where nothing was painted over."""
    return lambda values: v if isinstance(v := values.get(name), int | float) and v < 1 else None


def _has(*names: str) -> Callable[[str, Values], bool]:
    return lambda name, values: set(names) <= values.keys()


TENSORART_CHUNK = "generation_data"
CHUNKS = frozenset(
    {
        TENSORART_CHUNK,
        "parameters-json",
        "negative_prompt",
        "seed",
        "num_inference_steps",
        "guidance_scale",
        "sampler_name",
        "width",
        "height",
        "use_stable_diffusion_model",
    }
)

TOOLS: tuple[Tool, ...] = (
    Tool(
        "swarmui",
        lambda name, values: isinstance(values.get("sui_image_params"), Mapping),
        inner=lambda values: values["sui_image_params"],
        strength=lambda values: values.get("initimagecreativity"),
    ),
    Tool("ruinedfooocus", lambda name, values: values.get("software") == "RuinedFooocus"),
    Tool(
        "tensorart",
        lambda name, values: name == TENSORART_CHUNK or isinstance(values.get("baseModel"), Mapping),
        model=lambda values: _name_of(values.get("baseModel")),
    ),
    Tool("stabilitymatrix", _has("PositivePrompt", "Steps")),
    Tool(
        "drawthings",
        lambda name, values: isinstance(values.get("c"), str) and {"scale", "steps"} <= values.keys(),
        strength=_below_one("strength"),
    ),
    Tool("easydiffusion", _has("use_stable_diffusion_model"), strength=lambda values: values.get("prompt_strength")),
    Tool("easydiffusion", _has("Stable Diffusion model"), strength=lambda values: values.get("Prompt Strength")),
)


def read(carried: Carried) -> Imported | None:
    for tool in TOOLS:
        for name, values in carried.objects:
            if tool.is_its(name, values) and known(inner := tool.inner(values)):
                return imported(tool.key, inner, strength=tool.strength(inner), model=tool.model(inner))
    # Easy Diffusion gives each value a chunk of its own.
    texts = {name: text for name, text in carried.texts.items() if not name.startswith(("exif:", "xmp:"))}
    if any(plain(name) in ("usestablediffusionmodel", "stablediffusionmodel") for name in texts):
        strength = next((text for name, text in texts.items() if plain(name) == "promptstrength"), None)
        return imported("easydiffusion", texts, strength=strength)
    return None


def read_any(carried: Carried) -> Imported | None:
    """Settings in JSON of a tool that does not say its name."""
    for _, values in carried.objects:
        if is_generation(values):
            return imported("json", values)
    return None
