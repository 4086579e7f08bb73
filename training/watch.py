"""Look on while a model is trained: `python -m training.watch [--work DIR] [--every MINUTES]`.

Writes WORK/sheets/PIXELS-SAMPLES.png from the checkpoint's averaged weights: held-out photographs in the first row,
then what the model makes of them at two seeds, eleven prompts and a removal. Without --every: once.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.data import held_out_source
from training.fetch import work_argument
from training.inpainter import RECOMMENDED, load_average, pipeline
from training.pictures import Case, Model, Settings, inpaint
from training.words import NATIVE_SIZE

SHOWN = ("cat", "red balloon", "green apple", "house", "sunflower", "owl", "car", "rocket", "cup", "robot", "fish", "")


def look(work: Path, pixels: int, seed: int = 31337) -> Path:
    settings = Settings(RECOMMENDED["num_inference_steps"], RECOMMENDED["guidance_scale"])
    model = Model(pipeline(work, pixels), pixels, settings)
    source = held_out_source(work, seed, photograph_share=1.0)
    cases = [Case(source.draw(None), prompt, seed + i) for i, prompt in enumerate(SHOWN)]
    made = inpaint(model, cases)
    again = inpaint(model, [Case(case.sample, case.prompt, case.seed + 100) for case in cases])
    emptied = np.stack([np.where(c.sample.mask[..., None], 127, c.sample.background) for c in cases]).astype(np.uint8)
    rows = [np.concatenate(list(pictures), 1) for pictures in (emptied, made, again)]
    path = work / "sheets" / f"{pixels}-{load_average(work, pixels)[1]['samples']:07d}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(rows)).reduce(2).save(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--every", type=float, help="minutes between sheets; without it one is made")
    parser.add_argument("--pixels", type=int, default=NATIVE_SIZE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    while True:
        print(look(options.work, options.pixels), flush=True)
        if options.every is None:
            return
        time.sleep(options.every * 60)


if __name__ == "__main__":
    main()
