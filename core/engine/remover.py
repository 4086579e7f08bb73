"""Removers: an Inpainter over LaMa, MI-GAN and others of their kind, which fill a hole from what they have learned.

They are ONNX files that OpenCV runs. Unlike content fill they invent what the picture does not show; unlike Stable
Diffusion they take no words and no chance, and one run is all. They know one size: what comes at another one is resized
to it, and what is no square is continued by its mirror image.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.environment import Environment
from core.domain.errors import BrokenResult, DamagedModel, UnknownModel
from core.domain.generation import Phase
from core.domain.geometry import Size
from core.domain.model import LoadedModel, ModelSpec
from core.domain.request import WorkingRequest
from core.engine import device as devices
from core.engine.models.onnx_kinds import Signature, side_of, signature_of
from core.engine.one_caller import OneCaller
from core.engine.onnx_network import OnnxNetwork, as_levels, scale_to_levels
from core.ports import OnStep, Repainted, StepReport
from core.settings import Settings

CALL_VERSION = 1
"""Raised when a change here makes other pixels of the same request, which then wants new rules of processing."""

Pixels = NDArray[np.uint8]


def load(spec: ModelSpec, path: Path, settings: Settings) -> Remover:
    """path: of its ONNX file. Raises DamagedModel, UnknownModel, ModelUnavailable or OutOfMemory."""
    import cv2

    started = time.perf_counter()
    where = devices.resolve("cpu")
    threads = devices.set_threads(settings.threads)
    net = OnnxNetwork(path)
    if spec.pinned is not None and net.sha256 != spec.pinned.sha256:
        raise DamagedModel(f"{path.name} is not the file of {spec.title}. Remove the model and download it again.")
    signature = signature_of(net.network)
    if signature is None:
        raise UnknownModel(f"{path.name} is no remover: it does not take a picture and a mask. Choose another one.")
    model = LoadedModel(
        key=spec.key,
        repository=spec.repository,
        revision=net.sha256,
        device=where.key,
        dtype="float32",
        cell=1,
        native_px=spec.native_px,
        load_s=round(time.perf_counter() - started, 3),
        details={"opencv": cv2.__version__, "signature": signature.value, "weights": {path.name: net.sha256}},
    )
    return Remover(net, signature, model, devices.environment(where), threads)


class Remover:
    """A ports.Inpainter. Of the params none counts here: crop, mask and blending follow from them as with any model."""

    def __init__(
        self, net: OnnxNetwork, signature: Signature, model: LoadedModel, environment: Environment, threads: int
    ) -> None:
        self.model = model
        self.environment = environment
        self._net: OnnxNetwork | None = net
        self._signature = signature
        self._threads = threads
        self._one_caller = OneCaller(self._release)

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        with self._one_caller:
            started = time.perf_counter()
            on_step(StepReport(Phase.PREPARING, 0, 1))
            threads = devices.recorded_threads(request.recorded) or self._threads
            filled = self._filled(request.image, request.mask.pixels > 0, threads)
            on_step(StepReport(Phase.DENOISING, 1, 1))
            on_step(StepReport(Phase.DECODING, 1, 1))
            return Repainted(
                Image.fromarray(filled),
                record={
                    "call_version": CALL_VERSION,
                    "method": self._signature.value,
                    "threads": threads,
                    "effective_steps": 1,
                    "width": request.image.width,
                    "height": request.image.height,
                    "model_revision": self.model.revision,
                    "denoise_s": round(time.perf_counter() - started, 3),
                },
            )

    def close(self) -> None:
        self._one_caller.close()

    def _release(self) -> None:
        self._net = None

    def _filled(self, picture: Image.Image, hole: NDArray[np.bool_], threads: int) -> Pixels:
        """The picture with its hole filled; around it every pixel is as it was."""
        assert self._net is not None
        side = side_of(self._net.network)
        square = Square.of(picture, hole, side)
        returned = self._net.run(_inputs(self._net, self._signature, square), threads)
        if returned.shape != (1, 3, side, side):
            raise BrokenResult(f"{self._net.name} returned no picture of {side} x {side} pixels. Choose another model.")
        colours = _colours(self._signature, returned[0].transpose(1, 2, 0), square)
        filled = square.undone(colours, Size(*picture.size))
        return np.where(hole[..., None], filled, np.asarray(picture))


@dataclass(frozen=True, slots=True)
class Square:
    """What the network gets. pixels: (side, side, 3). hole: (side, side). part: of the picture in it, top left."""

    pixels: Pixels
    hole: NDArray[np.bool_]
    part: Size

    @classmethod
    def of(cls, picture: Image.Image, hole: NDArray[np.bool_], side: int) -> Square:
        scale = side / max(picture.size)
        part = Size(*(min(side, max(1, round(length * scale))) for length in picture.size))
        if part != Size(*picture.size):
            picture = picture.resize(part.sides, Image.Resampling.LANCZOS)
            # A pixel that the hole only touches is of the hole, or what is to be removed would show through.
            coverage = Image.fromarray(hole.astype(np.uint8) * 255).resize(part.sides, Image.Resampling.BOX)
            hole = np.asarray(coverage) > 0
        beside = ((0, side - part.height), (0, side - part.width))
        pixels = np.pad(np.asarray(picture), (*beside, (0, 0)), mode="symmetric")
        return cls(pixels, np.pad(hole, beside, mode="symmetric"), part)

    def undone(self, colours: Pixels, size: Size) -> Pixels:
        """Of a square of such pixels the part that is the picture, at its size."""
        picture = Image.fromarray(colours[: self.part.height, : self.part.width])
        return np.asarray(picture if self.part == size else picture.resize(size.sides, Image.Resampling.LANCZOS))


def _inputs(net: OnnxNetwork, signature: Signature, square: Square) -> dict[str, NDArray[Any]]:
    """By the names that the file has for them."""
    planes = np.ascontiguousarray(square.pixels.transpose(2, 0, 1))[None]
    hole = square.hole[None, None]
    if signature is Signature.MIGAN:
        known = 1 - hole.astype(np.float32)
        colours = planes.astype(np.float32) / np.float32(127.5) - 1
        return {net.network.inputs[0].name: np.concatenate([known - np.float32(0.5), colours * known], axis=1)}
    picture, mask = sorted(net.network.inputs, key=lambda one: one.shape[1] or 0, reverse=True)
    if signature is Signature.MIGAN_PIPELINE:
        return {picture.name: planes, mask.name: np.where(hole, np.uint8(0), np.uint8(255))}
    return {picture.name: planes.astype(np.float32) / np.float32(255), mask.name: hole.astype(np.float32)}


def _colours(signature: Signature, returned: NDArray[Any], square: Square) -> Pixels:
    """From 0 to 255. returned: (side, side, 3)."""
    if returned.dtype == np.uint8:
        return returned
    returned = returned.astype(np.float32)
    if signature is Signature.MIGAN:
        returned = (returned + 1) * np.float32(127.5)
    elif signature is Signature.LAMA:
        returned = returned * _scale(returned, square)
    return as_levels(returned)


def _scale(returned: NDArray[np.float32], square: Square) -> np.float32:
    """Around the hole all files return the picture that they got."""
    around = ~square.hole
    if not around.any():
        return np.float32(1 if returned.max() > 1 else 255)
    return scale_to_levels(float(returned[around].mean()), float(square.pixels[around].mean()))
