"""The small networks that selecting runs: files of this repository, pinned by their hashes, run by OpenCV on the CPU.

OpenCV gives the same bits with any number of threads, so nothing of that is recorded. They are loaded when they are
asked for (0.1 s) and let go after it: selecting is rare, and their buffers take more memory than their files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain.errors import DamagedModel
from core.domain.hashing import sha256_of
from core.engine.opencv import silent, told
from core.files import read_regular, why

FOLDER = Path(__file__).parents[3] / "assets" / "selection"

MAX_BYTES = 16 * 2**20

ADVICE = "Install the version of OpenCV that requirements.txt names."

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file of assets/selection. sha256: what it must be. outputs: the names of what is taken from it."""

    name: str
    sha256: str
    outputs: tuple[str, ...]

    def load(self) -> Network:
        """Raises DamagedModel for another file, ModelUnavailable or OutOfMemory."""
        import cv2

        data = np.frombuffer(self._read(), np.uint8)
        with told(self.name, "loaded", ADVICE), silent():
            is_onnx = self.name.endswith(".onnx")
            return Network(self, cv2.dnn.readNetFromONNX(data) if is_onnx else cv2.dnn.readNetFromTFLite(data))

    def _read(self) -> bytes:
        try:
            data = read_regular(FOLDER / self.name, MAX_BYTES)
        except OSError as error:
            raise DamagedModel(f"assets/selection/{self.name} cannot be read ({why(error)}). {AGAIN}") from error
        if sha256_of(data) != self.sha256:
            raise DamagedModel(f"assets/selection/{self.name} is damaged. {AGAIN}")
        return data


@dataclass(frozen=True, slots=True)
class Network:
    """One that was loaded, for one caller at a time."""

    pinned: Pinned
    net: Any

    def run(self, planes: Values) -> Sequence[Values]:
        """planes: (1, 3, H, W). Returns its outputs, by their names. Raises ModelUnavailable or OutOfMemory."""
        with told(self.pinned.name, "run", ADVICE), silent():
            self.net.setInput(np.ascontiguousarray(planes))
            return [np.array(self.net.forward(name)) for name in self.pinned.outputs]


AGAIN = "Get the files of Inpaint Studio again; masks can be painted without it."

U2NETP = Pinned(
    "u2netp.onnx", "sha256:309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8", outputs=("1959",)
)
TEXT = Pinned(
    "PP-OCRv6_det_small.onnx",
    "sha256:090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    outputs=("fetch_name_0",),
)
NEAR_FACES = Pinned(
    "face_detection_short_range.tflite",
    "sha256:3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    outputs=("regressors", "classificators"),
)
FAR_FACES = Pinned(
    "face_detection_full_range.tflite",
    "sha256:99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    outputs=("reshaped_regressor_face_4", "reshaped_classifier_face_4"),
)
ALL = (U2NETP, TEXT, NEAR_FACES, FAR_FACES)
