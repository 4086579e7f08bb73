"""Image encoders (CLIP vision): loaded from a file, asked once, and dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from core.domain.errors import InvalidReference
from core.domain.model_file import NamedFile
from core.engine.models.integrity import read_object
from core.engine.quiet import quiet_libraries

CONFIG = "config.json"

BY_WIDTH: Mapping[int, Mapping[str, Any]] = {
    1024: {"num_attention_heads": 16, "hidden_act": "quick_gelu"},
    1280: {"num_attention_heads": 16, "hidden_act": "gelu"},
    1664: {"num_attention_heads": 16, "hidden_act": "gelu"},
}
"""What the tensors of ViT-L of OpenAI, and ViT-H and ViT-bigG of OpenCLIP do not tell, by the width of their states."""

LAYER = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.")


def load(file: NamedFile, dtype: Any) -> Any:
    """The encoder on the CPU, with all of its weights. dtype: of torch.

    Raises InvalidReference, in words, for one that is not of this kind or lacks something.
    """
    from accelerate import init_empty_weights
    from safetensors.torch import load_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    name = file.path.name
    try:
        found = load_file(file.path)
        with quiet_libraries(), init_empty_weights(include_buffers=False):
            encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**_config(file, found)))
        wanted = encoder.state_dict()
        if lacking := next((key for key, empty in wanted.items() if _shape(found.get(key)) != empty.shape), None):
            raise InvalidReference(
                f"Image encoder: {name} is not laid out as those of IP-Adapters are ({lacking} is missing or another "
                "one). Use the one that came with the adapter."
            )
        encoder.load_state_dict({key: found[key].to(dtype) for key in wanted}, assign=True)
    except InvalidReference:
        raise
    except Exception as error:  # whatever a file that is not what it seems makes of the library
        raise InvalidReference(f"Image encoder: {name} cannot be read. Download or copy it again.") from error
    return encoder.requires_grad_(False).eval()


def embeds(encoder: Any, pictures: Sequence[Image.Image], *, states: bool) -> Any:
    """What an adapter is told of these pictures, as the pipelines' own encode_image makes it.

    (2, pictures, width), or with states: (2, pictures, patches, width); first what stands for no picture, then these.
    pictures: RGB, of any shape; the middle square of each is seen.
    """
    import torch
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    size = encoder.config.image_size
    values = CLIPImageProcessorPil(size=size, crop_size=size)(list(pictures), return_tensors="pt").pixel_values
    values = values.to(encoder.device, encoder.dtype)
    with torch.inference_mode(False), torch.no_grad():
        if not states:
            seen = encoder(values).image_embeds
            return torch.stack([torch.zeros_like(seen), seen])
        seen, nothing = (
            encoder(pixels, output_hidden_states=True).hidden_states[-2]
            for pixels in (values, torch.zeros_like(values))
        )
        return torch.stack([nothing, seen])


def _config(file: NamedFile, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside the file in a folder of transformers; else what its tensors tell. Raises KeyError."""
    beside = read_object(file.path.with_name(CONFIG)) or {}
    if "hidden_size" in beside:
        return beside
    patch = tensors["vision_model.embeddings.patch_embedding.weight"]
    positions, width = tensors["vision_model.embeddings.position_embedding.weight"].shape
    return {
        "hidden_size": width,
        "patch_size": patch.shape[-1],
        # All patches of a square, and one that stands for the whole.
        "image_size": round((positions - 1) ** 0.5) * patch.shape[-1],
        "num_hidden_layers": 1 + max(int(match[1]) for key in tensors if (match := LAYER.match(key))),
        "intermediate_size": len(tensors["vision_model.encoder.layers.0.mlp.fc1.weight"]),
        "projection_dim": len(tensors["visual_projection.weight"]),
        **BY_WIDTH[width],
    }


def _shape(tensor: Any) -> Any:
    return None if tensor is None else tensor.shape
