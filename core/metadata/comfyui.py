"""ComfyUI: the graph that was run. The settings stand at the sampler that is nearest to the saved picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.imported import Imported
from core.metadata.carriers import Carried, json_object
from core.metadata.samplers import scheduler_of

TOOL = "comfyui"
CHUNK = "prompt"
"""The graph as it was run; "workflow" is the same as drawn and is only kept."""

MAX_NODES = 5_000
MAX_HOPS = 16

OUTPUTS = ("Save", "Preview")
VALUES = ("value", "seed", "noise_seed", "int", "float", "number", "text", "string", "string_a", "prompt")
"""Inputs under which nodes that only pass a value on hold it."""

TEXTS = ("text", "text_g", "t5xxl", "clip_l", "prompt")
PARTS = ("noise", "guider", "sampler", "sigmas")
"""The custom samplers spread their settings over these nodes."""

MODELS = ("ckpt_name", "unet_name", "model_name")

Inputs = Mapping[str, Any]


def read(carried: Carried) -> Imported | None:
    graph = _Graph.of(json_object(carried.texts.get(CHUNK)))
    settings = graph.settings() if graph else None
    if not settings:
        return None
    latent = settings.get("latent_image", settings.get("latent"))
    found = {
        "prompt": graph.text(settings.get("positive", settings.get("conditioning")), "positive"),
        "negative_prompt": graph.text(settings.get("negative"), "negative"),
        "scheduler": scheduler_of(graph.value(settings, "sampler_name"), graph.value(settings, "scheduler")),
        "num_inference_steps": graph.value(settings, "steps"),
        "guidance_scale": graph.value(settings, "cfg"),
        "strength": graph.value(settings, "denoise"),
        "seed": graph.value(settings, "seed" if "seed" in settings else "noise_seed"),
        "mask_grow_px": graph.nearest(latent, ("grow_mask_by",), int),
    }
    raw = {
        "model": next((name for key in MODELS if (name := graph.nearest(settings.get("model"), (key,), str))), None),
        "sampler_name": None if found["scheduler"] else graph.value(settings, "sampler_name"),
        "scheduler": None if found["scheduler"] else graph.value(settings, "scheduler"),
    }
    return Imported.of(TOOL, found, size=graph.size(latent), raw=raw)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Nodes by id: {"class_type": ..., "inputs": {name: value or [id, slot]}}. Graphs of strangers may have cycles."""

    nodes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, graph: dict[str, Any] | None) -> _Graph | None:
        nodes = {
            id: node
            for id, node in (graph or {}).items()
            if isinstance(node, dict)
            and isinstance(node.get("class_type"), str)
            and isinstance(node.get("inputs"), dict)
        }
        return cls(nodes) if 0 < len(nodes) <= MAX_NODES else None

    def settings(self) -> Inputs:
        """The inputs of the sampler, and of the nodes that hold its parts."""
        saved = [id for id, node in self.nodes.items() if any(word in node["class_type"] for word in OUTPUTS)]
        for inputs in [*self.upstream(saved), *(node["inputs"] for node in self.nodes.values())]:
            if {"steps", "sampler_name"} <= inputs.keys() or {"sigmas", "sampler"} <= inputs.keys():
                parts = [self.inputs(inputs.get(part)) for part in PARTS]
                return {name: value for part in [*parts, inputs] for name, value in part.items()}
        return {}

    def inputs(self, link: Any) -> Inputs:
        id = _target(link)
        return self.nodes[id]["inputs"] if id in self.nodes else {}

    def upstream(self, ids: list[str]) -> Iterator[Inputs]:
        """The inputs of these nodes and of all that lead to them, nearest first."""
        seen, waiting = set(ids), deque(ids)
        while waiting:
            id = waiting.popleft()
            if id not in self.nodes:
                continue
            inputs = self.nodes[id]["inputs"]
            yield inputs
            for value in inputs.values():
                target = _target(value)
                if target is not None and target not in seen:
                    seen.add(target)
                    waiting.append(target)

    def value(self, inputs: Inputs, name: str) -> str | int | float | None:
        """An input's value, also where other nodes pass it on."""
        value = inputs.get(name)
        for _ in range(MAX_HOPS):
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                return value
            source = self.inputs(value)
            value = next((source[key] for key in (name, *VALUES) if key in source), None)
        return None

    def nearest(self, link: Any, names: tuple[str, ...], kind: type) -> Any:
        """The first node up the link that has all these inputs, of this kind; the value, or all of them."""
        id = _target(link)
        for inputs in self.upstream([id] if id is not None else []):
            values = tuple(self.value(inputs, name) if name in inputs else None for name in names)
            if all(isinstance(value, kind) for value in values):
                return values if len(values) > 1 else values[0]
        return None

    def size(self, latent: Any) -> tuple[int, int] | None:
        return self.nearest(latent, ("width", "height"), int)

    def text(self, link: Any, role: str) -> str | None:
        """The text that a conditioning was made of: the first, where several were combined."""
        seen: set[str] = set()
        waiting = [(link, role)]
        while waiting:
            link, role = waiting.pop()
            id = _target(link)
            if id is None or id in seen or id not in self.nodes:
                continue
            seen.add(id)
            inputs = self.nodes[id]["inputs"]
            if self.nodes[id]["class_type"] == "ConditioningZeroOut":
                return ""
            for name in TEXTS:
                text = self.value(inputs, name) if name in inputs else None
                if isinstance(text, str):
                    return text
            if {"positive", "negative"} <= inputs.keys():
                # Such a node hands on both: the positive one as its output 0.
                role = {0: "positive", 1: "negative"}.get(link[1], role)
                waiting.append((inputs[role], role))
                continue
            onward = [(value, role) for name, value in inputs.items() if name.startswith(("cond", role))]
            waiting += reversed(onward)
        return None


def _target(link: Any) -> str | None:
    """The id that a link [id, slot] points to."""
    is_link = isinstance(link, list) and len(link) == 2 and isinstance(link[0], str | int) and isinstance(link[1], int)
    return str(link[0]) if is_link else None
