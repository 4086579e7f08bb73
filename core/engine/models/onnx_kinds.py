"""What an ONNX file is, told by what it takes and returns: a remover, an upscaler, or something else."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from core.domain.model_file import FileKind, ModelFile
from core.engine.models import onnx_header
from core.engine.models.onnx_header import Network, Value

USUAL_SIDE, LEAST_SIDE, LARGEST_SIDE = 512, 64, 2048
"""Pixels of the square that a remover works on: where the file leaves it open, and what is taken."""

FACTORS = (2, 3, 4, 8)
"""By which upscalers enlarge."""


class Signature(StrEnum):
    """How a remover is called. The values are names for people.

    LAMA: colours from 0 to 1 and a mask that is 1 in the hole, as advimman/lama. MIGAN: four channels, the mask less a
    half (1 where it is known) before the known colours from -1 to 1, as Picsart-AI-Research/MI-GAN. MIGAN_PIPELINE: its
    script create_onnx_pipeline.py makes the picture and the mask (255 where it is known) 8-bit.
    """

    LAMA = "LaMa"
    MIGAN = "MI-GAN"
    MIGAN_PIPELINE = "MI-GAN pipeline"


def of(path: Path) -> ModelFile:
    """Raises Damaged, in words that follow the name of the file."""
    network = onnx_header.read(path)
    if signature := signature_of(network):
        return ModelFile(FileKind.REMOVER, network.size, variant=signature.value)
    return ModelFile(FileKind.UPSCALER if enlarges(network) else FileKind.ONNX, network.size)


def signature_of(network: Network) -> Signature | None:
    """How this remover is called; None if it is none."""
    pictures, masks, both = (_with_channels(network.inputs, count) for count in (3, 1, 4))
    if not _returns_picture(network) or len(pictures) + len(masks) + len(both) != len(network.inputs):
        return None
    if len(both) == 1 and len(network.inputs) == 1:
        signature = Signature.MIGAN if both[0].dtype == "float32" else None
    elif len(pictures) == len(masks) == 1 and pictures[0].dtype == masks[0].dtype:
        signature = {"float32": Signature.LAMA, "uint8": Signature.MIGAN_PIPELINE}.get(pictures[0].dtype)
    else:
        signature = None
    return signature if all(_side(one) for one in network.inputs) else None


def side_of(network: Network) -> int:
    """Pixels of the square that this remover works on."""
    return _side(network.inputs[0]) or USUAL_SIDE


def enlarges(network: Network) -> bool:
    """Whether it may be an upscaler; where sizes are left open, only running it tells."""
    if len(network.inputs) != 1 or not _returns_picture(network):
        return False
    taken, returned = network.inputs[0], network.outputs[0]
    if not _with_channels([taken], 3) or taken.dtype != "float32" or returned.dtype != "float32":
        return False
    sides = [(one, other) for one, other in zip(taken.shape[2:], returned.shape[2:], strict=False) if one and other]
    return all(other % one == 0 and other // one in FACTORS for one, other in sides)


def _with_channels(values: tuple[Value, ...] | list[Value], count: int) -> list[Value]:
    return [one for one in values if len(one.shape) == 4 and one.shape[1] == count and one.shape[0] in (None, 0, 1)]


def _returns_picture(network: Network) -> bool:
    """One, or where the file does not tell its shape, perhaps one."""
    first = network.outputs[0] if network.outputs else None
    return first is not None and (not first.shape or (len(first.shape) == 4 and first.shape[1] in (None, 0, 3)))


def _side(value: Value) -> int | None:
    """None for what is no square, or too small or large."""
    height, width = (side or USUAL_SIDE for side in value.shape[2:])
    return height if height == width and LEAST_SIDE <= height <= LARGEST_SIDE else None
