"""Backgrounds made of noise and simple materials, beside the photographs: they have what few photographs show."""

import cv2
import numpy as np

BACKGROUND_SIDE = 352  # backgrounds are made larger than a sample and cropped: more variety from one


def make_background(rng: np.random.Generator) -> np.ndarray:
    """(BACKGROUND_SIDE, BACKGROUND_SIDE, 3) uint8: something a photograph's surroundings could look like.

    Half of them are made at half the side and enlarged, as the application enlarges a small crop.
    """
    enlarged = rng.random() < 0.5
    side = BACKGROUND_SIDE // 2 if enlarged else BACKGROUND_SIDE
    picture = _texture(rng, side)
    if rng.random() < 0.4:
        picture = _horizon(picture, _texture(rng, side), rng)
    if rng.random() < 0.25:
        _blobs(picture, rng)
    if rng.random() < 0.4:
        blur = rng.uniform(0.6, 4)
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    light = _gradient(rng, side)[..., None]
    picture = picture * (1 + rng.uniform(0, 0.35) * (light - 0.5))
    if rng.random() < 0.6:
        picture = picture + rng.normal(0, rng.uniform(1, 7), (side, side, 1))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    return cv2.resize(picture, (BACKGROUND_SIDE,) * 2, interpolation=cv2.INTER_CUBIC) if enlarged else picture


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Mostly muted, as in photographs; now and then vivid."""
    colour = rng.uniform(20, 240, 3)
    grey = colour.mean()
    return (grey + (colour - grey) * (rng.uniform(0.1, 0.6) if rng.random() < 0.65 else 1)).astype(np.float32)


def _gradient(rng: np.random.Generator, side: int) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    ramp = axis[None] * np.cos(angle) + axis[:, None] * np.sin(angle)
    return ramp - ramp.min()


def _noise(rng: np.random.Generator, side: int, cells: tuple[int, int], octaves: int) -> np.ndarray:
    """(side, side) float32, about 0..1: smooth noise, each octave twice as fine and half as strong."""
    total, strength, out = 0.0, 1.0, np.zeros((side, side), np.float32)
    for octave in range(octaves):
        shape = [min(side, n * 2**octave) for n in cells]
        grid = rng.random(shape, dtype=np.float32)
        out += strength * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
        total += strength
        strength *= 0.55
    return out / total


def _texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """One material, (side, side, 3) float32 0..255."""
    first, second = _colour(rng), _colour(rng)
    kind = rng.integers(8)
    if kind == 0:
        share = np.zeros((side, side), np.float32)
    elif kind == 1:
        share = _gradient(rng, side)
    elif kind == 2:
        share = _noise(rng, side, tuple(rng.integers(1, 5, 2) + 1), int(rng.integers(1, 6)))
    elif kind == 3:  # grass, fur, water: noise stretched along one side
        cells = (int(rng.integers(2, 6)), int(rng.integers(12, 40)))
        share = _noise(rng, side, cells if rng.random() < 0.5 else cells[::-1], 3)
    elif kind == 4:  # wood, fabric: waves bent by noise
        wave = _gradient(rng, side) * rng.uniform(10, 70) + _noise(rng, side, (3, 3), 3) * rng.uniform(1, 9)
        share = 0.5 + 0.5 * np.sin(wave)
    elif kind == 5:
        share = _tiles(rng, side)
    elif kind == 6:  # foliage, gravel, clouds: rough noise with a threshold
        share = 1 / (1 + np.exp(-(_noise(rng, side, (4, 4), 5) - 0.5) * rng.uniform(5, 40)))
    else:
        share = _noise(rng, side, (2, 2), 2)
        first = first + (_colour(rng) - first) * _noise(rng, side, (2, 3), 1)[..., None]
    if kind in (3, 4, 5, 6):  # materials vary around one colour rather than between two
        second = first + (second - first) * rng.uniform(0.1, 0.6)
    return np.broadcast_to(first + (second - first) * share[..., None], (side, side, 3)).astype(np.float32)


def _tiles(rng: np.random.Generator, side: int) -> np.ndarray:
    width, height = rng.integers(14, 60, 2)
    y, x = np.mgrid[:side, :side]
    x = x + (y // height % 2) * (width // 2) * (rng.random() < 0.5)
    joints = (x % width < 2) | (y % height < 2)
    stones = rng.random((side // height + 2, side // width + 4)).astype(np.float32)
    return np.where(joints, 1.0, 0.5 * stones[y // height, x // width]).astype(np.float32)


def _horizon(above: np.ndarray, below: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sky over ground, wall over table: two materials and a line between, straight or wavy."""
    side = len(above)
    x = np.linspace(0, 1, side)
    line = rng.uniform(0.25, 0.8) + rng.uniform(-0.1, 0.1) * x + rng.uniform(0, 0.05) * np.sin(x * rng.uniform(3, 20))
    y = np.linspace(0, 1, side)[:, None]
    share = 1 / (1 + np.exp(-(y - line) * rng.uniform(40, 250)))
    return (above * (1 - share[..., None]) + below * share[..., None]).astype(np.float32)


def _blobs(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Things out of focus."""
    for _ in range(rng.integers(2, 9)):
        overlay = picture.copy()
        centre = tuple(int(v) for v in rng.integers(0, len(picture), 2))
        axes = tuple(int(v) for v in rng.integers(5, 45, 2))
        cv2.ellipse(overlay, centre, axes, float(rng.uniform(0, 180)), 0, 360, _colour(rng).tolist(), -1)
        overlay = cv2.GaussianBlur(overlay, (0, 0), rng.uniform(1, 8))
        picture[:] = picture + rng.uniform(0.3, 1) * (overlay - picture)
