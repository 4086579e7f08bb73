"""The machine that this program runs on: its devices, and what a picture painted there is painted under."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.domain.environment import AUTOMATIC, Device, Environment


@dataclass(frozen=True, slots=True)
class Machine:
    """Each of these loads the engine: seconds the first time. resolve: turns a wish into the key of a device."""

    find_devices: Callable[[], Sequence[Device]]
    environment: Callable[[Device], Environment]
    resolve: Callable[[str], str]

    def devices(self) -> Sequence[Device]:
        """Best first."""
        return self.find_devices()

    def device(self, wish: str = AUTOMATIC) -> str:
        """The key of the device that a wish comes to. Raises DeviceUnavailable."""
        return self.resolve(wish)

    def environments(self) -> Sequence[Mapping[str, str]]:
        """Versions and switches, once for each device."""
        return [self.environment(device).facts for device in self.devices()]
