"""A graph as ComfyUI runs it: nodes by id, and links between them. Graphs of strangers may have cycles."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.metadata.json_text import is_node

MAX_NODES = 5_000
MAX_HOPS = 24

VALUES = (
    "value",
    "seed",
    "noise_seed",
    "seed_num",
    "int",
    "float",
    "number",
    "text",
    "string",
    "string_a",
    "prompt",
    "boolean",
    "bool",
    "choice",
)
"""Inputs under which nodes that only pass a value on hold it."""

PIPES = ("pipe", "basic_pipe", "detailer_pipe", "base_ctx", "ctx", "context", "sdxl_tuple", "refiner_pipe")
"""Inputs that bring a bundle of model, prompts and latents along."""

PASSED = ("", "source", "anything", "any", "input", "in", "a", "*")
"""Inputs of nodes that hand on what they are given."""

IS_SWITCH = re.compile(r"switch|if ?else|conditional ?branch|selector|mux", re.IGNORECASE)
BY_TRUTH = (
    ("on_true", "on_false"),
    ("tt_value", "ff_value"),
    ("if_true", "if_false"),
    ("true_value", "false_value"),
    ("true", "false"),
    ("text_a", "text_b"),
    ("text_input_a", "text_input_b"),
    ("conditioning_a", "conditioning_b"),
    ("model_a", "model_b"),
    ("latent_a", "latent_b"),
    ("image_a", "image_b"),
)
TRUTHS = ("switch", "boolean", "boolean_number", "condition", "cond", "bool", "toggle", "value")
NUMBERS = ("select", "input", "index", "selected", "switch_number", "choice", "selection")
NUMBERED = re.compile(r"(?P<family>[a-z_ ]*?)_?0*(?P<number>\d{1,3})")

Link = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Node:
    """kind: its class in small letters. inputs: by names in small letters, values or links [id, slot]."""

    id: str
    kind: str
    inputs: Mapping[str, Any]

    def first(self, names: tuple[str, ...]) -> Any:
        """The first of these inputs that it has."""
        return next((self.inputs[name] for name in names if self.inputs.get(name) is not None), None)

    @property
    def links(self) -> Iterator[tuple[str, Link]]:
        for name, value in self.inputs.items():
            if (link := link_of(value)) is not None:
                yield name, link


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: Mapping[str, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Mapping[str, Any]) -> Graph | None:
        """None if this is not a graph, or too large to be one that a person made."""
        nodes = {str(id): _node(str(id), node) for id, node in graph.items() if is_node(node)}
        return cls(nodes) if 0 < len(nodes) <= MAX_NODES else None

    def node(self, value: Any) -> Node | None:
        """The node that a link leads to."""
        link = link_of(value)
        return self.nodes.get(link[0]) if link else None

    def upstream(self, *starts: Any, follows: Callable[[str], bool] = lambda name: True) -> Iterator[Node]:
        """The nodes that these links lead to and all that lead to them, nearest first.

        follows: which inputs are gone up, by their names. Of a switch only what it lets through.
        """
        waiting = deque(link for link in map(link_of, starts) if link)
        seen = {id for id, _ in waiting}
        while waiting:
            node = self.nodes.get(waiting.popleft()[0])
            if node is None:
                continue
            yield node
            chosen = link_of(self.chosen(node))
            for name, link in [("", chosen)] if chosen else node.links:
                if (chosen or follows(name)) and link[0] not in seen:
                    seen.add(link[0])
                    waiting.append(link)

    def value(self, value: Any, *names: str) -> str | int | float | None:
        """The value of an input of one of these names, also where other nodes pass it on."""
        for _ in range(MAX_HOPS):
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                return value
            node = self.node(value)
            if node is None:
                return None
            chosen = self.chosen(node)
            value = chosen if chosen is not None else node.first((*names, *VALUES, *PIPES, *PASSED))
        return None

    def flag(self, value: Any) -> bool | None:
        """A yes or no, also where other nodes pass it on."""
        for _ in range(MAX_HOPS):
            if isinstance(value, bool | int | float):
                return bool(value)
            if isinstance(value, str):
                return value.strip().lower() not in ("", "false", "no", "off", "disable", "0")
            node = self.node(value)
            value = node.first(VALUES) if node else None
        return None

    def chosen(self, node: Node) -> Any:
        """What a switch lets through; None if this is none, or it cannot be told which way it stands."""
        if not IS_SWITCH.search(node.kind):
            return None
        for of_true, of_false in BY_TRUTH:
            if of_true in node.inputs or of_false in node.inputs:
                is_on = self.flag(node.first(TRUTHS))
                return node.inputs.get(of_true if is_on is not False else of_false)
        ways = _numbered(node)
        number = node.first(NUMBERS)
        if number is None or link_of(number):
            number = self.value(number, "value")
        if isinstance(number, str) and number.strip().isdecimal():
            number = int(number[:6])
        if isinstance(number, int) and number in ways:
            return ways[number]
        # Without a number it takes the first that is there: what is muted is not in the graph.
        there = (way for _, way in sorted(ways.items()) if isinstance(way, str) or self.node(way))
        return next(there, None) if number is None else None

    def ways(self, node: Node) -> list[Any]:
        """All that a switch could let through; nothing if this is none."""
        if not IS_SWITCH.search(node.kind):
            return []
        truths = [node.inputs[name] for pair in BY_TRUTH for name in pair if name in node.inputs]
        return truths or list(_numbered(node).values())


def _numbered(node: Node) -> dict[int, Any]:
    return {
        int(found["number"]): value
        for name, value in node.inputs.items()
        if (found := NUMBERED.fullmatch(name)) and (link_of(value) or isinstance(value, str))
    }


def link_of(value: Any) -> Link | None:
    """[id, slot] as a link."""
    is_link = (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str | int)
        and not isinstance(value[0], bool)
        and isinstance(value[1], int)
    )
    return (str(value[0]), int(value[1])) if is_link else None


def _node(id: str, node: Mapping[str, Any]) -> Node:
    inputs: dict[str, Any] = {}
    for name, value in node["inputs"].items():
        inputs.setdefault(str(name).lower(), _unwrapped(value))
    return Node(id, node["class_type"].lower(), inputs)


def _unwrapped(value: Any) -> Any:
    """Some nodes write a value as an object, with a picture of the model beside its name for example."""
    if isinstance(value, dict):
        return next((value[key] for key in ("content", "__value__", "value") if key in value), value)
    return value
