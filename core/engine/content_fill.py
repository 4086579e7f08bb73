"""Content fill: an Inpainter without a model. It continues what surrounds the mask, for removing things.

Every masked pixel is taken from elsewhere in the picture, so grain and texture stay: by patches (fill/completion.py),
and what was painted before there was that, again by OpenCV's shift map (shift_map.py). A small model paints such a hole
from 128 x 128 pixels and leaves a soft patch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.environment import Environment
from core.domain.generation import Phase
from core.domain.model import LoadedModel
from core.domain.params import FIRST_PATCH_MATCH, InpaintParams
from core.domain.request import WorkingRequest
from core.engine import device as devices
from core.engine.one_caller import OneCaller
from core.engine.shift_map import shift_map
from core.ports import OnStep, Repainted, StepReport
from core.settings import Settings

SHIFT_MAP_VERSION = 2
"""Of the call, as records have it. 2: in a process of its own, see shift_map.py. It stays as it is."""

CALL_VERSION = 3
"""Raised when a change here makes other pixels of the same request, which then wants new rules of processing."""

RADIUS_PX = 3
"""How far Telea's method looks, for pixels that found no place to be taken from."""


def load(key: str, native_px: int, settings: Settings) -> ContentFill:
    """Always on the CPU: there is nothing to load."""
    import cv2

    started = time.perf_counter()
    where = devices.resolve("cpu")
    threads = devices.set_threads(settings.threads)
    model = LoadedModel(
        key=key,
        repository=None,
        revision=f"opencv {cv2.__version__}",
        device=where.key,
        dtype="uint8",
        cell=1,
        native_px=native_px,
        load_s=round(time.perf_counter() - started, 3),
        details={"opencv": cv2.__version__},
    )
    return ContentFill(model, devices.environment(where), threads)


class ContentFill:
    """A ports.Inpainter. Of the params the seed alone counts: it decides among places that suit alike."""

    def __init__(self, model: LoadedModel, environment: Environment, threads: int) -> None:
        self.model = model
        self.environment = environment
        self._threads = threads
        self._one_caller = OneCaller()

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        with self._one_caller:
            started = time.perf_counter()
            rgb, hole = np.asarray(request.image), request.mask.pixels > 0
            if request.params.processing < FIRST_PATCH_MATCH:
                filled, record = _by_shift_map(rgb, hole, on_step)
            else:
                filled, record = self._by_patches(rgb, hole, request.params, on_step)
            return Repainted(
                Image.fromarray(filled),
                record={
                    **record,
                    "width": request.image.width,
                    "height": request.image.height,
                    "model_revision": self.model.revision,
                    "denoise_s": round(time.perf_counter() - started, 3),
                },
            )

    def close(self) -> None:
        self._one_caller.close()

    def _by_patches(
        self, rgb: NDArray[np.uint8], hole: NDArray[np.bool_], params: InpaintParams, on_step: OnStep
    ) -> tuple[NDArray[np.uint8], Mapping[str, Any]]:
        import scipy

        from core.engine.fill.completion import Completion

        completion = Completion(rgb, hole)
        total = completion.rounds if completion.is_possible else 1

        def report(done: int) -> None:
            on_step(StepReport(Phase.DENOISING, done, total))

        on_step(StepReport(Phase.PREPARING, 0, total))
        if completion.is_possible:
            # Around a chosen picture it is the variation seed by which several differ.
            seeds = [params.seed, params.variation_seed] if params.variation_strength else [params.seed]
            filled = completion.run(seeds, self._threads, report)
        else:
            filled = _smooth(rgb, hole)
            report(1)
        on_step(StepReport(Phase.DECODING, total, total))
        return filled, {
            "call_version": CALL_VERSION,
            "method": "patchmatch",
            "scipy": scipy.__version__,
            "effective_steps": total,
        }


def _smooth(rgb: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Where next to nothing is known that could be copied."""
    import cv2

    if hole.all():
        return np.broadcast_to(rgb.reshape(-1, 3).mean(axis=0).round().astype(np.uint8), rgb.shape).copy()
    return np.asarray(cv2.inpaint(rgb, hole.astype(np.uint8) * 255, RADIUS_PX, cv2.INPAINT_TELEA), np.uint8)


def _by_shift_map(
    rgb: NDArray[np.uint8], hole: NDArray[np.bool_], on_step: OnStep
) -> tuple[NDArray[np.uint8], Mapping[str, Any]]:
    on_step(StepReport(Phase.PREPARING, 0, 1))
    filled = filled_by_shift_map(rgb, hole)
    on_step(StepReport(Phase.DENOISING, 1, 1))
    on_step(StepReport(Phase.DECODING, 1, 1))
    return filled, {"call_version": SHIFT_MAP_VERSION, "effective_steps": 1}


def filled_by_shift_map(image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """image: (H, W, 3) RGB. hole: (H, W), what is to be made up."""
    import cv2

    if hole.all():
        return _smooth(image, hole)
    filled = shift_map(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8), hole)
    # No colour is all zeros in Lab: there, nothing was found.
    left = hole & ~filled.any(axis=2)
    result = cv2.cvtColor(filled, cv2.COLOR_LAB2RGB)
    result[~hole] = image[~hole]
    if left.any():
        result = cv2.inpaint(result, left.astype(np.uint8) * 255, RADIUS_PX, cv2.INPAINT_TELEA)
    return np.asarray(result, np.uint8)
