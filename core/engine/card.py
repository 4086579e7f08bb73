"""How a graphics card is used: what a model is computed in there, how it lies on it, and in which kernels it runs.

Pure functions of the card, of its free memory and of the model. What changes pixels of it goes into the record, and a
verification takes it from there (core/engine/run/kernels.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.environment import Device
from core.domain.parameter_table import BFLOAT16, FLOAT32
from core.domain.run_memory import OnCard, Work
from core.engine.run.kernels import NOT_CHOSEN, Kernels

WHOLE, BY_PART, BY_LAYER, BY_GROUP = "whole", "model", "sequential", "group"
"""How a pipeline lies on a card: all of it, the part at work, or the layer at work; the names are those of diffusers'
enable_model_cpu_offload, enable_sequential_cpu_offload and enable_group_offload. The last of them brings the next layer
while one is at work."""

FLOAT16 = "float16"

DENOISERS, VAE = ("unet", "transformer"), "vae"

WORK = Work()
"""That of a run with guidance and the model's own autoencoder: the most of what is usual."""

TURING_WITHOUT_TENSOR_CORES = re.compile(r"GTX 16\d0|\bT(?:500|550|600|1000|1200|2000)\b|\bMX[45]50\b|CMP 30HX")
"""NVIDIA's TU116 and TU117, by the names they are sold under: float16 gives them pictures without numbers."""

TENSOR_CORES, AMPERE = (7, 0), (8, 0)
"""Of NVIDIA's compute capabilities the first with tensor cores, and the first that multiplies bfloat16 and has flash
attention."""


@dataclass(frozen=True, slots=True)
class Card:
    """name: as its maker calls it. capability: NVIDIA's compute capability, None for a card of another maker.

    has_compiler: whether torch.compile finds what it needs there (triton).
    """

    name: str
    capability: tuple[int, int] | None = None
    has_compiler: bool = False

    @property
    def half(self) -> str:
        """What a U-Net is computed in."""
        return FLOAT32 if TURING_WITHOUT_TENSOR_CORES.search(self.name) else FLOAT16

    def has(self, capability: tuple[int, int]) -> bool:
        return self.capability is not None and self.capability >= capability


def dtype(device: Device, parts: Mapping[str, int], free: int | None, *, native_px: int) -> tuple[str, str]:
    """What a model is computed in if nothing was asked for, and why.

    device: a card; its dtype is what the family computes in there. parts: bytes of the components in float32. free:
    bytes of the card. native_px: a side of the model's own size.
    """
    if device.dtype != BFLOAT16 or device.takes_bfloat16:
        return device.dtype, "what the card computes in"
    # Without units for it bfloat16 takes as long as float32. It is worth that where it halves what has to be brought.
    if placement(parts, free, FLOAT32, native_px=native_px) == WHOLE:
        return FLOAT32, "the card has no units for bfloat16, and it fits"
    return BFLOAT16, "the card has no units for it, and float32 would not fit"


def placement(parts: Mapping[str, int], free: int | None, dtype: str, *, native_px: int, by_group: bool = False) -> str:
    """The fastest in which a picture of the model's own size fits a card.

    parts: bytes of the components as they are loaded, in this dtype. free: bytes of the card, None where it cannot be
    told. native_px: a side of that size. by_group: whether a part that does not fit can come by groups of layers.
    """
    run = OnCard(WORK, dtype, native_px**2)
    if free is None or sum(parts.values()) + run.most <= free:
        return WHOLE
    beside = {**dict.fromkeys(DENOISERS, run.steps), VAE: run.decoded}
    if all(size + beside.get(name, 0) <= free for name, size in parts.items()):
        return BY_PART
    return BY_GROUP if by_group else BY_LAYER


def takes_groups(device: Device, *, of_unet: bool) -> bool:
    """Whether layers can be brought ahead of time: by a stream of CUDA, and not to a U-Net, whose weights are exchanged
    for those with a LoRA while the groups still hold the ones before."""
    return device.key.startswith("cuda") and not of_unet


def pins_ahead(parts: Mapping[str, int], free: int) -> bool:
    """Whether all weights are kept where a card can fetch them by itself: faster, but for a moment they lie in the
    machine's memory twice. free: its bytes."""
    return 2 * sum(parts.values()) <= free


def kernels(card: Card | None, dtype: str, placement: str, *, of_unet: bool, compiles: bool) -> Kernels:
    """What a denoiser runs in. card: None for the processor, and Apple's graphics. compiles: whether it is wished for.

    Attention: those of torch that are fast on this card, and the plain one for what they do not take; never cuDNN's,
    which makes a plan for each new size, and which one version of torch prefers and the next does not. The layout
    "channels_last" is what the tensor cores' convolutions work in, so it spares U-Nets in half precision the change to
    it and back at each. Compiled is only what lies on the card as a whole: elsewhere the way there takes the time.
    """
    if card is None or card.capability is None:
        return NOT_CHOSEN
    is_half = dtype != FLOAT32
    return Kernels(
        attention=("flash", "efficient", "math") if is_half and card.has(AMPERE) else ("efficient", "math"),
        channels_last=of_unet and is_half and card.has(TENSOR_CORES) and placement in (WHOLE, BY_PART),
        compiled=compiles and card.has_compiler and card.has(TENSOR_CORES) and placement == WHOLE,
    )
