"""How well masks are found: intersection over union with the truth of made pictures; and what is found for nothing.

python -m tests.benchmarks.selecting [--json] [--sheet FILE.png]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image

from core.bootstrap import select
from core.domain.errors import NothingFound
from core.domain.pixels.mask import Mask
from core.domain.selecting import Selection
from core.services.selections import Selections
from tests.selecting_pictures import BACKGROUNDS, Made, background, iou, objects, portraits, texts

TILE = 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--sheet", type=Path, help="also draw what was found: truth green, found red")
    arguments = parser.parse_args()
    rows = [row(made) for made in chain(objects(), texts(), portraits())]
    report = {"kinds": {kind: summary(rows, kind) for kind in ("object", "text", "faces")}, "wrong": wrong()}
    if arguments.sheet:
        sheet([(made, found) for made, found in shown(chain(objects(), texts(), portraits()))]).save(arguments.sheet)
    if arguments.json:
        print(json.dumps({**report, "rows": rows}))
        return
    for kind, figures in report["kinds"].items():
        print(kind, *(f"{name} {value:.3f}" for name, value in figures.items()), sep="  ")
    print("found where nothing is:", report["wrong"] or "nothing")


def row(made: Made) -> dict[str, object]:
    started = time.process_time()
    ious: dict[str, float] = {}
    try:
        found = Selections(select).find(made.picture, made.kind, made.box)
        ious = {str(one.facts["method"]): round(iou(one.mask, made.truth), 4) for one in found}
    except NothingFound:
        pass
    cpu_s = round(time.process_time() - started, 3)
    return {"name": made.name, "kind": made.kind.value, "iou": ious, "cpu_s": cpu_s}


def summary(rows: Iterable[dict], kind: str) -> dict[str, float]:
    """Of the first mask that is offered, of the better one, and of each method; what was not found counts as 0."""
    ours = [one for one in rows if one["kind"] == kind]
    methods = sorted({method for one in ours for method in one["iou"]})
    each = {method: mean(one["iou"].get(method, 0.0) for one in ours) for method in methods}
    return {
        "pictures": len(ours),
        "first": mean(next(iter(one["iou"].values()), 0.0) for one in ours),
        "better": mean(max(one["iou"].values(), default=0.0) for one in ours),
        **each,
        "cpu_s": mean(one["cpu_s"] for one in ours),
    }


def wrong() -> list[str]:
    """Sample photographs in which text or a face was found: there is none in any of them."""
    found = []
    for name in BACKGROUNDS:
        for kind in (Selection.TEXT, Selection.FACES):
            try:
                [one] = Selections(select).find(background(name, 1280), kind)
                found.append(f"{one.count} {kind} in {name}")
            except NothingFound:
                pass
    return found


def shown(all_made: Iterable[Made]) -> Iterable[tuple[Made, Mask]]:
    for made in all_made:
        try:
            yield made, Selections(select).find(made.picture, made.kind, made.box)[0].mask
        except NothingFound:
            yield made, Mask.empty(made.truth.size)


def sheet(all_shown: list[tuple[Made, Mask]], columns: int = 6) -> Image.Image:
    canvas = Image.new("RGB", (columns * TILE, -(-len(all_shown) // columns) * TILE))
    for nth, (made, found) in enumerate(all_shown):
        pixels = np.asarray(made.picture).copy() // 2
        pixels[..., 0] += (found.pixels // 2).astype(np.uint8)
        pixels[..., 1] += (made.truth.pixels // 2).astype(np.uint8)
        tile = Image.fromarray(pixels)
        tile.thumbnail((TILE, TILE))
        canvas.paste(tile, (nth % columns * TILE, nth // columns * TILE))
    return canvas


if __name__ == "__main__":
    main()
