"""ComfyUI: the graph that was run. Of several passes the first one's settings are told, and the others kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from core.domain.imported import Imported
from core.metadata import flat
from core.metadata.carriers import Carried
from core.metadata.drawn import as_run
from core.metadata.graph import PASSED, PIPES, Graph, Node
from core.metadata.json_text import is_graph, json_object
from core.metadata.samplers import scheduler_of
from core.metadata.words import NEGATIVE, POSITIVE, ROLES, Words

Kind = TypeVar("Kind", bound=str | int | float)

TOOL = "comfyui"
CHUNK = "prompt"
"""The graph as it was run; "workflow" is the same as drawn, which is read only where there is no other."""

CIVITAI = "civitai"
EXTRA = "extraMetadata"
"""Civitai's own generator runs ComfyUI, and says beside the graph what was asked for."""

STEPS = ("steps", "steps_total", "num_steps", "num_inference_steps")
SEEDS = ("seed", "noise_seed", "seed_num")
GUIDANCE = ("cfg", "cfg_conds", "guidance_scale", "cfg_scale", "true_gs")
SAMPLERS = ("sampler_name", "sampler")
DENOISE = ("denoise", "denoise_strength")
MODELS = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "model_path", "checkpoint")
SIZES = (("width", "height"), ("empty_latent_width", "empty_latent_height"))
SIZE_TEXTS = ("dimensions", "resolution", "size", "aspect_ratio")

PARTS = ("noise", "guider", "sampler", "sigmas")
"""The custom samplers spread their settings over these nodes, and some of them over nodes behind these."""

CLASSES: Mapping[str, str] = {
    "samplereulerancestral": "euler_ancestral",
    "samplerlms": "lms",
    "karrasscheduler": "karras",
}
"""Nodes that are a sampler or a schedule by their class, without a word for it. Any other is told by its class."""

MOST_PASSES = 10
"""That are told, from the first one on."""

IS_OUTPUT = re.compile(r"save|preview|output")
IS_LATENT = re.compile(r"latent|samples")
IS_PICTURE = re.compile(r"pixels|image|img")
IS_MODEL = re.compile(r"model|unet|guider")
IS_NO_SAMPLER = re.compile(r"context|save|config|parameters|loader|\bto.*pipe|edit|pipe_?(?:in|out)")


def read(carried: Carried) -> Imported | None:
    """The graph may stand anywhere: in its chunk, in EXIF, in XMP, in another object. Else the drawing of it counts."""
    for _, value in carried.objects:
        extra = value.get(EXTRA)
        extra = json_object(extra) if isinstance(extra, str) else extra
        graph = Graph.of(value) if is_graph(value) else None
        found = _Reading(graph).imported() if graph else None
        if isinstance(extra, dict) and flat.known(extra):
            return _of_civitai(extra, found)
        if found:
            return found
    drawings = (as_run(value) for _, value in carried.objects if "nodes" in value and "links" in value)
    graphs = (Graph.of(drawing) for drawing in drawings if drawing)
    return next((found for graph in graphs if graph and (found := _Reading(graph).imported())), None)


def _of_civitai(extra: Mapping[str, Any], graph: Imported | None) -> Imported:
    asked = flat.imported(CIVITAI, extra)
    return asked.filled_by(graph) if graph else asked


@dataclass(frozen=True, slots=True)
class _Pass:
    """A node that samples. settings: its inputs, and those of the nodes that hold its parts."""

    node: Node
    settings: Node

    @property
    def adds_noise(self) -> bool:
        is_off = str(self.node.inputs.get("add_noise", "")).lower() in ("disable", "false")
        return not is_off and self.settings.inputs.get("noise") is not DISABLED


DISABLED = object()


class _Reading:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._words = Words(graph)

    def imported(self) -> Imported | None:
        passes = self._passes()
        if not passes:
            return None
        told = next((one for one in passes if one.adds_noise), passes[0])
        settings = told.settings
        sampler, schedule = self._text(settings, SAMPLERS), self._text(settings, ("scheduler",))
        found: dict[str, Any] = {
            "prompt": self._prompt(settings, POSITIVE),
            "negative_prompt": self._prompt(settings, NEGATIVE),
            "scheduler": scheduler_of(sampler, schedule),
            "num_inference_steps": self._value(settings, STEPS),
            "guidance_scale": self._guidance(settings),
            "strength": self._value(settings, DENOISE) if self._is_of_a_picture(told.node) else None,
            "seed": self._value(settings, SEEDS),
            "mask_grow_px": self._grown(told.node),
        }
        if not found["prompt"]:
            found["prompt"] = self._only_words(found["negative_prompt"]) or found["prompt"]
        raw: dict[str, Any] = {
            "model": self._model(settings),
            "LoRAs": ", ".join(self._loras(settings)) or None,
            "sampler_name": None if found["scheduler"] else sampler,
            "scheduler": None if found["scheduler"] else schedule,
        }
        others = [one for one in passes if one is not told]
        for number, one in enumerate(others, 2):
            raw["second pass" if number == 2 else f"pass {number}"] = self._plain(one)
        return Imported.of(TOOL, found, size=self._size(told.node), raw=raw)

    def _passes(self) -> list[_Pass]:
        """All that led to the saved picture, the first one first; what mends parts of it only where nothing else is."""
        nodes = list(self._in_order())
        last = next(filter(_samples, nodes), None) or next(filter(_samples, self._graph.nodes.values()), None)
        if last is None:
            only = next(filter(_mends, nodes), None) or next(filter(_has_settings, nodes), None)
            return [self._pass(only)] if only else []
        passes, seen = [last], {last.id}
        while (before := self._before(passes[-1])) and before.id not in seen:
            passes.append(before)
            seen.add(before.id)
        return [self._pass(node) for node in [*reversed(passes)][:MOST_PASSES]]

    def _in_order(self) -> Iterator[Node]:
        """From the saved picture upwards; previews count where nothing was saved."""
        outputs = [node for node in self._graph.nodes.values() if IS_OUTPUT.search(node.kind)]
        for word in ("save", ""):
            yield from self._graph.upstream(*([node.id, 0] for node in outputs if word in node.kind))

    def _before(self, node: Node) -> Node | None:
        return next((other for other in self._latents(node) if _samples(other)), None)

    def _latents(self, node: Node) -> Iterator[Node]:
        """What the latents of a node were made of, nearest first."""
        starts = [link for name, link in node.links if _brings_latents(name)]
        conditioning = self._graph.node(node.inputs.get("positive"))
        if conditioning and "stage_c" in conditioning.inputs:
            # Stable Cascade hands the latents of its first stage on beside the words.
            starts.append(conditioning.inputs["stage_c"])
        for other in self._graph.upstream(*starts, follows=_brings_latents):
            if other is not node:
                yield other

    def _pass(self, node: Node) -> _Pass:
        inputs: dict[str, Any] = {}
        for part in PARTS:
            follows = part.__eq__
            for holder in self._graph.upstream(node.inputs.get(part), follows=follows):
                for name, value in holder.inputs.items():
                    inputs.setdefault(name, value)
                if part == "sigmas" and any(name in holder.inputs for name in STEPS):
                    inputs.setdefault("scheduler", CLASSES.get(holder.kind, holder.kind))
                elif part == "sampler":
                    inputs.setdefault("sampler_name", CLASSES.get(holder.kind, holder.kind))
                if holder.kind == "disablenoise":
                    inputs["noise"] = DISABLED
        own = {name: value for name, value in node.inputs.items() if inputs.get(name) is not DISABLED}
        return _Pass(node, Node(node.id, node.kind, {**inputs, **own}))

    def _value(self, settings: Node, names: tuple[str, ...]) -> str | int | float | None:
        for name in names:
            if name in settings.inputs and (value := self._graph.value(settings.inputs[name], *names)) is not None:
                return value
        for holder in self._graph.upstream(*(settings.inputs.get(pipe) for pipe in PIPES), follows=_is_pipe):
            for name in names:
                if (value := self._graph.value(holder.inputs.get(name), *names)) is not None:
                    return value
        return None

    def _text(self, settings: Node, names: tuple[str, ...]) -> str | None:
        value = self._value(settings, names)
        return value if isinstance(value, str) else None

    def _prompt(self, settings: Node, role: str) -> str | None:
        names = (*ROLES[role], "conditioning") if role == POSITIVE else ROLES[role]
        given = next((settings.inputs[name] for name in names if name in settings.inputs), None)
        if given is not None:
            return self._words.of(given, role)
        pipes = (settings.inputs[pipe] for pipe in PIPES if pipe in settings.inputs)
        return next((words for pipe in pipes if (words := self._words.of(pipe, role, by_pipe=True)) is not None), None)

    def _only_words(self, negative: str | None) -> str | None:
        """Where the links say nothing: the words of the only encoder that is left."""
        texts = {
            text
            for node in self._graph.nodes.values()
            if "clip" in node.inputs and (text := self._words.of([node.id, 0], POSITIVE))
        }
        left = texts - {negative}
        return left.pop() if len(left) == 1 else None

    def _guidance(self, settings: Node) -> str | int | float | None:
        """Where nothing is guided by a negative prompt, that of Flux, which stands at the prompt."""
        said = self._value(settings, GUIDANCE)
        if said is not None:
            return said
        start = settings.first(("conditioning", *ROLES[POSITIVE]))
        return self._nearest(self._graph.upstream(start), ("guidance",), int, float)

    def _is_of_a_picture(self, node: Node) -> bool:
        """Whether the latents come from a picture: else the denoising is no strength."""
        starts = [node, *self._latents(node)]
        return _mends(node) or any(_is_picture(name) for one in starts if not _samples(one) for name in one.inputs)

    def _size(self, node: Node) -> tuple[Any, Any] | None:
        for one in (node, *self._latents(node)):
            for pair in SIZES:
                width, height = (self._graph.value(one.inputs.get(name), name) for name in pair)
                if isinstance(width, int) and isinstance(height, int):
                    return width, height
            texts = (one.inputs[name] for name in SIZE_TEXTS if isinstance(one.inputs.get(name), str))
            if size := next(filter(None, map(flat.size_of, texts)), None):
                return size
        return None

    def _grown(self, node: Node) -> int | None:
        return self._nearest(self._latents(node), ("grow_mask_by",), int)

    def _models(self, settings: Node) -> Iterator[Node]:
        starts = [link for name, link in settings.links if IS_MODEL.search(name) or name in PIPES]
        return self._graph.upstream(*starts)

    def _model(self, settings: Node) -> str | None:
        names = (self._nearest(self._models(settings), (key,), str) for key in MODELS)
        return next(filter(None, names), None)

    def _loras(self, settings: Node) -> Iterator[str]:
        for node in self._models(settings):
            for name, value in node.inputs.items():
                if name.startswith("lora_name") and isinstance(value, str) and value.lower() != "none":
                    yield value
                elif isinstance(value, dict) and isinstance(value.get("lora"), str) and value.get("on") is not False:
                    yield value["lora"]

    def _nearest(self, nodes: Iterator[Node], names: tuple[str, ...], *kinds: type[Kind]) -> Kind | None:
        """The value of the first of these inputs that a node has, of one of these kinds."""
        for node in nodes:
            for name in names:
                value = self._graph.value(node.inputs.get(name), name)
                if isinstance(value, kinds):
                    return value
        return None

    def _plain(self, one: _Pass) -> dict[str, Any]:
        names = (*STEPS, *SEEDS, *GUIDANCE, *DENOISE, "sampler_name", "scheduler", "add_noise", "start_at_step")
        values = {name: self._graph.value(one.settings.inputs.get(name), name) for name in names}
        return {"node": one.node.kind, **{name: value for name, value in values.items() if value is not None}}


def _samples(node: Node) -> bool:
    """Whether it makes latents of latents with a model. Savers have settings too, but neither of these."""
    links = {name for name, _ in node.links}
    if not _has_settings(node):
        return False
    if any(IS_LATENT.search(name) for name in links):
        return True
    has_sampler = "sampler_name" in node.inputs or "sampler" in node.inputs
    return has_sampler and any(name in PIPES for name in links) and not any(map(_is_picture, links))


def _mends(node: Node) -> bool:
    """Whether it samples parts or tiles of a picture."""
    return _has_settings(node) and any(_is_picture(name) for name, _ in node.links) and not _samples(node)


def _has_settings(node: Node) -> bool:
    """Whether it has a model and what a sampler has to know."""
    links = {name for name, _ in node.links}
    is_told = any(name in node.inputs for name in STEPS) or {"sigmas", "sampler"} <= links
    has_model = any(IS_MODEL.search(name) or name in PIPES for name in links)
    return is_told and has_model and not IS_NO_SAMPLER.search(node.kind)


def _brings_latents(name: str) -> bool:
    is_way = IS_LATENT.search(name) or IS_PICTURE.search(name) or name in PIPES or name in PASSED
    return bool(is_way) or name in ("destination", "value", "segs")


def _is_picture(name: str) -> bool:
    return IS_PICTURE.search(name) is not None and IS_LATENT.search(name) is None


def _is_pipe(name: str) -> bool:
    return name in PIPES
