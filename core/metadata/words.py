"""The words that a link of a graph leads to: through encoders, loaders with two prompts, joined texts and switches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.metadata.graph import MAX_HOPS, PASSED, PIPES, Graph, Node, link_of

POSITIVE, NEGATIVE = "positive", "negative"
ROLES: Mapping[str, tuple[str, ...]] = {
    POSITIVE: (
        "positive", "text_positive", "positive_prompt", "prompt_positive", "positive_text", "pos", "pos_prompt",
        "text_positive_g", "positive_g", "base_positive", "positive_cond", "conditioning_positive", "c_positive",
        "cond1", "conditioning1",
    ),
    NEGATIVE: (
        "negative", "text_negative", "negative_prompt", "prompt_negative", "negative_text", "neg", "neg_prompt",
        "text_negative_g", "negative_g", "base_negative", "negative_cond", "conditioning_negative", "c_negative",
        "neg_conditioning", "negative_conditioning",
    ),
}  # fmt: skip
"""Inputs by what they are for, in the order in which they are believed."""

TEXTS = (
    "text", "prompt", "text_g", "t5xxl", "clip_l", "text_l", "clip_g", "prompt_text", "wildcard_text", "string",
    "value", "caption", "mt5xl", "bert", "text_input", "multiline_text", "content",
)  # fmt: skip
POPULATED = ("populated_text", "populated_prompt", "processed_text", "resolved_prompt")
"""What a template became when it ran."""

IS_SHOWING = re.compile(r"show|display|preview")
SHOWN = re.compile(r"text_?\d{1,2}|preview_?(?:text|markdown)?|displayed_?text|result|output_?text")
"""What a node showed, as its widget kept it: for words that nothing else says, for it may be from the run before."""

TEMPLATE = re.compile(r"\{[^{}]*\||__\w+__|\|\|\w+\|\|")
IS_WRITTEN_BY_A_MODEL = re.compile(
    r"textgenerate|ollama|gpt|llm|llava|gemini|claude|openai|caption|tagger|interrogat|florence|enhancer|superprompt"
)
IS_JOIN = re.compile(r"concat|join|combine|append|merge|stringfunction|\badd\b")
PART = re.compile(r"(?P<family>string|text|str|prompt|part|input|line|s|)_?(?P<place>[a-z]|\d{1,2})")
DELIMITERS = ("delimiter", "separator", "sep", "delim")
NOT_WORDS = re.compile(r"clip|model|vae|image|latent|mask|pixels|control_net|samples|noise|sigmas|style|vision")
WITH_MODEL = ("model", "ckpt_name", "base_ckpt_name", "unet_name")
"""A node with one of these hands the model on before its prompts."""

LONGEST = 25_000
"""Characters. What is longer is no prompt that is taken, and texts that are joined with themselves grow fast."""

MOST_VISITS = 1_000


class Words:
    """Reads one graph; what was read once is remembered."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[tuple[str, int, str], str | None] = {}
        self._shown = {
            link: text
            for node in graph.nodes.values()
            if IS_SHOWING.search(node.kind) and (text := _shown_by(node))
            for _, link in node.links
        }

    def of(self, value: Any, role: str, *, hops: int = MAX_HOPS, by_pipe: bool = False) -> str | None:
        """The text that this input is, or that its link leads to. None if there is none.

        role: what the words are for, where a node holds both. by_pipe: the link brings both along.
        """
        if isinstance(value, str):
            return value[:LONGEST]
        link, node = link_of(value), self._graph.node(value)
        if link is None or node is None or hops <= 0:
            return None
        role = role if by_pipe else _role_at(node, link[1], role)
        key = (node.id, link[1], role)
        if key not in self._known and len(self._known) < MOST_VISITS:
            self._known[key] = None  # while it is looked for, so that a circle ends
            words = self._read(node, link[1], role, hops - 1)
            if link in self._shown and (words is None or TEMPLATE.search(words)):
                words = self._shown[link]
            self._known[key] = words
        return self._known.get(key)

    def _read(self, node: Node, slot: int, role: str, hops: int) -> str | None:
        if node.kind == "conditioningzeroout":
            return ""
        if IS_WRITTEN_BY_A_MODEL.search(node.kind):
            return self._first(node, POPULATED, role, hops)
        chosen = self._graph.chosen(node)
        for way in (chosen, *self._graph.ways(node)):
            if way is not None and (words := self.of(way, role, hops=hops)):
                return words
        ways = (
            self._first(node, POPULATED, role, hops),
            self._joined(node, slot, role, hops),
            self._replaced(node, role, hops),
            self._first(node, ROLES[role], role, hops),
            # A node that adds to a prompt, such as a text for a box of the picture, has one of its own beside it.
            self._first(node, tuple(name for name in node.inputs if name.startswith("conditioning")), role, hops),
            self._first(node, TEXTS, role, hops),
            self._first(node, PIPES, role, hops, by_pipe=True),
            self._first(node, PASSED, role, hops),
            self._only_link(node, role, hops),
            _shown_by(node),
        )
        empty = None
        for words in ways:
            if words:
                return words
            empty = words if empty is None else empty
        return empty

    def _first(self, node: Node, names: tuple[str, ...], role: str, hops: int, *, by_pipe: bool = False) -> str | None:
        """Of the inputs of these names the first that leads to words; "" if all that lead to any are empty."""
        empty = None
        for name in names:
            words = self.of(node.inputs.get(name), role, hops=hops, by_pipe=by_pipe)
            if words and words.strip():
                return words
            empty = words if empty is None else empty
        return empty

    def _joined(self, node: Node, slot: int, role: str, hops: int) -> str | None:
        parts = _parts(node)
        if len(parts) < 2:
            return None
        delimiter = self._delimiter(node, role, hops)
        if delimiter is None and not IS_JOIN.search(node.kind):
            # One node with several texts, each with an output of its own.
            return self.of(node.inputs[parts[slot]], role, hops=hops) if slot < len(parts) else None
        found = [self.of(node.inputs[name], role, hops=hops) for name in parts]
        if node.kind == "stringconcatenate":
            texts = [text or "" for text in found] if any(found) else []
        elif node.kind.startswith("stringfunction") and node.inputs.get("action") == "replace":
            return (found[0] or "").replace(found[1] or "\0", found[2] or "")[:LONGEST] if len(found) > 2 else found[0]
        else:
            texts = [text.strip() if delimiter else text for text in found if text and text.strip()]
        return (delimiter or "").join(texts)[:LONGEST] if texts else None

    def _delimiter(self, node: Node, role: str, hops: int) -> str | None:
        if node.kind.startswith("stringfunction"):
            return ", " if str(node.inputs.get("tidy_tags", "yes")).lower() in ("yes", "true") else ""
        text = next((self.of(node.inputs[name], role, hops=hops) for name in DELIMITERS if name in node.inputs), None)
        return None if text is None else text.replace("\\n", "\n").replace("\\t", "\t")

    def _replaced(self, node: Node, role: str, hops: int) -> str | None:
        """By plain text only: the expressions of strangers are not run."""
        if not {"find", "replace"} <= node.inputs.keys():
            return None
        text = self._first(node, TEXTS, role, hops)
        find, by = (self.of(node.inputs[name], role, hops=hops) for name in ("find", "replace"))
        return text.replace(find, by or "")[:LONGEST] if text and find else text

    def _only_link(self, node: Node, role: str, hops: int) -> str | None:
        links = [link for name, link in node.links if not NOT_WORDS.search(name)]
        return self.of(links[0], role, hops=hops) if len(links) == 1 else None


def _shown_by(node: Node) -> str | None:
    texts = (text for name, text in node.inputs.items() if SHOWN.fullmatch(name))
    return next((text[:LONGEST] for text in texts if isinstance(text, str) and text.strip()), None)


def _parts(node: Node) -> list[str]:
    """The inputs that a node joins, in order: string_a, string_b or text1, text2, and so on."""
    families: dict[str, list[tuple[str, str]]] = {}
    for name in node.inputs:
        if (found := PART.fullmatch(name)) and not IS_SHOWING.search(node.kind):
            families.setdefault(found["family"], []).append((found["place"].rjust(2), name))
    if not families:
        return []
    family, parts = max(families.items(), key=lambda entry: len(entry[1]))
    first = [family] if family and family in node.inputs else []
    return [*first, *(name for _, name in sorted(parts))]


def _role_at(node: Node, slot: int, role: str) -> str:
    """What an output is for, of a node that hands both on: the positive one comes first.

    A loader or sampler has its model before them. Where it cannot be told the role stays that of the input.
    """
    has_both = all(any(name in node.inputs for name in names) for names in ROLES.values())
    if not has_both:
        return role
    first = 0
    if any(name in node.inputs for name in WITH_MODEL):
        if not node.kind.startswith(("efficient", "ksampler (eff", "ksampler adv. (eff")):
            return role
        first = 1
    return {first: POSITIVE, first + 1: NEGATIVE}.get(slot, role)
