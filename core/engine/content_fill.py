"""Content fill: an Inpainter without a model. It continues what surrounds the mask, for removing things.

Shift-map inpainting (Pritch, Kav-Venaki and Peleg, ICCV 2009; He and Sun, Statistics of Patch Offsets, ECCV 2012), as
OpenCV has it: every masked pixel is taken from elsewhere in the picture, so grain and texture stay. A small model
paints such a hole from 128 x 128 pixels and leaves a soft patch.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.environment import Environment
from core.domain.generation import Phase
from core.domain.model import LoadedModel
from core.domain.request import WorkingRequest
from core.engine import device as devices
from core.engine.one_caller import OneCaller
from core.engine.shift_map import shift_map
from core.ports import OnStep, Repainted, StepReport
from core.settings import Settings

CALL_VERSION = 2
"""Raised when a change here makes other pixels of the same request. 2: in a process of its own, see shift_map.py."""

RADIUS_PX = 3
"""How far Telea's method looks, for pixels that found no place to be taken from."""


def load(key: str, native_px: int, settings: Settings) -> ContentFill:
    """Always on the CPU: there is nothing to load."""
    import cv2

    started = time.perf_counter()
    where = devices.resolve("cpu")
    devices.set_threads(settings.threads)
    model = LoadedModel(
        key=key,
        repository=None,
        revision=f"opencv {cv2.__version__}",
        device=where.key,
        dtype="uint8",
        cell=1,
        native_px=native_px,
        load_s=round(time.perf_counter() - started, 3),
        details={"method": "shift map", "opencv": cv2.__version__},
    )
    return ContentFill(model, devices.environment(where))


class ContentFill:
    """A ports.Inpainter. Prompt, seed, steps, guidance and scheduler have no part in it."""

    def __init__(self, model: LoadedModel, environment: Environment) -> None:
        self.model = model
        self.environment = environment
        self._one_caller = OneCaller()

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        with self._one_caller:
            return self._inpaint(request, on_step)

    def close(self) -> None:
        self._one_caller.close()

    def _inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        started = time.perf_counter()
        on_step(StepReport(Phase.PREPARING, 0, 1))
        filled = _filled(np.asarray(request.image), request.mask.pixels > 0)
        on_step(StepReport(Phase.DENOISING, 1, 1))
        on_step(StepReport(Phase.DECODING, 1, 1))
        return Repainted(
            Image.fromarray(filled),
            record={
                "call_version": CALL_VERSION,
                "width": request.image.width,
                "height": request.image.height,
                "model_revision": self.model.revision,
                "effective_steps": 1,
                "denoise_s": round(time.perf_counter() - started, 3),
            },
        )


def _filled(image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """image: (H, W, 3) RGB. hole: (H, W), what is to be made up."""
    import cv2

    if hole.all():
        return np.broadcast_to(image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8), image.shape).copy()
    filled = shift_map(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8), hole)
    # No colour is all zeros in Lab: there, nothing was found.
    left = hole & ~filled.any(axis=2)
    result = cv2.cvtColor(filled, cv2.COLOR_LAB2RGB)
    result[~hole] = image[~hole]
    if left.any():
        result = cv2.inpaint(result, left.astype(np.uint8) * 255, RADIUS_PX, cv2.INPAINT_TELEA)
    return np.asarray(result, np.uint8)
