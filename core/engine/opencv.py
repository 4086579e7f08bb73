"""What OpenCV says when it cannot load or run a network, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.domain.errors import ModelUnavailable, OutOfMemory

NO_MEMORY = -4
"""OpenCV's code for it (StsNoMem)."""


@contextmanager
def told(name: str, done: str, advice: str) -> Iterator[None]:
    """name: of the network's file. done: "loaded", "run". advice: a sentence. Raises ModelUnavailable, OutOfMemory."""
    import cv2

    try:
        yield
    except MemoryError as error:
        raise OutOfMemory from error
    except cv2.error as error:
        if error.code == NO_MEMORY:
            raise OutOfMemory from error
        reason = next(iter(str(error.err).splitlines()), "")[:200] or f"error {error.code}"
        raise ModelUnavailable(f"{name} cannot be {done} by OpenCV {cv2.__version__} ({reason}). {advice}") from error


@contextmanager
def silent() -> Iterator[None]:
    """OpenCV also writes each error to the standard error."""
    import cv2

    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
