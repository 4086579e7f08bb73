"""Pictures that guide the model beside the source and its mask, each in a role.

Whoever stores, counts, hands on or throws away the pictures of a generation asks for all of them
(Generation.pictures, db/guides.py), so that a new role is a line in Role and whatever the engine makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from core.domain.errors import InvalidParams

P = TypeVar("P")
Q = TypeVar("Q")

MAX_POSITIONS = 20


class Role(StrEnum):
    """CONTROL: what a ControlNet reads, of the source's shape. REFERENCE: what an adapter looks at, of any shape."""

    CONTROL = "control"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Guide(Generic[P]):
    """picture: its pixels, or its key in the image store. position: of several in one role which one, from 0 on.

    Raises InvalidParams for a position that nothing can have.
    """

    role: Role
    position: int
    picture: P

    def __post_init__(self) -> None:
        if not 0 <= self.position < MAX_POSITIONS:
            raise InvalidParams(f"At most {MAX_POSITIONS} pictures can be used in the role of a {self.role} picture.")

    @property
    def title(self) -> str:
        """For people, such as "Control picture" and "Control picture 2"."""
        number = f" {self.position + 1}" if self.position else ""
        return f"{self.role.capitalize()} picture{number}"

    def showing(self, picture: Q) -> Guide[Q]:
        """Another picture, or the same as pixels or by its key, in the same place."""
        return Guide(self.role, self.position, picture)

    def to_dict(self) -> dict[str, Any]:
        return {"role": self.role.value, "position": self.position, "picture": self.picture}


def guides_of(values: Iterable[Mapping[str, Any]]) -> tuple[Guide[str], ...]:
    """Of to_dict, by their keys. Raises ValueError, KeyError or TypeError for anything else."""
    guides = tuple(Guide(Role(one["role"]), one["position"], one["picture"]) for one in values)
    if len({(guide.role, guide.position) for guide in guides}) < len(guides):
        raise ValueError("two pictures in one place")
    if any(type(guide.position) is not int or type(guide.picture) is not str for guide in guides):
        raise TypeError("no position or no key")
    return guides


def picture_in(guides: Iterable[Guide[P]], role: Role, position: int) -> P | None:
    return next((guide.picture for guide in guides if (guide.role, guide.position) == (role, position)), None)
