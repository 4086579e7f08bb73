"""The processes that paint: each keeps its own row, and whoever does not paint reads it there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from core.domain.environment import AUTOMATIC, Device, Environment
from core.domain.errors import StudioError, WorkerDied
from core.domain.worker import BEAT_EVERY_S, KILLED, MEMORY_RAN_OUT, MachineFacts, WorkerState, reason_of_death
from core.last_resort import told
from core.services.machine import Machine
from core.services.model_cache import ModelCache
from core.services.patience import Forgiving
from db.generations import GenerationRepo
from db.verifications import VerificationRepo
from db.workers import WorkerRepo

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workers:
    """What they tell, for pages and commands. Of several, the one that began last speaks."""

    repo: WorkerRepo
    generations: GenerationRepo
    verifications: VerificationRepo
    host: str
    now: Callable[[], datetime]

    def newest(self) -> WorkerState | None:
        """None if there never was any."""
        return self.repo.newest()

    def is_there(self) -> bool:
        """Whether one is at work, or will be as soon as its libraries are there."""
        newest = self.newest()
        return newest is not None and newest.is_alive(self.now())

    def holds(self, model: str, device: str) -> bool:
        """Whether this model is in memory."""
        newest = self.newest()
        return newest is not None and newest.ended_at is None and (newest.model, newest.device) == (model, device)

    def machine(self) -> MachineFacts | None:
        """What it runs on. A worker that has ended still tells of its machine; None if none ever did."""
        teller = self.repo.newest(that_tells=True)
        return None if teller is None else teller.machine

    def devices(self) -> Sequence[Device]:
        """Best first. None where no worker has told of any yet. Raises DeviceUnavailable if it could not find any."""
        machine = self.machine()
        if machine is not None and not machine.devices:
            machine.device(AUTOMATIC)
        return () if machine is None else machine.devices

    def resolve(self, wish: str) -> str:
        """The key of the device that a wish means, or the wish itself as long as no worker is there that tells.

        Then the worker resolves it when it begins: what an earlier one told may have been another machine. Raises
        DeviceUnavailable.
        """
        teller = self.repo.newest(that_tells=True)
        if teller is None or teller.machine is None or not teller.is_alive(self.now()):
            return wish
        return teller.machine.device(wish)

    def environment(self, device: Device) -> Environment:
        machine = self.machine() or MachineFacts()
        return dict(zip(machine.devices, machine.environments, strict=True))[device]

    def died(self, pid: int, code: int) -> None:
        """The worker that was this process here has ended with this exit code: what it held waits again, or fails.

        Whoever has started it knows at once; everybody else finds out when it gives no sign of life.
        """
        reason, now = reason_of_death(code), self.now()
        error_code = MEMORY_RAN_OUT if code == -KILLED else WorkerDied().code
        for name in self.repo.names_of(self.host, pid):
            self.generations.requeue_dead(name, reason, now, code=error_code)
            self.verifications.requeue_dead(name, reason, now)
            self.repo.end(name, now)

    def ask_to_close(self, model: str, device: str) -> None:
        """As soon as nothing that waits needs this model, its memory is given back."""
        self.repo.ask_to_close(model, device, self.now())


@dataclass(frozen=True, slots=True)
class Presence:
    """Keeps the row of this process's worker: from begin to end it gives a sign of life every two seconds.

    models: what is loaded. memory_mb: of this process.
    """

    name: str
    host: str
    pid: int
    repo: WorkerRepo
    machine: Machine
    models: ModelCache
    memory_mb: Callable[[], float]
    now: Callable[[], datetime]
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Raises DatabaseUnusable."""
        self.repo.begin(self.name, self.host, self.pid, self.now())
        threading.Thread(target=self._beat, name="presence", daemon=True).start()

    def tell(self) -> None:
        """Of the machine: seconds, as the engine's libraries are imported."""
        machine = _facts_of(self.machine)
        Forgiving(0)(lambda: self.repo.tell(self.name, machine), None)

    def close_if_asked(self) -> None:
        """To be called while nothing is painted."""
        if self.repo.takes_close(self.name):
            self.models.close()

    def end(self) -> None:
        self._ended.set()
        with suppress(StudioError):
            self.repo.end(self.name, self.now())

    def _beat(self) -> None:
        forgiving = Forgiving(0)
        while not self._ended.wait(BEAT_EVERY_S):
            model, device = self.models.loaded or (None, None)
            beat = partial(self.repo.beat, self.name, self.now(), model, device, self.memory_mb())
            forgiving(beat, None)


def _facts_of(machine: Machine) -> MachineFacts:
    devices: Sequence[Device] = ()
    environments: Sequence[Environment] = ()
    try:
        devices = machine.devices()
        environments = [machine.environment(device) for device in devices]
        return MachineFacts(tuple(devices), tuple(environments), machine.device())
    except StudioError as error:
        return MachineFacts(tuple(devices), tuple(environments), problem=str(error))
    except Exception as error:
        log.exception("the engine's libraries cannot be used")
        return MachineFacts(problem=str(told(error)))
