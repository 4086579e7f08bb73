"""Upscalers: Lanczos, which needs no model, and files of the artist's own."""

from __future__ import annotations

from core.domain.errors import UnknownModel
from core.domain.model import ModelSpec
from core.domain.model_file import FileKind
from core.domain.params import PARAMETERS
from core.domain.upscale import LANCZOS, Upscale
from core.engine.models import kinds, names
from core.engine.models.onnx_header import ENDING

ENGINE = "upscaler"
"""A key of core.engine.loading."""

UNUSED = tuple(name for name in PARAMETERS if name not in ("model", "mask_grow_px", "mask_feather_px"))


def spec_of(upscale: Upscale) -> ModelSpec:
    """Raises UnknownModel for what is no upscaler of this machine, UnsafeWeights or DamagedModel."""
    if upscale.method == LANCZOS:
        return _spec(upscale, f"Lanczos {upscale.factor}x", "Enlarges without a model.")
    named = names.file_of(upscale.method)
    if named is None:
        raise UnknownModel(f"The upscaler {upscale.method} is not on this machine. Choose another one.")
    file, _ = named
    told = kinds.of(file)
    if told.kind is not FileKind.UPSCALER or not file.name.lower().endswith(ENDING):
        raise UnknownModel(f"{file.name} is no upscaler in the ONNX format but another file: {told.title}. Choose one.")
    return _spec(upscale, f"{file.stem} {upscale.factor}x", f"A file on this machine: {file}", str(file))


def _spec(upscale: Upscale, title: str, description: str, file: str | None = None) -> ModelSpec:
    return ModelSpec(
        key=upscale.key,
        title=title,
        description=description,
        native_px=512,
        file=file,
        licence="see where the file comes from" if file else "MIT",
        unused=UNUSED,
        engine=ENGINE,
    )
