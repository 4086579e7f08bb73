"""Makes the example that Home shows, before and after: a sample, and what content fill makes of it under mask.png.

    python assets/example/make.py [FOLDER]

Nothing is retouched: both are the same part of the picture, before the command below and after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLE = ROOT / "assets" / "samples" / "mountain-path.jpg"
PART = (560, 560, 1140, 940)
"""Where the two rocks lie."""


def make(folder: Path) -> None:
    """Writes before.webp and after.webp."""
    with tempfile.TemporaryDirectory() as data:
        after = Path(data) / "after.png"
        command = ("-m", "core", "inpaint", SAMPLE, HERE / "mask.png", "--model", "content-fill", "--mode", "remove")
        arguments = [sys.executable, *command, "--seed", "1", "--output", after]
        subprocess.run(arguments, cwd=ROOT, env={**os.environ, "INPAINT_STUDIO_DATA": data}, check=True)
        for name, picture in (("before", SAMPLE), ("after", after)):
            with Image.open(picture) as image:
                part = image.convert("RGB").crop(PART)
            part.save(folder / f"{name}.webp", "WEBP", quality=85, method=6)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
