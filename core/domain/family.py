"""The family of a generation: what it came from, what came from it, and the chain of pictures that led to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from core.domain.generation import Relation, Status

CHILDREN_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FamilyMember:
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
class TreeNode:
    """A line of the family tree. depth: generations below the first ancestor. hidden: children that are not shown."""

    member: FamilyMember
    depth: int
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """tree: the first ancestor, then what came from it, each followed by its own; siblings oldest first.

    chain: the steps from the first source to this generation, which is the last. Each began with the picture that
    the step before had made.
    """

    tree: tuple[TreeNode, ...]
    chain: tuple[FamilyMember, ...]

    @property
    def is_alone(self) -> bool:
        return len(self.tree) == 1


def family_of(member: FamilyMember, ancestors: Sequence[FamilyMember], others: Sequence[FamilyMember]) -> Family:
    """ancestors: nearest first. others: in any order, the same ones again allowed."""
    path = [member, *ancestors]
    known = {one.id: one for one in (*others, *reversed(path))}
    return Family(tuple(_tree(path[-1], known, {one.id for one in path})), chain_of(member, ancestors))


def chain_of(member: FamilyMember, ancestors: Sequence[FamilyMember]) -> tuple[FamilyMember, ...]:
    """Of the ancestors those whose result is the very picture that the next one began with, extended or as it was.

    A re-run or a variation has its parent's picture, not its result: its parent is no step of its chain.
    """
    chain, wanted = [member], member.began_with
    for ancestor in ancestors:
        if ancestor.is_step and ancestor.output == wanted:
            chain.insert(0, ancestor)
            wanted = ancestor.began_with
    return tuple(chain)


def _tree(root: FamilyMember, known: Mapping[str, FamilyMember], path: Set[str]) -> Iterator[TreeNode]:
    """Without recursion: a session may be a thousand steps deep. In a ring of parents everyone stands once."""
    of_parent: dict[str, list[FamilyMember]] = defaultdict(list)
    for member in known.values():
        if member.parent_id is not None:
            of_parent[member.parent_id].append(member)
    waiting, seen = [(root, 0)], {root.id}
    while waiting:
        member, depth = waiting.pop()
        shown = _shown([child for child in of_parent[member.id] if child.id not in seen], path)
        seen.update(child.id for child in shown)
        yield TreeNode(member, depth, max(0, member.children - len(shown)))
        waiting += [(child, depth + 1) for child in reversed(shown)]


def _shown(children: Sequence[FamilyMember], path: Set[str]) -> list[FamilyMember]:
    """The newest ones, and always the one that leads on to the generation that is looked at."""
    by_age = sorted(children, key=lambda member: (member.created_at, member.id))
    newest = {member.id for member in by_age[-CHILDREN_SHOWN:]}
    return [member for member in by_age if member.id in newest or member.id in path]
