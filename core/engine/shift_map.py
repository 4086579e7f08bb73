"""OpenCV's shift map, in a process of its own: python -m core.engine.shift_map < image and hole > filled.

Where it finds fewer offsets than it wants, in small or regular pictures, it reads memory behind its table. What stands
there depends on all that the process did before, so the same request gave other bits in a dashboard and on the command
line, and it may crash. A new process that does nothing else has the same memory each time.
"""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.domain.errors import BrokenResult

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""All that the process needs of the environment: the rest lies in its memory, too."""


def shift_map(lab: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """lab: (H, W, 3). hole: (H, W), what is to be filled. Returns lab filled; zeros where nothing was found.

    Raises BrokenResult if OpenCV gives up.
    """
    env = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    given = io.BytesIO()
    np.save(given, lab)
    np.save(given, hole)
    # A session of its own: Ctrl+C is for this program, which cancels in its own time.
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=given.getvalue(),
        capture_output=True,
        cwd=ROOT,
        env={**env, "PYTHONHASHSEED": "0"},
        start_new_session=True,
        check=False,
    )
    if done.returncode:
        log.error("the shift map ended with %s: %s", done.returncode, done.stderr.decode(errors="replace").strip())
        raise BrokenResult("Content fill found nothing to fill this with. Mask a larger or a different area.")
    filled: NDArray[np.uint8] = np.load(io.BytesIO(done.stdout), allow_pickle=False)
    return filled


def main() -> None:
    import cv2

    given = io.BytesIO(sys.stdin.buffer.read())
    lab, hole = (np.load(given, allow_pickle=False) for _ in range(2))
    filled = np.zeros_like(lab)
    cv2.setRNGSeed(0)
    cv2.xphoto.inpaint(lab, np.where(hole, np.uint8(0), np.uint8(255)), filled, cv2.xphoto.INPAINT_SHIFTMAP)
    told = io.BytesIO()
    np.save(told, filled)
    sys.stdout.buffer.write(told.getvalue())


if __name__ == "__main__":
    main()
