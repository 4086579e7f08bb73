"""The transformer of a large model in one file, beside the folder of a pipeline that everything else comes from.

Files of FLUX, Stable Diffusion 3, Qwen-Image, Z-Image and Chroma mostly hold the transformer alone: the text encoders
are as large, and the same for all of a family. The weights are converted by diffusers; each has to be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.domain.errors import UnknownModel
from core.domain.model_file import Base, FileKind, ModelFile
from core.engine.models import kinds
from core.engine.models.integrity import read_index
from core.engine.models.single_file import check_weights, empty, filled

FAMILIES: Mapping[Base | None, Sequence[tuple[str, str]]] = {
    Base.FLUX1: (("kontext", "FLUX.1 Kontext"), ("", "FLUX.1")),
    Base.FLUX2: (("", "FLUX.2 klein"),),
    Base.CHROMA: (("", "Chroma"),),
    Base.SD3: (("", "Stable Diffusion 3"),),
    Base.QWEN: (
        ("edit-2509", "Qwen-Image-Edit Plus"),
        ("edit-2511", "Qwen-Image-Edit Plus"),
        ("edit", "Qwen-Image-Edit"),
        ("", "Qwen-Image"),
    ),
    Base.Z_IMAGE: (("", "Z-Image"),),
}
"""By architecture: what names of files say, and the family that it means. Edit models have the tensors of others."""

FILL = 384
"""Input channels of FLUX.1 Fill."""


def is_one(told: ModelFile) -> bool:
    return told.kind in (FileKind.CHECKPOINT, FileKind.DIFFUSION_MODEL) and told.base in FAMILIES


def as_checkpoint(told: ModelFile) -> ModelFile:
    """Such a file is chosen like a checkpoint that holds everything; others are what they are."""
    return replace(told, kind=FileKind.CHECKPOINT) if is_one(told) else told


def family_of(told: ModelFile, name: str) -> str:
    """The title of the family of such a file, as far as the file and its name tell. Raises UnknownModel.

    Another one can be meant: by the name of a model behind that of the file.
    """
    check_weights(told, name)
    if told.base == Base.FLUX1 and told.in_channels == FILL:
        return "FLUX.1 Fill"
    if told.base == Base.FLUX1 and told.in_channels in kinds.FLUX_CHANNELS:
        raise UnknownModel(f"{name} is a {told.title}, which cannot repaint. Choose another model.")
    said = name.lower().replace("_", "-")
    return next(title for hint, title in FAMILIES[told.base] if hint in said)


def load(file: Path, folder: Path, component: str, dtype: Any) -> Any:
    """The transformer on the CPU. folder: of a pipeline, for its configuration. dtype: of torch.

    Raises DamagedModel if a weight is missing or of another shape; what libraries raise comes through.
    """
    import diffusers
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
    from safetensors.torch import load_file

    name = str(read_index(folder)[component][1])
    kind = getattr(diffusers, name)
    about = kind.load_config(folder, subfolder=component)
    model = empty(lambda: kind.from_config(about))
    # Of float8 nothing can be computed, also not by what puts weights together anew.
    weights = {key.removeprefix(kinds.LDM): _readable(tensor) for key, tensor in load_file(file).items()}

    def converted() -> Mapping[str, Any]:
        if model.state_dict().keys() <= weights.keys():
            return weights
        known: Any = SINGLE_FILE_LOADABLE_CLASSES[name]
        found: Mapping[str, Any] = known["checkpoint_mapping_fn"](checkpoint=weights, config=about)
        return found

    return filled(component, model, converted, dtype)


def _readable(tensor: Any) -> Any:
    import torch

    return tensor.to(torch.bfloat16) if tensor.is_floating_point() and tensor.itemsize == 1 else tensor
