"""How near each speed comes to Best, and what it saves: with the bundled pocket model.

    python -m tests.benchmarks.likeness --work FOLDER

A picture of each word that the model knows, over the sample photographs in turn, at its own values; PSNR inside the
mask to the same picture as Best: median, and the tenth that is least alike; how much less CPU it took. "recognised":
the share of pictures in which the judge of the training names the word; only with its --work folder
(training/README.md). Then steps and schedulers against a run of 20 steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from core.domain.geometry import Size
from core.domain.modes import ADD, MODES, REPLACE
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.reproduction import compare
from core.domain.speed import SPEEDS, Surroundings
from core.domain.speed import values as values_of
from core.domain.working_size import sized_by_mask
from core.settings import Settings
from tests.benchmarks.speed_runs import PROMPT, SAMPLES, plan_of

MODEL = "pocket-inpaint"
EQUAL_DB = 99.0
OTHER_SEED = "other-seed"

Judge = Callable[[Image.Image, Mask], str]
"""What is seen in the mask: a word, or "nothing"."""


def speeds(threads: int, judge: Judge | None = None, every: int = 1) -> Iterator[Mapping[str, Any]]:
    """Of each speed, and of Best with another seed, with the values of each mode that the model is used in.

    every: of so many words, one is painted.
    """
    from core.bootstrap import make_catalogue, make_loader

    settings = Settings(_env_file=None, threads=threads)
    catalogue, inpainter = make_catalogue(settings), make_loader(settings)(MODEL, "cpu")
    around, known = Surroundings(catalogue.find(MODEL).recommended), catalogue.vocabulary(MODEL)
    cases = {speed: values_of(speed, around) for speed in reversed(SPEEDS)}
    cases[OTHER_SEED] = {**cases["best"], "seed": 1}
    pictures = [_photograph(path) for path in sorted(SAMPLES.glob("*.jpg"))]
    for mode in (REPLACE, ADD):
        found: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in cases}
        for nth, word in enumerate(list(known.objects if known else ())[::every]):
            image, mask = pictures[nth % len(pictures)]
            asked = {**MODES[mode].values, "prompt": f"a {word}"}
            made = {name: _at_speed(image, mask, inpainter, {**asked, **values}) for name, values in cases.items()}
            best, best_s = made["best"]
            for name, (picture, cpu_s) in made.items():
                is_right = judge is not None and judge(picture, mask) == word
                found[name].append((_psnr(best, picture, mask), best_s / cpu_s, is_right))
        yield from (_told(f"{MODEL}-{mode}-{name}", rows, judge is not None) for name, rows in found.items())


def _at_speed(image: Image.Image, mask: Mask, inpainter: Any, values: Mapping[str, Any]) -> tuple[Image.Image, float]:
    params = InpaintParams(**{name: value for name, value in values.items() if name in PARAMETERS})
    if values["auto_size"]:
        params = sized_by_mask(params, mask, Size(*image.size))
    return _painted(image, mask, inpainter, params)


def _told(name: str, rows: Sequence[tuple[float, float, bool]], was_judged: bool) -> Mapping[str, Any]:
    """rows: PSNR, how many times as fast, whether the word was recognised."""
    psnr, ratio, right = zip(*rows, strict=True)
    return {
        "name": name,
        "psnr_db": round(statistics.median(psnr), 1),
        "least_tenth_db": round(float(np.quantile(psnr, 0.1)), 1),
        "ratio": round(statistics.median(ratio), 2),
        **({"recognised": round(sum(right) / len(right), 3)} if was_judged else {}),
    }


def judge_in(work: Path) -> Judge:
    """That of the training, from its folder."""
    from training.classifier import CLASSES, load_classifier, named, view_of

    network = load_classifier(work)

    def judge(picture: Image.Image, mask: Mask) -> str:
        seen = view_of(np.asarray(picture.convert("RGB")), mask.pixels > 0)
        return str(CLASSES[int(named(network, seen[None])[0])])

    return judge


def _photograph(path: Path) -> tuple[Image.Image, Mask]:
    """With an ellipse in its middle as the mask."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((width * 0.35, height * 0.35, width * 0.65, height * 0.65), fill=255)
    return image, Mask.from_image(mask)


def _psnr(one: Image.Image, other: Image.Image, mask: Mask) -> float:
    psnr = compare(one, other, mask).psnr
    return EQUAL_DB if psnr is None else psnr


def likeness(threads: int) -> Iterator[Mapping[str, Any]]:
    """Of the pocket model with the values of each speed, against its full run: medians over the sample pictures."""
    from core.bootstrap import make_loader

    inpainter = make_loader(Settings(_env_file=None, threads=threads))(MODEL, "cpu")
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(SAMPLES.glob("*.jpg")):
        image, mask = _photograph(path)
        full, full_s = _painted(image, mask, inpainter, InpaintParams(**FULL))
        for name, values in LIKENESS.items():
            other, cpu_s = _painted(image, mask, inpainter, InpaintParams(**{**FULL, **values}))
            found.setdefault(name, []).append((_psnr(full, other, mask), full_s / cpu_s))
    for name, pairs in found.items():
        psnr, ratio = (statistics.median(values) for values in zip(*pairs, strict=True))
        yield {"name": f"pocket-{name}", "psnr_db": round(psnr, 1), "ratio": round(ratio, 2)}


FULL = {"prompt": PROMPT, "seed": 0, "num_inference_steps": 20, "guidance_scale": 4.0, "size": 128}

LIKENESS: Mapping[str, Mapping[str, Any]] = {
    "same-values-again": {},
    "other-seed": {"seed": 1},
    **{f"{steps}-steps": {"num_inference_steps": steps} for steps in (15, 12, 10, 7, 5, 4)},
    **{f"dpmpp-2m-{steps}": {"num_inference_steps": steps, "scheduler": "dpmpp-2m"} for steps in (10, 7, 5, 4)},
    **{f"unipc-{steps}": {"num_inference_steps": steps, "scheduler": "unipc"} for steps in (10, 7, 5, 4)},
}


def _painted(image: Image.Image, mask: Mask, inpainter: Any, params: InpaintParams) -> tuple[Image.Image, float]:
    """The picture, and the CPU seconds that it took."""
    from core.services.painting import paint

    started = time.process_time()
    result = paint(plan_of(image, mask, params, inpainter), inpainter, lambda report: None).result
    return result, time.process_time() - started


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="the folder of the training, for its judge")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="paint one of so many words")
    parser.add_argument("--speeds-only", action="store_true")
    chosen = parser.parse_args(given)
    for row in speeds(chosen.threads, judge_in(chosen.work) if chosen.work else None, chosen.every):
        print(json.dumps(row), flush=True)
    for row in () if chosen.speeds_only else likeness(chosen.threads):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
