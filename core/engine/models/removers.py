"""Models that fill a hole without words: those to be downloaded, and a file of the artist's own.

Where sizes and hashes come from: docs/decisions/0035-removers.md. What arrives with another hash is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.domain.model import ModelSpec, PinnedFile
from core.domain.model_file import ModelFile
from core.engine.models.onnx_kinds import USUAL_SIDE

ENGINE = "remover"
"""A key of core.engine.loading."""

UNUSED = (
    "prompt",
    "negative_prompt",
    "scheduler",
    "num_inference_steps",
    "guidance_scale",
    "strength",
    "seed",
    "size",
    "fill",
    "prompt_weights",
    "long_prompt",
    "loras",
    "embeddings",
    "controlnet",
    "ip_adapter",
    "ip_adapter_scale",
    "clip_skip",
    "dtype",
    "cache_interval",
    "vae",
    "variation_strength",
    "variation_seed",
)

RECOMMENDED: Mapping[str, Any] = {
    "size": USUAL_SIDE,
    "num_inference_steps": 10,
    "guidance_scale": 1.0,
    "strength": 1.0,
    "keep_threshold": 0.0,
    "crop_padding_px": 128,
}
"""The context is that of MI-GAN's own pipeline."""

REMOVERS: tuple[ModelSpec, ...] = (
    ModelSpec(
        key="mi-gan",
        title="MI-GAN, for removing",
        description=(
            "Not a diffusion model: it removes what is painted over and invents a plausible background at 512 px, in "
            "seconds on any machine. It takes no prompt, and always fills a mask in the same way."
        ),
        native_px=USUAL_SIDE,
        repository="andraniksargsyan/migan",
        pinned=PinnedFile(
            "migan_pipeline_v2.onnx",
            "sha256:6f1f3530a1a2324b19752018ce756088b07973cda8d7d890034ace5c8a48c40b",
            28_079_181,
        ),
        licence="MIT",
        licence_url="https://github.com/Picsart-AI-Research/MI-GAN/blob/main/LICENSE-WEIGHTS",
        download_gb=0.028,
        memory_gb=1.0,
        recommended=RECOMMENDED,
        unused=UNUSED,
        engine=ENGINE,
    ),
    ModelSpec(
        key="lama",
        title="LaMa, for removing",
        description=(
            "Not a diffusion model: it removes what is painted over, also large things, and continues patterns and "
            "lines at 512 px. It takes no prompt, and always fills a mask in the same way."
        ),
        native_px=USUAL_SIDE,
        repository="opencv/inpainting_lama",
        pinned=PinnedFile(
            "inpainting_lama_2025jan.onnx",
            "sha256:7df918ac3921d3daf0aae1d219776cf0dc4e4935f035af81841b40adcf74fdf2",
            92_591_623,
        ),
        licence="Apache 2.0",
        licence_url="https://github.com/opencv/opencv_zoo/blob/main/models/inpainting_lama/LICENSE",
        download_gb=0.093,
        memory_gb=2.0,
        recommended=RECOMMENDED,
        unused=UNUSED,
        engine=ENGINE,
    ),
)


def of_file(key: str, file: Path, told: ModelFile) -> ModelSpec:
    """told: what the file is, by what it takes and returns."""
    return ModelSpec(
        key=key,
        title=file.stem,
        description=f"A {told.title} on this machine: {file}",
        native_px=USUAL_SIDE,
        file=str(file),
        licence="see where the file comes from",
        recommended=RECOMMENDED,
        unused=UNUSED,
        engine=ENGINE,
    )
