"""A replay: a chain of generations that is painted again, each step on the new result of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.domain.family import FamilyMember
from core.domain.generation import Status


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """original: None if it was deleted for good. again: the new generation, None until its turn."""

    original: FamilyMember | None
    again: FamilyMember | None

    @property
    def results(self) -> tuple[str, str] | None:
        """Keys of the old result and the new one; None as long as they are not both there."""
        if self.original is None or self.again is None or not (self.original.output and self.again.output):
            return None
        return self.original.output, self.again.output

    @property
    def is_exact(self) -> bool | None:
        """Whether the new result is the old one, pixel by pixel; None as long as that is not known."""
        if self.original is None or self.again is None or self.again.output is None:
            return None
        return self.original.pixels_sha256 == self.again.pixels_sha256


@dataclass(frozen=True, slots=True)
class Replay:
    """A chain that is painted again, each step on the new result of the one before. ended_at: None while it goes on."""

    id: str
    created_at: datetime
    ended_at: datetime | None
    steps: tuple[ReplayStep, ...]

    @property
    def done(self) -> int:
        return sum(step.again is not None and step.again.status is Status.SUCCEEDED for step in self.steps)

    @property
    def is_complete(self) -> bool:
        return self.done == len(self.steps)

    @property
    def first_difference(self) -> int | None:
        """The number of the first step, from 1, whose result is not the old one."""
        return next((n for n, step in enumerate(self.steps, 1) if step.is_exact is False), None)


@dataclass(frozen=True, slots=True)
class StepState:
    """Where a step stands. original_id, again_id: as in ReplayStep; status, output: of the new generation.

    interruptions: how often it was queued again after its worker died.
    """

    original_id: str | None
    again_id: str | None
    status: Status | None
    output: str | None
    device: str
    interruptions: int
