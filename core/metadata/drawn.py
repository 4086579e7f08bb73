"""A graph of ComfyUI as it was drawn, made into one as it is run: all that some pictures carry.

A drawn node keeps the values of its fields in a list. Which is which its inputs say in files of late; in older ones
only those that are linked are named, so that the fields of the nodes that count are known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FIELDS: Mapping[str, tuple[str, ...]] = {
    "KSampler": ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "add_noise",
        "noise_seed",
        "steps",
        "cfg",
        "sampler_name",
        "scheduler",
        "start_at_step",
        "end_at_step",
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"),
    "RandomNoise": ("noise_seed",),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CFGGuider": ("cfg",),
    "FluxGuidance": ("guidance",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "EmptyLatentImage": ("width", "height"),
    "EmptySD3LatentImage": ("width", "height"),
    "VAEEncodeForInpaint": ("grow_mask_by",),
    "StringConcatenate": ("string_a", "string_b", "delimiter"),
}
VALUE = ("PrimitiveNode", "PrimitiveInt", "PrimitiveFloat", "PrimitiveString", "PrimitiveStringMultiline")

AFTER_A_SEED = frozenset({"fixed", "increment", "decrement", "randomize"})
"""What to do with a seed after a run: a value of its own, behind it."""

MUTED, BYPASSED = 2, 4
MAX_NODES = 5_000


def as_run(workflow: Mapping[str, Any]) -> dict[str, Any] | None:
    """Nodes by id, as in the graph that is run; None if this is no drawing."""
    nodes, links = workflow.get("nodes"), workflow.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list) or not 0 < len(nodes) <= MAX_NODES:
        return None
    sources = dict(filter(None, map(_source, links)))
    drawn = [node for node in nodes if isinstance(node, dict) and isinstance(node.get("type"), str) and "id" in node]
    return {str(node["id"]): _node(node, sources) for node in drawn if node.get("mode") != MUTED}


def _source(link: Any) -> tuple[str, list[Any]] | None:
    """A link's id, and the node and slot that it comes from."""
    if isinstance(link, dict):
        link = [link.get(name) for name in ("id", "origin_id", "origin_slot")]
    if not isinstance(link, list) or len(link) < 3 or not isinstance(link[2], int):
        return None
    return str(link[0]), [str(link[1]), link[2]]


def _node(node: Mapping[str, Any], sources: Mapping[str, list[Any]]) -> dict[str, Any]:
    # What is bypassed hands on what it is given, and does nothing itself.
    kind, values = ("Bypassed", {}) if node.get("mode") == BYPASSED else (node["type"], dict(_values(node)))
    for name, given in _inputs(node):
        source = sources.get(str(given.get("link")))
        if source is not None:
            values[name] = source
    return {"class_type": kind, "inputs": values}


def _values(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    values = node.get("widgets_values")
    if isinstance(values, dict):
        yield from ((str(name), value) for name, value in values.items())
    if not isinstance(values, list):
        return
    names = list(_names(node))
    for value in values:
        if not names:
            return
        if isinstance(value, str) and value in AFTER_A_SEED:
            continue
        yield names.pop(0), value


def _names(node: Mapping[str, Any]) -> Iterator[str]:
    kind = node["type"]
    if kind in FIELDS:
        yield from FIELDS[kind]
    elif kind in VALUE:
        yield "value"
    else:
        yield from (name for name, given in _inputs(node) if isinstance(given.get("widget"), dict))


def _inputs(node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inputs = node.get("inputs")
    for given in inputs if isinstance(inputs, list) else ():
        if isinstance(given, dict) and isinstance(given.get("name"), str):
            yield given["name"], given
