"""Objects added to photographs: how much of the photograph is left beside them, and how much of them.

    python -m tests.benchmarks.halos
    python -m tests.benchmarks.halos --sheet FILE

48 cases: the six sample pictures, each with eight masks and words, painted by the pocket model in the mode "add" with
its recommended values. What was drawn is told by a second repaint without a word, from the same noise: where the two
differ is the object. Each figure is the mean over the cases.

grain: contrast of fine detail beside the object, inside the mask, as a share of that of the photograph. tint: colour
difference to the photograph there, in Oklab. object: the share of the object that is taken; "least" of all cases.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.domain.modes import MODES
from core.domain.params import InpaintParams
from core.domain.pixels.change_mask import oklab
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan
from tests.benchmarks.seams import SAMPLES, Paint, by_model

WORDS = ("red balloon", "cat", "house", "blue fish", "crown", "mushroom", "robot", "rabbit")
THRESHOLDS = (0.0, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2)
SEEN = 0.08
"""Difference in Oklab between the repaints with and without a word that makes a pixel one of the object."""

RIM_PX = 3
"""At the working size: pixels so close to the object's outline count as neither."""

TILE = 240


@dataclass
class Case:
    picture: Image.Image
    mask: Mask
    painted: Image.Image
    without_word: Image.Image

    def plan(self, threshold: float) -> Plan:
        values = {**MODES["add"].values, "size": 128, "keep_threshold": threshold}
        return Plan.of(InpaintRequest(self.picture, self.mask, InpaintParams(**values)))

    def part(self, image: Image.Image) -> Image.Image:
        return image.crop(self.plan(0).crop.bounds.box)

    @cached_property
    def object(self) -> NDArray[np.bool_]:
        difference = oklab(self.painted) - oklab(self.without_word)
        apart = np.sqrt((ndimage.gaussian_filter(difference, (1, 1, 0)) ** 2).sum(axis=2))
        on = Mask(np.where((apart > SEEN) & self.inside, np.uint8(255), np.uint8(0)))
        return on.without_specks(int(self.inside.sum() / 20)).holes_filled.pixels > 0

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Where the mask is, at the working size."""
        plan = self.plan(0)
        return plan.blend_mask.for_model(plan.crop.bounds, plan.crop.working, cell=1).pixels > 0

    def measured(self, threshold: float) -> tuple[float, float, float]:
        beside = ndimage.binary_erosion(self.inside, iterations=2 * RIM_PX, border_value=1)
        beside &= ~ndimage.binary_dilation(self.object, iterations=RIM_PX)
        core = ndimage.binary_erosion(self.object, iterations=RIM_PX)
        plan = self.plan(threshold)
        result, plain = self.part(plan.finish(self.painted)), self.part(self.plan(0).finish(self.painted))
        before, after, full = (
            oklab(self.part(image) if image is self.picture else image) for image in (self.picture, result, plain)
        )
        near, drawn = (_enlarged(on, result.size) for on in (beside, core))
        tint = np.sqrt(((after - before) ** 2).sum(axis=2))[near].mean()
        taken = np.abs(after - before)[drawn].sum() / np.abs(full - before)[drawn].sum()
        return float(_fine(after)[near].mean() / _fine(before)[near].mean()), float(tint), float(taken)


def _enlarged(on: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    return np.asarray(Image.fromarray(on).resize(size, Image.Resampling.NEAREST))


def _fine(values: NDArray) -> NDArray:
    return np.abs(values[..., 0] - ndimage.gaussian_filter(values[..., 0], 2))


def cases(paint: Paint, steps: int) -> Iterator[Case]:
    chance = np.random.RandomState(7)
    for path in sorted(SAMPLES.glob("*.jpg")):
        picture = Image.open(path).convert("RGB")
        for nth, word in enumerate(WORDS):
            mask = _mask(picture.size, chance, nth)
            values = {
                **MODES["add"].values,
                "size": 128,
                "num_inference_steps": steps,
                "guidance_scale": 2.0,
                "seed": 1,
            }
            both = [
                paint(Plan.of(InpaintRequest(picture, mask, InpaintParams(**values, prompt=prompt))))
                for prompt in (word, "background")
            ]
            yield Case(picture, mask, *both)


def _mask(size: tuple[int, int], chance: np.random.RandomState, nth: int) -> Mask:
    """An ellipse or a box, nearly as high as wide, from a seventh to a third of the picture's width."""
    wide = size[0] * chance.uniform(0.14, 0.3)
    high = min(wide * chance.uniform(0.8, 1.2), size[1] * 0.5)
    left, top = chance.uniform(0, size[0] - wide), chance.uniform(0, size[1] - high)
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    (draw.rectangle if nth % 3 == 2 else draw.ellipse)((left, top, left + wide, top + high), fill=255)
    return Mask.from_image(image)


def sheet(found: list[Case], thresholds: tuple[float, ...]) -> Image.Image:
    """A row for each case: the photograph, and the object with each threshold."""
    page = Image.new("RGB", (TILE * (1 + len(thresholds)), TILE * len(found)))
    for row, case in enumerate(found):
        images = [case.picture, *(case.plan(threshold).finish(case.painted) for threshold in thresholds)]
        for column, image in enumerate(images):
            page.paste(case.part(image).resize((TILE, TILE), Image.Resampling.LANCZOS), (column * TILE, row * TILE))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--sheet", type=Path, help="also write a picture of every third case")
    chosen = parser.parse_args()
    found = [case for case in cases(by_model(chosen.steps), chosen.steps) if case.object.any()]
    print(f"{len(found)} cases\n| threshold | grain | tint | object | least |\n|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        figures = np.array([case.measured(threshold) for case in found])
        grain, tint, taken = figures.mean(axis=0)
        print(f"| {threshold:g} | {grain:.2f} | {tint:.3f} | {taken:.3f} | {figures[:, 2].min():.2f} |")
    if chosen.sheet:
        sheet(found[::3], (0.0, 0.08, 0.1, 0.15)).save(chosen.sheet)


if __name__ == "__main__":
    main()
