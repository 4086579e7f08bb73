"""The judge: a small classifier of the vocabulary, `python -m training.classifier [--work DIR] [--minutes M]`.

Trained only on rendered real objects, never on the inpainter's outputs; one more class, the last,
stands for "nothing here". Sees what is in the mask's bounding box, scaled to 48 x 48 pixels. Goes on with the one in
WORK/classifier.pt when there; use another --seed then.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from training.data import SampleSource, held_out_source, training_source
from training.fetch import work_argument
from training.words import OBJECTS

SIDE = 48
CLASSES = [*OBJECTS, "nothing"]


def classifier_file(work: Path) -> Path:
    return work / "classifier.pt"


def new_classifier() -> nn.Module:
    """(N, 3, 48, 48) in -1..1 -> (N, classes) scores."""

    def stage(before: int, after: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

    return nn.Sequential(
        *stage(3, 32, 2), *stage(32, 64, 1), *stage(64, 96, 2), *stage(96, 96, 1), *stage(96, 160, 2),
        *stage(160, 160, 1), nn.Dropout2d(0.1), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(640, len(CLASSES)),
    )  # fmt: skip


def view_of(picture: np.ndarray, mask: np.ndarray, grow: int = 4) -> np.ndarray:
    """What the judge sees: the mask's bounding box as a square (48, 48, 3) uint8, padded by the picture's edge."""
    rows, columns = np.where(mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    half = max(bottom - top, right - left) / 2 + grow
    y, x = (top + bottom) / 2, (left + right) / 2
    scale = SIDE / (2 * half)
    place = np.float32([[scale, 0, SIDE / 2 - x * scale], [0, scale, SIDE / 2 - y * scale]])
    smoothed = cv2.GaussianBlur(picture, (0, 0), max(0.01, 0.4 / scale)) if scale < 1 else picture
    return cv2.warpAffine(smoothed, place, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def worn(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise and other colours, so that the judge names shapes and does not trip over softness."""
    out = picture.astype(np.float32)
    if rng.random() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.6, 4.4))
    if rng.random() < 0.5:
        out += rng.normal(0, rng.uniform(1, 14), out.shape)
    if rng.random() < 0.3:
        out += cv2.resize(rng.normal(0, 22, (8, 8, 3)).astype(np.float32), (picture.shape[1], picture.shape[0]))
    out = out * rng.uniform(0.8, 1.15, 3) + rng.uniform(-15, 15, 3)
    return np.clip(out, 0, 255).astype(np.uint8)


def views(source: SampleSource, count: int, wear: bool) -> tuple[np.ndarray, np.ndarray]:
    """`count` views (count, 48, 48, 3) uint8 of fresh samples and their class indices."""
    pictures, labels = [], []
    for _ in range(count):
        word = None if source.rng.random() < 0.06 else "any"
        sample = source.draw(word)
        picture = worn(sample.picture, source.rng) if wear else sample.picture
        pictures.append(view_of(picture, sample.mask, grow=int(source.rng.integers(0, 12))))
        labels.append(CLASSES.index(sample.word or "nothing"))
    return np.stack(pictures), np.array(labels)


def tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)


@torch.no_grad()
def named(network: nn.Module, pictures: np.ndarray) -> np.ndarray:
    """Class indices (N,) of views (N, 48, 48, 3)."""
    return network.eval()(tensor(pictures)).argmax(1).numpy()


def load_classifier(work: Path) -> nn.Module:
    network = new_classifier()
    network.load_state_dict(torch.load(classifier_file(work), weights_only=True))
    return network.eval()


def train(work: Path, minutes: float, seed: int, batch: int = 64) -> None:
    torch.manual_seed(seed)
    network = load_classifier(work) if classifier_file(work).exists() else new_classifier()
    source = training_source(work, seed)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    start, step = time.time(), 0
    stock_x, stock_y = views(source, 1500, wear=True)
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * max(0.01, 1 - done)
        # an eighth of every batch is new, and replaces old stock: rendering takes longer than a step
        slots = source.rng.integers(0, len(stock_x), batch)
        stock_x[slots[: batch // 8]], stock_y[slots[: batch // 8]] = views(source, batch // 8, wear=True)
        scores = network.train()(tensor(stock_x[slots]))
        loss = nn.functional.cross_entropy(scores, torch.from_numpy(stock_y[slots]), label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(f"{step} steps, {time.time() - start:.0f} s, loss {loss.item():.3f}", flush=True)
    torch.save(network.state_dict(), classifier_file(work))
    print(f"held out, clean: {accuracy(network, work, False):.4f}, worn: {accuracy(network, work, True):.4f}")


def accuracy(network: nn.Module, work: Path, wear: bool, count: int = 1000, seed: int = 987654) -> float:
    """Share of right names on renderings with backgrounds, masks and seeds of their own."""
    pictures, labels = views(held_out_source(work, seed), count, wear)
    return float((named(network, pictures) == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train(options.work, options.minutes, options.seed)


if __name__ == "__main__":
    main()
