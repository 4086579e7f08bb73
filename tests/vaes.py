"""VAE files for tests without torch: names and shapes that tell what they are."""

from __future__ import annotations

from pathlib import Path

from tests.engine.model_files import write


def write_vae(file: Path, channels: int = 4, **metadata: str) -> Path:
    """channels: of its latents."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shapes = {"decoder.conv_in.weight": (512, channels, 3, 3), "decoder.up.0.block.0.conv1.weight": (8, 8, 3, 3)}
    return write(file, shapes, metadata=metadata)
