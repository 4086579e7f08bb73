"""How well holes are filled without a model: content fill beside what OpenCV has.

    python -m tests.benchmarks.filling
    python -m tests.benchmarks.filling --json --each 4 --sheet fillings.png --folder skimage/data
    python -m tests.benchmarks.filling --only fig,spoon --methods patches,shift-map --sheet one.png --scale 1

"patches" and "shift-map" are content fill as it is and as it was, all the way from the mask to the picture. The others
get the crop of "patches" at its own resolution, FSR at most 256 px of it. Of holes whose truth is known there are
measures (filling_measures.py), and differences to "patches" in pairs with the interval that holds 95 % of a bootstrap;
of objects that are removed there is the contact sheet: whether they are gone is for an eye to say.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from core.bootstrap import make_loader
from core.domain.geometry import Bounds
from core.domain.modes import CONTENT_FILL, MODES, REMOVE
from core.domain.params import FIRST_PATCH_MATCH, InpaintParams
from core.domain.request import InpaintRequest, Plan
from core.settings import Settings
from tests.benchmarks.filling_cases import Case, removals, with_truth
from tests.benchmarks.filling_measures import BETTER, badness, measured

OLD_SIZE = 256

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(crop RGB, hole) -> crop filled."""


@dataclass(frozen=True)
class Done:
    case: Case
    method: str
    result: Image.Image
    cpu_s: float


def content_fill(rules: int, size: int, seed: int) -> Callable[[Case], Image.Image]:
    inpainter = make_loader(Settings(_env_file=None))(CONTENT_FILL, "cpu")

    def paint(case: Case) -> Image.Image:
        values = {name: value for name, value in MODES[REMOVE].values.items() if name.startswith("mask_")}
        values |= {"mask_grow_px": 0, "mask_feather_px": 0} if case.knows_truth else {"colour_match": 1.0}
        params = InpaintParams(model=CONTENT_FILL, size=size, seed=seed, **values).processed_by(rules)
        plan = Plan.of(InpaintRequest(case.picture, case.mask, params), cell=1)
        return plan.finish(inpainter.inpaint(plan.working_request(1), lambda report: None).image)

    return paint


def by_opencv(fill: Fill) -> Callable[[Case], Image.Image]:
    def paint(case: Case) -> Image.Image:
        params = InpaintParams(
            model=CONTENT_FILL, size=1536, mask_feather_px=0, mask_grow_px=0 if case.knows_truth else 8
        )
        plan = Plan.of(InpaintRequest(case.picture, case.mask, params), cell=1)
        work = plan.working_request(1)
        return plan.finish(Image.fromarray(fill(np.asarray(work.image), work.mask.pixels > 0)))

    return paint


def telea(rgb: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return cv2.inpaint(rgb, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def navier_stokes(rgb: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return cv2.inpaint(rgb, hole.astype(np.uint8), 3, cv2.INPAINT_NS)


def fsr(rgb: np.ndarray, hole: np.ndarray) -> np.ndarray:
    height, width = hole.shape
    share = min(1.0, OLD_SIZE / max(hole.shape))
    size = (max(8, round(width * share)), max(8, round(height * share)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    known = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) == 0
    filled = np.zeros_like(small)
    cv2.xphoto.inpaint(small[..., ::-1].copy(), known.astype(np.uint8) * 255, filled, cv2.xphoto.INPAINT_FSR_FAST)
    large = cv2.resize(filled[..., ::-1].copy(), (width, height), interpolation=cv2.INTER_LANCZOS4)
    return np.where(hole[..., None], large, rgb)


def methods(names: Sequence[str], seed: int) -> dict[str, Callable[[Case], Image.Image]]:
    known = {
        "patches": lambda: content_fill(FIRST_PATCH_MATCH, 1536, seed),
        "shift-map": lambda: content_fill(FIRST_PATCH_MATCH - 1, OLD_SIZE, seed),
        "fsr": lambda: by_opencv(fsr),
        "telea": lambda: by_opencv(telea),
        "navier-stokes": lambda: by_opencv(navier_stokes),
    }
    return {name: known[name]() for name in names or known}


def _cpu_s() -> float:
    """Of this process and of those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _line(done: Done) -> dict[str, object]:
    line: dict[str, object] = {"case": done.case.name, "method": done.method, "cpu_s": round(done.cpu_s, 2)}
    hole = done.case.mask.pixels > 0
    line["hole_px"] = int(hole.sum())
    if done.case.knows_truth:
        found = measured(np.asarray(done.case.picture), np.asarray(done.result), hole)
        line |= {name: round(value, 4) for name, value in asdict(found).items()}
    return line


def summaries(lines: Sequence[Mapping[str, object]]) -> Iterator[dict[str, object]]:
    """Means by method (medians of what is best at 1), and what is different from the first method, in pairs."""
    told = [line for line in lines if "psnr" in line]
    names = list(dict.fromkeys(str(line["method"]) for line in told))
    by = {name: {line["case"]: line for line in told if line["method"] == name} for name in names}
    for name in names:
        rows = list(by[name].values())
        middle = {m: float((np.median if way == 0 else np.mean)([r[m] for r in rows])) for m, way in BETTER.items()}
        middle["cpu_s"] = float(np.mean([r["cpu_s"] for r in rows]))
        yield {"summary": name, "holes": len(rows), **{m: round(v, 3) for m, v in middle.items()}}
    chance = np.random.default_rng(0)
    for name in names[1:]:
        shared = [case for case in by[names[0]] if case in by[name]]
        row: dict[str, object] = {"paired": f"{names[0]} - {name}", "holes": len(shared)}
        for measure in BETTER:
            first, other = (np.array([float(by[n][c][measure]) for c in shared]) for n in (names[0], name))
            apart = first - other
            again = apart[chance.integers(0, len(apart), (2000, len(apart)))].mean(axis=1)
            low, high = np.percentile(again, [2.5, 97.5])
            worse = [badness(measure, a) - badness(measure, b) for a, b in zip(first, other, strict=True)]
            row[measure] = [round(float(v), 3) for v in (apart.mean(), low, high)]
            row[f"{measure}_better"] = f"{sum(w < 0 for w in worse)}/{len(worse)}"
        yield row


def sheet(done: Sequence[Done], scale: float) -> Image.Image:
    """A row for each case: the picture with its mask, and what each method makes of it, around the mask."""
    rows = []
    for case in dict.fromkeys(one.case.name for one in done):
        mine = [one for one in done if one.case.name == case]
        box = _around(mine[0].case)
        first = np.asarray(mine[0].case.picture).copy()
        hole = mine[0].case.mask.pixels > 0
        first[hole] = first[hole] // 2 + np.uint8([120, 10, 80])
        shown = [("mask", Image.fromarray(first)), *((one.method, one.result) for one in mine)]
        rows.append(
            [
                _titled(f"{case}: {name}" if n == 0 else name, image.crop(box.box), scale)
                for n, (name, image) in enumerate(shown)
            ]
        )
    width, height = max(sum(t.width for t in row) for row in rows), sum(max(t.height for t in row) for row in rows)
    whole, top = Image.new("RGB", (width, height), "white"), 0
    for row in rows:
        left = 0
        for tile in row:
            whole.paste(tile, (left, top))
            left += tile.width
        top += max(tile.height for tile in row)
    return whole


def _around(case: Case) -> Bounds:
    bounds = case.mask.bounds or Bounds(0, 0, *case.picture.size)
    return bounds.grown(max(60, max(bounds.size) // 2), within=case.mask.size)


def _titled(title: str, image: Image.Image, scale: float) -> Image.Image:
    """scale: 0: as large as fits into 360 px."""
    share = scale or min(1.0, 360 / max(image.size))
    image = image.resize(
        (max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.LANCZOS
    )
    tile = Image.new("RGB", (image.width + 6, image.height + 18), "white")
    tile.paste(image, (3, 15))
    ImageDraw.Draw(tile).text((3, 2), title, fill="black")
    return tile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--each", type=int, default=2, choices=range(5), help="holes with known truth in each photograph"
    )
    parser.add_argument("--folder", type=Path, help="where more photographs are: data of scikit-image")
    parser.add_argument("--only", default="", help="cases whose name contains one of these, with commas")
    parser.add_argument("--methods", default="", help="with commas; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="where to write the contact sheet")
    parser.add_argument("--scale", type=float, default=0.0, help="of the sheet; default: to fit")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    wanted = [name for name in chosen.only.split(",") if name]
    cases = [*removals(chosen.folder), *with_truth(chosen.folder, chosen.each)]
    cases = [case for case in cases if not wanted or any(name in case.name for name in wanted)]
    all_done, lines = [], []
    paints = methods([name for name in chosen.methods.split(",") if name], chosen.seed)
    for case in cases:
        for name, paint in paints.items():
            started = _cpu_s()
            done = Done(case, name, paint(case), _cpu_s() - started)
            all_done.append(done)
            lines.append(_line(done))
            _tell(lines[-1], as_json=chosen.json)
    for line in summaries(lines):
        _tell(line, as_json=chosen.json)
    if chosen.sheet and all_done:
        sheet(all_done, chosen.scale).save(chosen.sheet)


def _tell(line: Mapping[str, object], *, as_json: bool) -> None:
    print(json.dumps(line) if as_json else "  ".join(f"{name} {value}" for name, value in line.items()), flush=True)


if __name__ == "__main__":
    main()
