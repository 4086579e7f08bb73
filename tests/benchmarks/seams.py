"""How well the repainted part meets the picture: with and without feather and colour match.

    python -m tests.benchmarks.seams
    python -m tests.benchmarks.seams --steps 20 --json

24 cases: the six sample pictures with four masks each. "pocket model": the masked part is removed (an empty prompt).
The others are made up: the picture itself goes through as if a model had repainted it, with all its colours shifted
by a constant, by a gradient over the crop, or inside the mask alone, where a ring outside of it can tell nothing.
Each figure is the mean over the cases; "natural" is the picture as it was, on the same border.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from core.bootstrap import make_loader
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.pixels.seam import Seam, seam
from core.domain.request import InpaintRequest, Plan
from core.settings import Settings

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
CONDITIONS = {
    "hard": {"mask_feather_px": 0},
    "colour match": {"mask_feather_px": 0, "colour_match": 1.0},
    "feather": {"mask_feather_px": 8},
    "feather and colour match": {"mask_feather_px": 8, "colour_match": 1.0},
}
Paint = Callable[[Plan], Image.Image]


def masks(width: int, height: int) -> Iterator[Mask]:
    """A disc, a box, a lying ellipse and a brush stroke, each at another place."""
    side = min(width, height) // 4
    for number, draw in enumerate((_disc, _box, _ellipse, _stroke)):
        image = Image.new("L", (width, height))
        left, top = (width - 2 * side) * (1 + number % 2) // 3, (height - 2 * side) * (1 + number // 2) // 3
        draw(ImageDraw.Draw(image), left, top, side)
        yield Mask.from_image(image)


def _disc(draw: ImageDraw.ImageDraw, left: int, top: int, side: int) -> None:
    draw.ellipse((left, top, left + side, top + side), fill=255)


def _box(draw: ImageDraw.ImageDraw, left: int, top: int, side: int) -> None:
    draw.rectangle((left, top, left + side, top + side * 3 // 2), fill=255)


def _ellipse(draw: ImageDraw.ImageDraw, left: int, top: int, side: int) -> None:
    draw.ellipse((left, top, left + 2 * side, top + side), fill=255)


def _stroke(draw: ImageDraw.ImageDraw, left: int, top: int, side: int) -> None:
    points = [
        (left, top),
        (left + side, top + side // 2),
        (left + side // 2, top + side),
        (left + side, top + 2 * side),
    ]
    draw.line(points, fill=255, width=side // 4, joint="curve")


def by_model(steps: int) -> Paint:
    inpainter = make_loader(Settings(_env_file=None))("pocket-inpaint", "cpu")

    def paint(plan: Plan) -> Image.Image:
        return inpainter.inpaint(plan.working_request(inpainter.model.cell), lambda report: None).image

    return paint


def shifted(by: Callable[[Plan, tuple[int, int]], np.ndarray]) -> Paint:
    def paint(plan: Plan) -> Image.Image:
        image = plan.working_request(cell=8).image
        values = np.asarray(image, np.float32) + by(plan, (image.height, image.width))
        return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))

    return paint


def _constant(plan: Plan, shape: tuple[int, int]) -> np.ndarray:
    return np.broadcast_to(np.float32([14, -10, 8]), (*shape, 3))


def _gradient(plan: Plan, shape: tuple[int, int]) -> np.ndarray:
    return np.linspace(-16, 16, shape[1], dtype=np.float32)[None, :, None] * np.float32([1, 0.5, -1])


def _inside_only(plan: Plan, shape: tuple[int, int]) -> np.ndarray:
    mask = plan.blend_mask.for_model(plan.crop.bounds, plan.crop.working, cell=1)
    return _constant(plan, shape) * (mask.pixels > 0)[..., None]


def measured(paint: Paint, steps: int) -> Mapping[str, Seam]:
    """The mean seam of all cases, natural and by condition."""
    found: dict[str, list[Seam]] = {}
    for path in sorted(SAMPLES.glob("*.jpg")):
        picture = Image.open(path).convert("RGB")
        for seed, mask in enumerate(masks(*picture.size)):
            painted = None
            for name, changes in CONDITIONS.items():
                params = InpaintParams(size=128, num_inference_steps=steps, guidance_scale=2.0, seed=seed, **changes)
                plan = Plan.of(InpaintRequest(picture, mask, params))
                painted = painted or paint(plan)
                found.setdefault(name, []).append(seam(plan.finish(painted), plan.blend_mask))
            found.setdefault("natural", []).append(seam(picture, plan.blend_mask))
    return {
        name: Seam(*(float(np.mean([getattr(s, value) for s in seams])) for value in ("jump", "step")))
        for name, seams in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    kinds = {
        "pocket model": by_model(chosen.steps),
        "constant offset": shifted(_constant),
        "gradient": shifted(_gradient),
        "offset inside only": shifted(_inside_only),
    }
    table = {kind: measured(paint, chosen.steps) for kind, paint in kinds.items()}
    if chosen.json:
        print(json.dumps({k: {n: [s.jump, s.step] for n, s in row.items()} for k, row in table.items()}))
        return
    names = ["natural", *CONDITIONS]
    print("| repainted by | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for kind, row in table.items():
        print(f"| {kind} | " + " | ".join(f"{row[n].jump:.2f} / {row[n].step:.2f}" for n in names) + " |")


if __name__ == "__main__":
    main()
