"""A stock of encoded samples on disk, kept fresh by a process of its own: `python -m training.stock [--work DIR]`.

Rendering and encoding a sample costs about as much as a training step on it, so the trainers draw
each one several times (with other noise and other wording) while this process replaces the oldest.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

from training.autoencoder import as_tensor, autoencoder_folder
from training.data import Sample, training_source
from training.fetch import work_argument
from training.words import COLOURS, NATIVE_SIZE, OBJECTS

FACTOR = 4  # pixels a latent cell
SIDE = NATIVE_SIZE // FACTOR
ARRAYS = {
    "target": (np.float16, (4, SIDE, SIDE)),  # latents of the picture
    "masked": (np.float16, (4, SIDE, SIDE)),  # latents of the picture with the mask greyed out
    "mask": (np.uint8, (SIDE, SIDE)),
    "label": (np.int16, (2,)),  # index of the word and of the colour; -1 = none
    "filled": (np.uint8, ()),
}


class Stock:
    """`size` slots shared between processes through files; a slot is used once it has been filled."""

    def __init__(self, work: Path, size: int):
        folder = work / "stock"
        folder.mkdir(parents=True, exist_ok=True)
        self.size = size
        for name, (dtype, shape) in ARRAYS.items():
            path = folder / f"{name}-{size}.bin"
            mode = "r+" if path.exists() else "w+"
            setattr(self, name, np.memmap(path, dtype, mode, shape=(size, *shape)))

    def count(self) -> int:
        """How many slots, from the first, are ready."""
        return int(np.asarray(self.filled).sum())

    def put(self, start: int, samples: list[Sample], vae: AutoencoderTiny) -> None:
        slots = (start + np.arange(len(samples))) % self.size
        self.target[slots], self.masked[slots], self.mask[slots] = encoded(samples, vae)
        words, colours = list(OBJECTS), list(COLOURS)
        self.label[slots] = [
            (words.index(s.word) if s.word else -1, colours.index(s.colour) if s.colour else -1) for s in samples
        ]
        self.filled[slots] = 1


def whole_cells(mask: np.ndarray) -> np.ndarray:
    """(S, S) bool: every latent cell that the mask touches, whole, as the application hands masks to the model."""
    cells = mask.reshape(SIDE, FACTOR, SIDE, FACTOR).any((1, 3))
    return cells.repeat(FACTOR, 0).repeat(FACTOR, 1)


@torch.no_grad()
def encoded(samples: list[Sample], vae: AutoencoderTiny) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents of pictures and of masked pictures, (N, 4, 64, 64), and masks (N, 64, 64), as the pipeline makes them."""
    pictures = as_tensor(np.stack([s.picture for s in samples]))
    masks = torch.from_numpy(np.stack([whole_cells(s.mask) for s in samples]))
    both = torch.cat([pictures, pictures * ~masks[:, None]])
    latents = vae.encode(both).latents * vae.config.scaling_factor
    target, masked = latents.numpy().astype(np.float16).reshape(2, len(samples), 4, SIDE, SIDE)
    return target, masked, masks[:, ::FACTOR, ::FACTOR].numpy().astype(np.uint8)  # nearest, as the pipeline does


def fill(work: Path, size: int, seed: int, duty: float, parent: int | None) -> None:
    """Fill the stock, then go on replacing, working `duty` of the time, until the parent process, if any, is gone."""
    stock = Stock(work, size)
    vae = AutoencoderTiny.from_pretrained(autoencoder_folder(work)).eval()
    source = training_source(work, seed)
    written, batch = stock.count(), 16
    while parent in (None, os.getppid()):
        begin = time.time()
        stock.put(written, [source.draw() for _ in range(batch)], vae)
        written += batch
        if written >= size:
            time.sleep((time.time() - begin) * (1 / duty - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--duty", type=float, default=0.1)
    parser.add_argument("--parent", type=int, help="stop when this process, which started us, ends")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fill(options.work, options.size, options.seed, options.duty, options.parent)


if __name__ == "__main__":
    main()
