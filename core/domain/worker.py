"""A process that paints, as it tells it itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any

from core.domain.environment import AUTOMATIC, Device, Environment, named
from core.domain.errors import DeviceUnavailable

REPLACE = 75
"""The exit code of a worker that hung, and wants another one in its place at once: EX_TEMPFAIL of sysexits.h."""

KILLED = 9
"""SIGKILL, which Windows has no name for: by this signal Linux ends what uses too much memory."""

BEAT_EVERY_S = 2.0
"""How often a worker gives a sign of life, in its own row and in those that it works on."""

DEAD_AFTER = timedelta(seconds=20)
"""Ten missed beats. Loading holds the interpreter for seconds at a time; half a minute later a restart is visible."""

MEMORY_RAN_OUT = "WorkerKilled"
"""The error_code of what is tried again in less memory, where there is a way to."""

NO_SIGN_OF_LIFE = "The worker that painted this gave no sign of life any more."


def reason_of_death(code: int) -> str:
    """In words. code: of a process that has ended; a negative one is the number of the signal that has ended it."""
    if code == -KILLED:
        return f"The worker was ended by the system (signal {KILLED}), most likely because memory ran out."
    if code == REPLACE:
        return "The worker hung and was replaced."
    if code < 0:
        return f"The worker crashed (signal {-code})."
    return f"The worker ended unexpectedly (exit code {code})."


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """devices: best first. environments: what a picture painted on each of them is painted under, in the same order.

    automatic: the device that AUTOMATIC means. problem: why it means none, or why no device can be told.
    """

    devices: tuple[Device, ...] = ()
    environments: tuple[Environment, ...] = ()
    automatic: str | None = None
    problem: str = ""

    def device(self, wish: str) -> str:
        """The key of the device that a wish means. Raises DeviceUnavailable."""
        if wish == AUTOMATIC:
            if self.automatic is None:
                raise DeviceUnavailable(self.problem or None)
            return self.automatic
        return named(wish, self.devices).key

    def to_dict(self) -> dict[str, Any]:
        return {
            "devices": [list(astuple(device)) for device in self.devices],
            "environments": [dict(environment.facts) for environment in self.environments],
            "automatic": self.automatic,
            "problem": self.problem,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> MachineFacts:
        devices: Sequence[Sequence[Any]] = told["devices"]
        return cls(
            tuple(Device(*device) for device in devices),
            tuple(Environment(facts) for facts in told["environments"]),
            told["automatic"],
            told["problem"],
        )


@dataclass(frozen=True, slots=True)
class WorkerState:
    """name: as in the rows that it claims. machine: None until its libraries are there.

    model, device: what is loaded. memory_mb: of its process (RSS, in 10^6 bytes).
    """

    name: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None = None
    machine: MachineFacts | None = None
    model: str | None = None
    device: str | None = None
    memory_mb: float | None = None

    def is_alive(self, now: datetime) -> bool:
        """By its last sign of life; one that lies as far ahead tells of a clock that was put back, and of no life."""
        return self.ended_at is None and abs(now - self.heartbeat_at) <= DEAD_AFTER
