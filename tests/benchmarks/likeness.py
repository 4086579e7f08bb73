"""How near the values of each speed come to a full run, and what they save: with the bundled pocket model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image, ImageDraw

from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.reproduction import compare
from core.settings import Settings
from tests.benchmarks.speed_runs import PROMPT, SAMPLES, plan_of

EQUAL_DB = 99.0


def likeness(threads: int) -> Iterator[Mapping[str, Any]]:
    """Of the pocket model with the values of each speed, against its full run: medians over the sample pictures."""
    from core.bootstrap import make_loader

    inpainter = make_loader(Settings(_env_file=None, threads=threads))("pocket-inpaint", "cpu")
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(SAMPLES.glob("*.jpg")):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).ellipse((width * 0.35, height * 0.35, width * 0.65, height * 0.65), fill=255)
        full, full_s = _pocket(image, Mask.from_image(mask), inpainter, {})
        for name, values in LIKENESS.items():
            other, cpu_s = _pocket(image, Mask.from_image(mask), inpainter, values)
            psnr = compare(full, other, Mask.from_image(mask)).psnr
            found.setdefault(name, []).append((EQUAL_DB if psnr is None else psnr, full_s / cpu_s))
    for name, pairs in found.items():
        psnr, ratio = (statistics.median(values) for values in zip(*pairs, strict=True))
        yield {"name": f"pocket-{name}", "psnr_db": round(psnr, 1), "ratio": round(ratio, 2)}


LIKENESS: Mapping[str, Mapping[str, Any]] = {
    "same-values-again": {},
    "other-seed": {"seed": 1},
    **{f"{steps}-steps": {"num_inference_steps": steps} for steps in (15, 12, 10, 7, 5, 4)},
    **{f"dpmpp-2m-{steps}": {"num_inference_steps": steps, "scheduler": "dpmpp-2m"} for steps in (10, 7, 5, 4)},
    **{f"unipc-{steps}": {"num_inference_steps": steps, "scheduler": "unipc"} for steps in (10, 7, 5, 4)},
}


def _pocket(image: Image.Image, mask: Mask, inpainter: Any, values: Mapping[str, Any]) -> tuple[Image.Image, float]:
    from core.services.painting import paint

    params = InpaintParams(
        **{"prompt": PROMPT, "seed": 0, "num_inference_steps": 20, "guidance_scale": 4.0, "size": 128, **values}
    )
    started = time.process_time()
    result = paint(plan_of(image, mask, params, inpainter), inpainter, lambda report: None).result
    return result, time.process_time() - started
