"""Where a generation was made: the device, and the versions and switches that decide the last bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.domain.errors import DeviceUnavailable, InvalidParams
from core.domain.hashing import canonical_json, sha256_of
from core.domain.params import AUTO_DTYPE, BFLOAT16, PARAMETERS, InpaintParams, as_int8, computed_in

AUTOMATIC = "auto"
"""Said in the place of a device: the best one of this machine, or that of the settings."""

OPENVINO = "openvino"
"""The processor, by a library that is installed apart."""

IN_OWN_MEMORY = ("cpu", "mps", OPENVINO)
"""Devices whose models lie in the machine's own memory."""


@dataclass(frozen=True, slots=True)
class Device:
    """key: "cpu", "cuda:0", "mps", "xpu:0", "openvino". title: what a person calls it, with its memory where known.

    memory: bytes of a card; None of what has none of its own. takes_bfloat16: whether it computes in it at full speed.
    """

    key: str
    title: str
    dtype: str
    memory: int | None = None
    takes_bfloat16: bool = False

    @property
    def dtypes(self) -> str:
        """What it computes in: by itself, and at full speed if it is asked to."""
        return ", ".join(dict.fromkeys([self.dtype, *([BFLOAT16] if self.takes_bfloat16 else [])]))

    @property
    def is_processor(self) -> bool:
        """Whether torch calls it "cpu"."""
        return self.key in ("cpu", OPENVINO)

    @property
    def keeps_int8(self) -> bool:
        """Whether weights can be kept as int8."""
        return self.key in ("cpu", "mps")

    def checked_dtype(self, wish: str) -> str | None:
        """A key of DTYPES, if this device can load a model so; None: its own choice. Raises InvalidParams."""
        if wish == AUTO_DTYPE:
            return None
        # A card without units for it computes it as fast as float32.
        if computed_in(wish) == BFLOAT16 and not self.takes_bfloat16 and self.key in IN_OWN_MEMORY:
            raise InvalidParams(
                f"{self.title} does not compute in bfloat16: it would take many times as long. Choose another "
                "precision."
            )
        if as_int8(wish) and not self.keeps_int8:
            raise InvalidParams(f"On {self.title} weights are not kept as int8. Choose another precision or device.")
        return wish

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidParams for what cannot be had on this device."""
        self.checked_dtype(params.dtype)
        asked = {
            "loras": bool(params.all_loras),
            "controlnet": bool(params.controlnet),
            "ip_adapter": bool(params.ip_adapter),
            "cache_interval": params.cache_interval > 1,
        }
        for name, is_asked in asked.items():
            # Each of them would change the network, which is made once.
            if is_asked and self.key == OPENVINO:
                raise InvalidParams(
                    f"{PARAMETERS[name].title}: OpenVINO computes a model as it is. Leave it out, or choose the device "
                    "cpu."
                )


def named(wish: str, devices: Sequence[Device]) -> Device:
    """The one among these that a key, or the kind of a card ("cuda"), means. Raises DeviceUnavailable."""
    wanted = f"{wish}:0" if wish in ("cuda", "xpu") else wish
    for device in devices:
        if device.key == wanted:
            return device
    names = ", ".join(device.key for device in devices)
    if wanted == OPENVINO:
        raise DeviceUnavailable(
            "OpenVINO is not installed here: pip install -r requirements-openvino.txt, and start again. Or choose one "
            f"of: {names}."
        )
    raise DeviceUnavailable(
        f"The device {wish!r} is not available on this machine. Choose one of: {names}, or {AUTOMATIC}."
    )


@dataclass(frozen=True, slots=True)
class Environment:
    """Facts as text, such as {"torch": "2.13.0", "cpu": "...", "threads": "2"}; equal facts share one row."""

    facts: Mapping[str, str]

    @property
    def id(self) -> str:
        return sha256_of(self.to_json().encode())

    def to_json(self) -> str:
        return canonical_json(dict(self.facts))
