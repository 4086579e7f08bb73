"""JSON in the texts of strangers: how deep it goes, how much of it is looked at, and where else it holds JSON."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from typing import Any

MAX_TEXT = 4 * 2**20
"""Characters of one text. Workflows of hundreds of nodes have one million."""

MAX_DEPTH = 64
MAX_NESTED = 4
"""JSON in a text of JSON in a text."""

MAX_OBJECTS = 200
"""Objects looked at in one file."""

BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def json_object(text: str | None) -> dict[str, Any] | None:
    """The JSON object in a text, or None. NaN and infinity, which ComfyUI writes, become None."""
    if text is None or len(text) > MAX_TEXT:
        return None
    text = text.strip("\x00\ufeff \t\r\n")
    if text[:1] != "{" or is_too_deep(text):
        return None
    try:
        value = json.loads(text, parse_constant=lambda _: None, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_too_deep(text: str) -> bool:
    depth = 0
    for token in BRACKETS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def is_graph(value: Any) -> bool:
    """Whether this is a graph of ComfyUI: nodes by their ids, each with a class and its inputs."""
    return isinstance(value, dict) and any(is_node(node) for node in value.values())


def is_node(value: Any) -> bool:
    has_class = isinstance(value, dict) and isinstance(value.get("class_type"), str)
    return has_class and isinstance(value.get("inputs"), dict)


def objects_in(texts: Iterable[tuple[str, str]]) -> list[tuple[str, dict[str, Any]]]:
    """All JSON objects in these texts, outer ones first, each with the name that it stands under.

    Also those within other objects and, as text, within their values. The nodes of a graph are not gone into.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    waiting: deque[tuple[str, Any, int]] = deque((name, text, 0) for name, text in texts)
    while waiting and len(found) < MAX_OBJECTS:
        name, value, depth = waiting.popleft()
        if isinstance(value, str):
            value = json_object(value)
        if not isinstance(value, dict):
            continue
        found.append((name, value))
        if depth < MAX_NESTED:
            waiting.extend((key, inner, depth + 1) for key, inner in value.items() if _may_hold_one(inner))
    return found


def _may_hold_one(value: Any) -> bool:
    return (isinstance(value, str) and value.lstrip("\x00 \t\r\n")[:1] == "{") or (
        isinstance(value, dict) and not is_node(value)
    )
