"""The family of a generation: what it came from, what came from it, and the chain of pictures that led to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from core.domain.generation import Relation, Status

CHILDREN_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Kin:
    """As much of a generation as its family tree shows. children: how many there are in the gallery.

    extended_from: the key of the picture that its source is, with more canvas around it.
    """

    id: str
    parent_id: str | None
    relation: Relation | None
    status: Status
    prompt: str
    title: str
    seed: int
    source: str
    source_name: str | None
    output: str | None
    pixels_sha256: str | None
    thumbnail: str | None
    created_at: datetime
    in_trash: bool
    children: int = 0
    extended_from: str | None = None

    @property
    def name(self) -> str:
        return self.title or " ".join(self.prompt.split())

    @property
    def began_with(self) -> str:
        """The key of the picture that was painted on, or extended and painted on."""
        return self.extended_from or self.source

    @property
    def is_step(self) -> bool:
        """Whether it made a picture out of another one: an imported picture did not."""
        return self.output is not None and self.output != self.source


@dataclass(frozen=True, slots=True)
class Leaf:
    """A line of the family tree. depth: generations below the first ancestor. hidden: children that are not shown."""

    kin: Kin
    depth: int
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """tree: the first ancestor, then what came from it, each followed by its own; siblings oldest first.

    chain: the steps from the first source to this generation, which is the last. Each began with the picture that
    the step before had made.
    """

    tree: tuple[Leaf, ...]
    chain: tuple[Kin, ...]

    @property
    def is_alone(self) -> bool:
        return len(self.tree) == 1


def family_of(kin: Kin, ancestors: Sequence[Kin], others: Sequence[Kin]) -> Family:
    """ancestors: nearest first. others: in any order, the same ones again allowed."""
    path = [kin, *ancestors]
    known = {one.id: one for one in (*others, *reversed(path))}
    return Family(tuple(_tree(path[-1], known, {one.id for one in path})), chain_of(kin, ancestors))


def chain_of(kin: Kin, ancestors: Sequence[Kin]) -> tuple[Kin, ...]:
    """Of the ancestors those whose result is the very picture that the next one began with, extended or as it was.

    A re-run or a variation has its parent's picture, not its result: its parent is no step of its chain.
    """
    chain, wanted = [kin], kin.began_with
    for ancestor in ancestors:
        if ancestor.is_step and ancestor.output == wanted:
            chain.insert(0, ancestor)
            wanted = ancestor.began_with
    return tuple(chain)


def _tree(root: Kin, known: Mapping[str, Kin], path: Set[str]) -> Iterator[Leaf]:
    """Without recursion: a session may be a thousand steps deep. In a ring of parents everyone stands once."""
    of_parent: dict[str, list[Kin]] = defaultdict(list)
    for kin in known.values():
        if kin.parent_id is not None:
            of_parent[kin.parent_id].append(kin)
    waiting, seen = [(root, 0)], {root.id}
    while waiting:
        kin, depth = waiting.pop()
        shown = _shown([child for child in of_parent[kin.id] if child.id not in seen], path)
        seen.update(child.id for child in shown)
        yield Leaf(kin, depth, max(0, kin.children - len(shown)))
        waiting += [(child, depth + 1) for child in reversed(shown)]


def _shown(children: Sequence[Kin], path: Set[str]) -> list[Kin]:
    """The newest ones, and always the one that leads on to the generation that is looked at."""
    by_age = sorted(children, key=lambda kin: (kin.created_at, kin.id))
    newest = {kin.id for kin in by_age[-CHILDREN_SHOWN:]}
    return [kin for kin in by_age if kin.id in newest or kin.id in path]
