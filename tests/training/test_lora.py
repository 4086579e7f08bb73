"""The LoRA for the released pocket model: its style, and that what is trained is a file that the application takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs training/requirements.txt")
ink = pytest.importorskip("training.ink")

from core.domain.model_file import Base, FileKind, NamedFile  # noqa: E402

SIDE = 120


def drawing() -> np.ndarray:
    """A yellow disc with a red one in it, on nothing."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    radius = np.hypot(x, y)
    sprite = np.zeros((SIDE, SIDE, 4), np.uint8)
    sprite[radius < 56] = (250, 210, 40, 255)
    sprite[radius < 25] = (225, 35, 45, 255)
    return sprite


def test_a_drawing_in_ink_has_no_colours_a_dark_outline_and_the_same_shape():
    before = drawing()

    after = ink.inked(before)

    inside = before[..., 3] > 0
    colours = after[inside][:, :3].astype(int)
    assert (after[..., 3] == before[..., 3]).all()
    assert (after[~inside] == 0).all()
    assert (colours.max(1) - colours.min(1)).max() <= max(np.ptp(ink.INK), np.ptp(ink.PAPER))
    rim = inside & ~cv2.erode(inside.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert after[rim][:, :3].max() <= max(ink.INK)
    assert after[SIDE // 2, 20, :3].min() > 200, "the yellow becomes paper"
    assert after[SIDE // 2, SIDE // 2, :3].max() < 150, "the red becomes darker than that"


@pytest.mark.slow
def test_what_is_trained_goes_on_after_a_stop_and_every_tensor_of_the_file_fits_the_pocket_model(tmp_path, monkeypatch):
    import torch
    from diffusers import StableDiffusionInpaintPipeline

    from core.engine.lora import names
    from core.engine.lora.file import read_layers
    from core.engine.models import kinds
    from training import lora

    random = np.random.default_rng(0)
    content = {
        "target": random.normal(size=(20, 4, 32, 32)).astype(np.float16),
        "masked": random.normal(size=(20, 4, 32, 32)).astype(np.float16),
        "mask": np.ones((20, 32, 32), np.uint8),
        "label": np.zeros((20, 2), np.int16),
    }
    monkeypatch.setattr(lora, "stock", lambda work, vae: content)
    threads = torch.get_num_threads()
    file = tmp_path / "ink.safetensors"

    lora.train(tmp_path, steps=1, rate=1e-2)
    lora.train(tmp_path, steps=2, rate=1e-2)
    lora.export(tmp_path, file)
    torch.set_num_threads(threads)

    about = kinds.of(file)
    assert (about.kind, about.base, about.rank) == (FileKind.LORA, Base.POCKET, lora.RANK)
    assert file.stat().st_size < 1_000_000
    modules = names.modules(StableDiffusionInpaintPipeline.from_pretrained(lora.MODEL, safety_checker=None))
    layers = read_layers(NamedFile("ink", Path(file), about), modules, "Pocket")
    changed = [layer.delta(_reader(file), 1.0).abs().max() for layer in layers.values()]
    assert len(layers) > 100
    assert all(change > 0 for change in changed)


def _reader(file: Path):
    from safetensors.torch import load_file

    tensors = load_file(file)
    return lambda name: tensors[name].float()
