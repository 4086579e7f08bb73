"""The memory plan: what a model is kept and computed in, and why, before any of it is loaded.

A pure function of the model, the memory that is free, the device and what the artist asked for. What changes pixels
of it goes into the record, and a verification asks for just that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.domain.environment import IN_OWN_MEMORY, Device
from core.domain.errors import InvalidParams, OutOfMemory
from core.domain.params import AUTO_DTYPE, BFLOAT16, DTYPES, INT8_BFLOAT16, INT8_FLOAT32, as_int8, computed_in
from core.domain.run_memory import LEAST_PX, Work
from core.engine import card
from core.engine.memory import BYTES

WORK = Work()
"""That of a run with guidance and the model's own autoencoder: the most of what is usual."""

UNET = "unet"
TRANSFORMER = "transformer"
INT8_PARTS = (UNET, TRANSFORMER)
"""The denoisers whose weights can be kept as int8: the names of their components."""


@dataclass(frozen=True, slots=True)
class Plan:
    """dtype: a key of DTYPES, or of torch for a card. needed: bytes of the weights. reason: a sentence.

    most_px: a side of the largest square that fits beside them; None where that cannot be told, and of a card.
    """

    dtype: str
    needed: int
    reason: str
    most_px: int | None = None

    @property
    def computed_in(self) -> str:
        """A type of torch."""
        return computed_in(self.dtype)

    @property
    def as_int8(self) -> bool:
        """Whether the weights of the U-Net are kept so."""
        return as_int8(self.dtype)


def plan(
    parts: Mapping[str, int],
    device: Device,
    *,
    half: str,
    free: int | None,
    native_px: int,
    wish: str = AUTO_DTYPE,
    smaller: bool = False,
) -> Plan:
    """What to load in: what was asked for; else on a card its own type, and in the machine's memory the first that fits
    of float32, of bfloat16 where the family bears it, and of int8 where its denoiser is a U-Net. It fits if there is
    room beside it for a picture of the model's own size; of the last, for the least picture that can be painted.

    parts: bytes of the components in float32, by name. device: its dtype is what the family computes in there. half:
    the half precision that the family bears. free: bytes of memory, None where it cannot be told. native_px: a side of
    the model's own size. wish: a key of DTYPES. smaller: after memory ran out, without the first of them, if there is a
    next. To leave more of a model off a card would not help then: what lies there takes none of the machine's memory,
    and what is brought there as it is needed lies in it whole. Raises OutOfMemory, InvalidParams.
    """
    _check(wish, parts, device)
    if device.key not in IN_OWN_MEMORY:
        dtype, why = card.dtype(device, parts, free, native_px=native_px) if wish == AUTO_DTYPE else (wish, "as chosen")
        return Plan(dtype, needed_in(dtype, parts), f"{dtype}: {why}")
    choices = [wish] if wish != AUTO_DTYPE else _ladder(parts, device, half)
    tried = choices[1:] if smaller and len(choices) > 1 else choices
    for dtype in tried:
        needed = needed_in(dtype, parts)
        if free is None:
            return Plan(dtype, needed, _reason(dtype, needed, choices, parts, free, wish, native_px))
        if needed + _room(dtype, LEAST_PX if dtype == tried[-1] else native_px) <= free:
            most_px = WORK.side((free - needed) // BYTES[computed_in(dtype)])
            reason = _reason(dtype, needed, choices, parts, free, wish, native_px)
            if most_px is not None and most_px < native_px:
                reason += f". Beside them there is room for {most_px} x {most_px} pixels at the most"
            return Plan(dtype, needed, reason, most_px)
    least = min(needed_in(dtype, parts) + _room(dtype, LEAST_PX) for dtype in tried)
    raise OutOfMemory(
        f"This model needs about {_gb(least)} of memory, and {_gb(free or 0)} are free. "
        f"{_advice(wish, parts, device)}, or close other programs."
    )


def needed_in(dtype: str, parts: Mapping[str, int]) -> int:
    """Bytes of all components once they are loaded so. parts: their bytes in float32."""
    of_one = BYTES[computed_in(dtype)]
    return sum(
        size // 4 if as_int8(dtype) and name in INT8_PARTS else size * of_one // 4 for name, size in parts.items()
    )


def _room(dtype: str, side: int) -> int:
    """Bytes that are taken while a picture of this side is painted."""
    return WORK.whole(side * side) * BYTES[computed_in(dtype)]


def _check(wish: str, parts: Mapping[str, int], device: Device) -> None:
    device.checked_dtype(wish)
    if as_int8(wish) and not any(part in parts for part in INT8_PARTS):
        raise InvalidParams(
            "Only the weights of a U-Net or a transformer can be kept as int8, and this model has neither. Choose "
            "bfloat16."
        )


def _ladder(parts: Mapping[str, int], device: Device, half: str) -> Sequence[str]:
    """Of the automatic choice, the largest first."""
    bears_half, has_unet = half == BFLOAT16, UNET in parts and device.keeps_int8
    return [device.dtype, *([BFLOAT16] if bears_half else []), *([INT8_FLOAT32] if has_unet and not bears_half else [])]


def _reason(
    dtype: str,
    needed: int,
    choices: Sequence[str],
    parts: Mapping[str, int],
    free: int | None,
    wish: str,
    native_px: int,
) -> str:
    run = f"a picture of {native_px} x {native_px} pixels {_gb(_room(dtype, native_px))}"
    fits = f"{dtype}: its weights take {_gb(needed)}, {run}"
    if wish != AUTO_DTYPE:
        return f"{fits}, as chosen"
    if dtype == choices[0]:
        return fits if free is None else f"{fits}, and {_gb(free)} are free"
    first = needed_in(choices[0], parts) + _room(choices[0], native_px)
    if free is None or first <= free:
        return f"{fits}; in {choices[0]}, which takes {_gb(first)}, memory ran out"
    return f"{fits}; in {choices[0]} both would take {_gb(first)}, and {_gb(free)} are free"


def _advice(wish: str, parts: Mapping[str, int], device: Device) -> str:
    """The beginning of a sentence: what else could be loaded."""
    if any(part in parts for part in INT8_PARTS) and device.keeps_int8 and not as_int8(wish):
        least = INT8_FLOAT32 if UNET in parts or not device.takes_bfloat16 else INT8_BFLOAT16
        return f"Choose the precision {DTYPES[least]!r} or a smaller model"
    return "Choose a smaller model"


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
