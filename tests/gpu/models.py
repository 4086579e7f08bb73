"""The models that are painted with: of full size with random weights, or tiny ones of the same classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.full_size import ASSETS, config, filled
from tests.engine import tiny, tiny_transformers

SD15, XL, SD3 = "sd15", "sdxl", "sd3"
TITLES = {
    SD15: "Stable Diffusion 1.5 inpainting",
    XL: "Stable Diffusion XL inpainting",
    SD3: "Stable Diffusion 3 medium",
}

HALF = {SD15: "float16", XL: "float16", SD3: "bfloat16"}
"""What a full model is saved in, which is what a card with units for it computes in."""

SIDE = {SD15: 512, XL: 1024, SD3: 1024}

GIGABYTES = {SD15: 2.1, XL: 7.0, SD3: 15.3}
"""On the disk, in 10^9 bytes."""


def save(name: str, folder: Path, *, is_tiny: bool, device: str) -> Path:
    """A diffusers folder; one that is there already is left as it is. device: what random values are drawn on."""
    if (folder / "model_index.json").exists():
        return folder
    if is_tiny:
        return _save_tiny(name, folder)
    for part, make in _parts(name).items():
        filled(make, HALF[name], device).save_pretrained(folder / part)
    index = _save_rest(name, folder)
    # Last: what is broken off before is made again.
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def _save_tiny(name: str, folder: Path) -> Path:
    if name == SD3:
        return tiny_transformers.save("Stable Diffusion 3", folder)
    return tiny.save_pipeline(folder) if name == SD15 else tiny.save_xl_pipeline(folder)


def _parts(name: str) -> Mapping[str, Callable[[], Any]]:
    import diffusers
    import transformers

    text, text_2 = transformers.CLIPTextModel, transformers.CLIPTextModelWithProjection
    of_clip = transformers.CLIPTextConfig
    xl = ASSETS / "xl"
    if name == SD3:
        of_l = config(ASSETS / "sd1" / "text_encoder", projection_dim=768)
        return {
            "transformer": lambda: diffusers.SD3Transformer2DModel(**SD3_TRANSFORMER),
            "vae": lambda: diffusers.AutoencoderKL(**SD3_VAE),
            "text_encoder": lambda: text_2(of_clip(**of_l)),
            "text_encoder_2": lambda: text_2(of_clip(**config(xl / "text_encoder_2"))),
            "text_encoder_3": lambda: transformers.T5EncoderModel(transformers.T5Config(**_t5_xxl())),
        }
    layout = xl if name == XL else ASSETS / "sd1"
    parts: dict[str, Callable[[], Any]] = {
        "unet": lambda: diffusers.UNet2DConditionModel(**config(layout / "unet", in_channels=9)),
        "vae": lambda: diffusers.AutoencoderKL(**config(layout / "vae")),
        "text_encoder": lambda: text(of_clip(**config(layout / "text_encoder"))),
    }
    if name == XL:
        parts["text_encoder_2"] = lambda: text_2(of_clip(**config(xl / "text_encoder_2")))
    return parts


def _save_rest(name: str, folder: Path) -> Mapping[str, Any]:
    """Tokenizers and scheduler. Returns what model_index.json is to say."""
    import diffusers

    version = {"_diffusers_version": diffusers.__version__}
    clip = ["transformers", "CLIPTokenizer"]
    names = ("tokenizer",) if name == SD15 else ("tokenizer", "tokenizer_2")
    for tokenizer in names:
        shutil.copytree(ASSETS / "tokenizer", folder / tokenizer, dirs_exist_ok=True)
    if name != SD3:
        layout = ASSETS / ("xl" if name == XL else "sd1")
        shutil.copytree(layout / "scheduler", folder / "scheduler", dirs_exist_ok=True)
        kind = "StableDiffusionXLInpaintPipeline" if name == XL else "StableDiffusionInpaintPipeline"
        return {**json.loads((layout / "model_index.json").read_text("utf-8")), "_class_name": kind, **version}
    # One of letters: it needs no file from elsewhere, and how words are cut costs nothing.
    tiny_transformers.t5_tokenizer().save_pretrained(folder / "tokenizer_3")
    diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0).save_pretrained(folder / "scheduler")
    return {
        "_class_name": "StableDiffusion3Pipeline",
        **version,
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "transformer": ["diffusers", "SD3Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        **{name: ["transformers", "CLIPTextModelWithProjection"] for name in ("text_encoder", "text_encoder_2")},
        "text_encoder_3": ["transformers", "T5EncoderModel"],
        **dict.fromkeys(names, clip),
        "tokenizer_3": ["transformers", type(tiny_transformers.t5_tokenizer()).__name__],
    }


def _t5_xxl() -> Mapping[str, Any]:
    """Without most of its words: of the real one, which knows 32,128, they are 0.3 of 9.5 GB."""
    return {
        "vocab_size": len(tiny_transformers.t5_tokenizer()),
        "d_model": 4096,
        "d_kv": 64,
        "d_ff": 10240,
        "num_layers": 24,
        "num_heads": 64,
        "feed_forward_proj": "gated-gelu",
    }


SD3_TRANSFORMER: Mapping[str, Any] = {
    "sample_size": 128,
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 24,
    "attention_head_dim": 64,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048,
    "pos_embed_max_size": 192,
}

SD3_VAE: Mapping[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 16,
    "sample_size": 1024,
    "scaling_factor": 1.5305,
    "shift_factor": 0.0609,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
