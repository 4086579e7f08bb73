"""InvokeAI 3 and later: one flat JSON object, in its own chunk or inside of the graph."""

from __future__ import annotations

from typing import Any

from core.domain.imported import Imported
from core.metadata.carriers import Carried, json_object
from core.metadata.samplers import scheduler_of

TOOL = "invokeai"
CHUNK = "invokeai_metadata"
GRAPH = "invokeai_graph"

FIELDS = {
    "positive_prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "steps": "num_inference_steps",
    "cfg_scale": "guidance_scale",
    "strength": "strength",
    "seed": "seed",
}


def read(carried: Carried) -> Imported | None:
    metadata = json_object(carried.texts.get(CHUNK)) or _in_graph(json_object(carried.texts.get(GRAPH)))
    if not metadata or not any(name in metadata for name in FIELDS):
        return None
    rest = {name: value for name, value in metadata.items() if name not in FIELDS}
    found = {field: metadata.get(name) for name, field in FIELDS.items()}
    found["scheduler"] = _scheduler(metadata.get("scheduler"))
    if found["scheduler"]:
        del rest["scheduler"]
    size = (rest.pop("width"), rest.pop("height")) if "width" in rest and "height" in rest else None
    model = rest.get("model")
    if isinstance(model, dict):
        rest |= {"model": model.get("name") or model.get("model_name"), "model_details": model}
    return Imported.of(TOOL, found, size=size, raw=rest)


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
