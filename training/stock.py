"""A stock of encoded samples on disk, kept fresh by a process of its own: `python -m training.stock [--work DIR]`.

Rendering and encoding a sample costs about as much as a training step on it, so the trainers draw
each one several times (with other noise and other wording) while this process replaces the oldest.
"""

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderTiny

from training.autoencoder import as_tensor, autoencoder_folder
from training.data import Sample, training_source
from training.fetch import work_argument
from training.words import COLOURS, NATIVE_SIZE, OBJECTS

FACTOR = 4  # pixels a latent cell


class Stock:
    """`size` slots shared between processes through files; a slot is used once it has been filled.

    pixels: side of the pictures that the inpainter is trained on, NATIVE_SIZE or half of it.
    """

    def __init__(self, work: Path, size: int, pixels: int):
        folder = work / f"stock-{pixels}"
        folder.mkdir(parents=True, exist_ok=True)
        self.size, self.pixels = size, pixels
        cells = pixels // FACTOR
        arrays = {
            "target": (np.float16, (4, cells, cells)),  # latents of the picture
            "masked": (np.float16, (4, cells, cells)),  # latents of the picture with the mask greyed out
            "mask": (np.uint8, (cells, cells)),
            "label": (np.int16, (2,)),  # index of the word and of the colour; -1 = none
            "filled": (np.uint8, ()),
        }
        for name, (dtype, shape) in arrays.items():
            path = folder / f"{name}-{size}.bin"
            mode = "r+" if path.exists() else "w+"
            setattr(self, name, np.memmap(path, dtype, mode, shape=(size, *shape)))

    def count(self) -> int:
        """How many slots, from the first, are ready."""
        return int(np.asarray(self.filled).sum())

    def put(self, start: int, samples: list[Sample], vae: AutoencoderTiny) -> None:
        slots = (start + np.arange(len(samples))) % self.size
        self.target[slots], self.masked[slots], self.mask[slots] = encoded(samples, vae, self.pixels)
        words, colours = list(OBJECTS), list(COLOURS)
        self.label[slots] = [
            (words.index(s.word) if s.word else -1, colours.index(s.colour) if s.colour else -1) for s in samples
        ]
        self.filled[slots] = 1


def touched_cells(mask: np.ndarray, cells: int) -> np.ndarray:
    """(S, S) bool -> (cells, cells) bool: the latent cells that the mask touches, as the application gives them."""
    step = len(mask) // cells
    return mask.reshape(cells, step, cells, step).any((1, 3))


def sized(picture: np.ndarray, pixels: int) -> np.ndarray:
    """(pixels, pixels, 3) uint8: the square picture in another size."""
    if len(picture) == pixels:
        return picture
    way = cv2.INTER_AREA if pixels < len(picture) else cv2.INTER_CUBIC
    return cv2.resize(picture, (pixels, pixels), interpolation=way)


@torch.no_grad()
def encoded(samples: list[Sample], vae: AutoencoderTiny, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents of pictures and of masked pictures, (N, 4, cells, cells), and masks, as the pipeline makes them."""
    cells = pixels // FACTOR
    pictures = as_tensor(np.stack([sized(s.picture, pixels) for s in samples]))
    masks = torch.from_numpy(np.stack([touched_cells(s.mask, cells) for s in samples]))[:, None]
    hidden = masks.repeat_interleave(FACTOR, 2).repeat_interleave(FACTOR, 3)
    latents = vae.encode(torch.cat([pictures, pictures * ~hidden])).latents * vae.config.scaling_factor
    target, masked = latents.numpy().astype(np.float16).reshape(2, len(samples), 4, cells, cells)
    return target, masked, masks[:, 0].numpy().astype(np.uint8)


def fill(work: Path, size: int, pixels: int, seed: int, duty: float, parent: int | None) -> None:
    """Fill the stock, then go on replacing, working `duty` of the time, until the parent process, if any, is gone."""
    stock = Stock(work, size, pixels)
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
    parser.add_argument("--size", type=int, default=6144)
    parser.add_argument("--pixels", type=int, default=NATIVE_SIZE)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--duty", type=float, default=0.1)
    parser.add_argument("--parent", type=int, help="stop when this process, which started us, ends")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fill(options.work, options.size, options.pixels, options.seed, options.duty, options.parent)


if __name__ == "__main__":
    main()
