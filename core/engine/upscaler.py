"""Upscalers: networks of ONNX files that return a picture larger, run by OpenCV tile by tile.

A tile always has the same size, so memory does not depend on the picture; each is seen with some pixels around it, of
which nothing is kept. A network that enlarges by less than is asked for runs again on what it returned; what is larger
than asked for is reduced by Lanczos.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.environment import Environment
from core.domain.errors import InvalidParams, ModelUnavailable
from core.domain.generation import Phase
from core.domain.model import LoadedModel, ModelSpec
from core.domain.request import WorkingRequest
from core.domain.upscale import LANCZOS
from core.engine import device as devices
from core.engine.models.onnx_kinds import FACTORS
from core.engine.one_caller import OneCaller
from core.engine.onnx_network import OnnxNetwork, as_levels, scale_to_levels
from core.ports import OnStep, Repainted, StepReport
from core.settings import Settings

CALL_VERSION = 1
"""Raised when a change here makes other pixels of the same request, which then wants new rules of processing."""

TILE_PX = 192
"""A side of a tile where the file leaves it open, as A1111 has it for ESRGAN (ESRGAN_tile)."""

AROUND_PX = 16
"""Of it, on each side, for the network to see only. A network of small tiles gets a quarter of them at most."""

Pixels = NDArray[np.uint8]


def load(spec: ModelSpec, path: Path | None, settings: Settings) -> Upscaler:
    """path: of the ONNX file; None for Lanczos. Raises DamagedModel, ModelUnavailable or OutOfMemory."""
    import cv2
    import PIL

    started = time.perf_counter()
    where = devices.resolve("cpu")
    threads = devices.set_threads(settings.threads)
    net = OnnxNetwork(path) if path else None
    facts = {"opencv": cv2.__version__, "weights": {net.name: net.sha256}} if net else {"pillow": PIL.__version__}
    model = LoadedModel(
        key=spec.key,
        repository=None,
        revision=net.sha256 if net else f"pillow {PIL.__version__}",
        device=where.key,
        dtype="float32" if net else "uint8",
        cell=1,
        native_px=spec.native_px,
        load_s=round(time.perf_counter() - started, 3),
        details=facts,
    )
    return Upscaler(net, model, devices.environment(where), threads)


class Upscaler:
    """A ports.Inpainter for upscales, whose pictures come back enlarged. Of the params only the factor counts."""

    def __init__(self, net: OnnxNetwork | None, model: LoadedModel, environment: Environment, threads: int) -> None:
        self.model = model
        self.environment = environment
        self._net = net
        self._threads = threads
        self._one_caller = OneCaller(self._release)

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        with self._one_caller:
            upscale = request.params.upscale
            if upscale is None:
                raise InvalidParams("This model only enlarges pictures. Choose another one to paint with.")
            started = time.perf_counter()
            threads = devices.recorded_threads(request.recorded) or self._threads
            image: Image.Image = request.image
            record: Mapping[str, Any] = {"method": LANCZOS, "effective_steps": 1}
            if self._net is None:
                on_step(StepReport(Phase.PREPARING, 0, 1))
                on_step(StepReport(Phase.DENOISING, 1, 1))
                on_step(StepReport(Phase.DECODING, 1, 1))
            else:
                image, record = _Run(self._net, threads, on_step).enlarged(request.image, upscale.factor)
            return Repainted(
                image,
                record={
                    "call_version": CALL_VERSION,
                    "threads": threads,
                    "width": request.image.width,
                    "height": request.image.height,
                    "model_revision": self.model.revision,
                    **record,
                    "denoise_s": round(time.perf_counter() - started, 3),
                },
            )

    def close(self) -> None:
        self._one_caller.close()

    def _release(self) -> None:
        self._net = None


class _Run:
    """Of one picture through the network, once or several times."""

    def __init__(self, net: OnnxNetwork, threads: int, on_step: OnStep) -> None:
        self._net, self._threads, self._on_step = net, threads, on_step
        [taken] = net.network.inputs
        self._input = taken.name
        self._tile = next((side for side in taken.shape[2:] if side), TILE_PX)
        self._around = min(AROUND_PX, self._tile // 4)
        self._done = self._total = 0

    def enlarged(self, picture: Image.Image, factor: int) -> tuple[Image.Image, Mapping[str, Any]]:
        wanted = (picture.width * factor, picture.height * factor)
        pixels, by, passes = np.asarray(picture), 1, 0
        self._total = self._tiles(picture.width, picture.height)
        self._on_step(StepReport(Phase.PREPARING, 0, self._total))
        while by**passes < factor or not passes:
            pixels, by = self._pass(pixels, factor)
            passes += 1
        self._on_step(StepReport(Phase.DECODING, self._total, self._total))
        image = Image.fromarray(pixels)
        image = image if image.size == wanted else image.resize(wanted, Image.Resampling.LANCZOS)
        record = {"method": self._net.name, "effective_steps": self._total, "network_factor": by, "passes": passes}
        return image, record | {"tile": self._tile}

    def _tiles(self, width: int, height: int) -> int:
        inner = self._tile - 2 * self._around
        return ceil(width / inner) * ceil(height / inner)

    def _pass(self, pixels: Pixels, factor: int) -> tuple[Pixels, int]:
        """Enlarged once, and by how much. factor: that is to be reached in the end."""
        height, width = pixels.shape[:2]
        inner, around = self._tile - 2 * self._around, self._around
        beyond = [(around, self._tile - around + -side % inner) for side in (height, width)]
        padded = np.pad(pixels, (*beyond, (0, 0)), mode="symmetric")
        large, by = np.empty((0, 0, 3), np.uint8), 0
        for top in range(0, height, inner):
            for left in range(0, width, inner):
                tile = self._run(padded[top : top + self._tile, left : left + self._tile])
                if not by:
                    by = self._factor(tile)
                    large = np.empty((height * by, width * by, 3), np.uint8)
                    if not self._done and by < factor:
                        # It runs once more.
                        self._total += self._tiles(width * by, height * by)
                kept = tile[around * by : (around + inner) * by, around * by : (around + inner) * by]
                place = large[top * by : (top + inner) * by, left * by : (left + inner) * by]
                place[:] = kept[: place.shape[0], : place.shape[1]]
                self._done += 1
                self._on_step(StepReport(Phase.DENOISING, self._done, self._total))
        return large, by

    def _factor(self, tile: Pixels) -> int:
        height: int = tile.shape[0]
        by, rest = divmod(height, self._tile)
        if rest or by not in FACTORS or tile.shape != (by * self._tile, by * self._tile, 3):
            raise ModelUnavailable(
                f"{self._net.name} makes {tile.shape[1]} x {height} pixels of {self._tile} x {self._tile}, so it is no "
                "upscaler. Choose another file."
            )
        return by

    def _run(self, tile: Pixels) -> Pixels:
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1))[None].astype(np.float32) / np.float32(255)
        returned = self._net.run({self._input: planes}, self._threads)
        if returned.ndim != 4 or returned.shape[:2] != (1, 3):
            raise ModelUnavailable(f"{self._net.name} returns no picture, so it is no upscaler. Choose another file.")
        colours = returned[0].transpose(1, 2, 0).astype(np.float32)
        return as_levels(colours * scale_to_levels(float(colours.mean()), float(tile.mean())))
