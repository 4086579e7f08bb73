"""InvokeAI: one flat JSON object since version 3, in its own chunk or inside of the graph; and what 1 and 2 wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.domain.imported import Imported
from core.metadata import flat
from core.metadata.carriers import Carried
from core.metadata.samplers import scheduler_of

TOOL = "invokeai"
CHUNK = "invokeai_metadata"
GRAPH = "invokeai_graph"
SD_METADATA = "sd-metadata"
DREAM = "Dream"

FIELDS = {
    "positive_prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "steps": "num_inference_steps",
    "cfg_scale": "guidance_scale",
    "strength": "strength",
    "seed": "seed",
}


def read(carried: Carried) -> Imported | None:
    metadata = carried.named(CHUNK) or _in_graph(carried.named(GRAPH)) or _unnamed(carried)
    if metadata and any(name in metadata for name in FIELDS):
        return _imported(metadata)
    return _of_version_2(carried) or _of_version_1(carried.texts.get(DREAM, ""))


def _imported(metadata: Mapping[str, Any]) -> Imported:
    rest = {name: value for name, value in metadata.items() if name not in FIELDS}
    found = {field: metadata.get(name) for name, field in FIELDS.items()}
    if "txt2img" in str(metadata.get("generation_mode")):
        # Nothing was painted over, whatever the form said.
        rest["strength"] = found.pop("strength")
    if type(rest.get("clip_skip")) is int:
        # It counts from 0 on.
        found["clip_skip"] = rest.pop("clip_skip") + 1
    found["scheduler"] = _scheduler(metadata.get("scheduler"))
    if found["scheduler"]:
        del rest["scheduler"]
    size = (rest.pop("width"), rest.pop("height")) if "width" in rest and "height" in rest else None
    model = rest.get("model")
    if isinstance(model, dict):
        rest |= {"model": model.get("name") or model.get("model_name"), "model_details": model}
    return Imported.of(TOOL, found, size=size, raw=rest)


def _unnamed(carried: Carried) -> dict[str, Any] | None:
    """Pasted, or put elsewhere by a program that changed the file's format."""
    return next((value for _, value in carried.objects if "positive_prompt" in value and "cfg_scale" in value), None)


def _in_graph(graph: dict[str, Any] | None) -> dict[str, Any] | None:
    nodes = (graph or {}).get("nodes")
    if not isinstance(nodes, dict):
        return None
    cores = (node for name, node in nodes.items() if name.startswith("core_metadata") and isinstance(node, dict))
    return next(cores, None)


def _scheduler(name: Any) -> str | None:
    """Its names end in _k where the noise schedule is Karras'."""
    if not isinstance(name, str):
        return None
    return scheduler_of(name.removesuffix("_k"), "karras" if name.endswith("_k") else None)


# Version 2: "sd-metadata".
def _of_version_2(carried: Carried) -> Imported | None:
    for name, metadata in carried.objects:
        image = metadata.get("image")
        if isinstance(image, dict) and (name == SD_METADATA or "app_id" in metadata or "model_weights" in metadata):
            prompt, negative = _both(_joined(image.get("prompt")))
            values = {**image, "prompt": prompt, "negative_prompt": image.get("negative_prompt") or negative or None}
            model = metadata.get("model_weights") or metadata.get("model")
            strength = image.get("strength") if image.get("type") in ("img2img", "inpaint") else None
            return flat.imported(TOOL, values, strength=strength, model=model)
    return None


def _joined(prompt: Any) -> str:
    """A prompt is a text, or a list of texts with weights."""
    parts = prompt if isinstance(prompt, list) else [prompt]
    texts = (part.get("prompt") if isinstance(part, dict) else part for part in parts)
    return ", ".join(text for text in texts if isinstance(text, str))


# Version 1: "Dream", the words of a command.
COMMAND = re.compile(r'\s*"((?:[^"\\]|\\.)*)"(.*)', re.DOTALL)
OPTION = re.compile(r"(?:^|\s)(--[a-z_]{2,30}|-[A-Za-z])(?:[\s=]+(?=[^\s-]|-\d)|(?=\d))(\S+)")
OPTIONS = {
    "-s": "steps",
    "--steps": "steps",
    "-S": "seed",
    "--seed": "seed",
    "-C": "cfg_scale",
    "--cfg_scale": "cfg_scale",
    "-A": "sampler",
    "--sampler": "sampler",
    "-W": "width",
    "--width": "width",
    "-H": "height",
    "--height": "height",
    "-f": "strength",
    "--strength": "strength",
}
NEGATIVE = re.compile(r"\[([^\[\]]*)\]")


def _of_version_1(command: str) -> Imported | None:
    said = COMMAND.fullmatch(command.strip("\x00 \r\n"))
    if not said:
        return None
    prompt, negative = _both(said[1].replace('\\"', '"'))
    given = {OPTIONS.get(option, option): value for option, value in reversed(OPTION.findall(said[2]))}
    values = {"prompt": prompt, "negative_prompt": negative or None, **given}
    strength = values.pop("strength", None)
    return flat.imported(TOOL, values, strength=strength) if flat.is_generation(values) else None


def _both(prompt: str) -> tuple[str, str]:
    """Words in [square brackets] were those that should not appear."""
    negative = ", ".join(part.strip(" ,") for part in NEGATIVE.findall(prompt) if part.strip(" ,"))
    return (re.sub(" {2,}", " ", NEGATIVE.sub(" ", prompt)).strip(" ,") if negative else prompt), negative
