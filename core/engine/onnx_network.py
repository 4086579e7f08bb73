"""A network of an ONNX file, run by OpenCV on the CPU. The file may be anybody's: what is wrong is told in words.

OpenCV parses it in this process. Should a file crash that, it is the worker that ends, which the dashboard replaces.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain.errors import BrokenResult, DamagedModel
from core.domain.hashing import sha256_of
from core.engine.models import onnx_header
from core.engine.models.header import Damaged
from core.engine.models.onnx_header import Network
from core.engine.opencv import silent, told
from core.files import read_regular, why

ADVICE = "Choose another file."


class OnnxNetwork:
    """network: what it takes and returns. sha256: of the file."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedModel for what is no ONNX file in itself, ModelUnavailable if OpenCV cannot load it."""
        import cv2

        self.name = path.name
        # Looked at, hashed and loaded from the same bytes: the file may be exchanged at any moment.
        data = _read(path)
        try:
            self.network: Network = onnx_header.of(io.BytesIO(data))
        except Damaged as error:
            raise DamagedModel(f"The file {path.name} {error}. Download or copy it again.") from error
        self.sha256 = sha256_of(data)
        with told(self.name, "loaded", ADVICE), silent():
            self._net: Any = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))

    def run(self, inputs: Mapping[str, NDArray[Any]], threads: int) -> NDArray[Any]:
        """Its first output. threads: of OpenCV, for this run. Raises ModelUnavailable, BrokenResult, OutOfMemory."""
        import cv2

        before = cv2.getNumThreads()
        cv2.setNumThreads(threads)
        try:
            with told(self.name, "run", ADVICE), silent():
                for name, values in inputs.items():
                    self._net.setInput(values, name)
                output = np.array(self._net.forward())
        finally:
            cv2.setNumThreads(before)
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            raise BrokenResult(f"{self.name} returned numbers that are not a picture. Choose another model.")
        return output


def scale_to_levels(returned: float, given: float) -> np.float32:
    """What makes 0 to 255 of a network's colours: some files return that, others 0 to 1.

    returned: their mean where the picture is what it was. given: of the picture itself, there, from 0 to 255.
    """
    return np.float32(min((1, 255), key=lambda scale: abs(returned * scale - given)))


def as_levels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return values.round().clip(0, 255).astype(np.uint8)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, onnx_header.MAX_BYTES)
    except OSError as error:
        raise DamagedModel(f"The file {path.name} cannot be read ({why(error)}). Download or copy it again.") from error
