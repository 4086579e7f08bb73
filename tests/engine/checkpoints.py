"""Tiny checkpoints in one file, in the original layout and as wide where a kind is told by it; and the same as folders.

Beside each lie configurations as small as it is, where a repository has those of the real size.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.model_file import Base
from core.engine.models.single_file import FOLDER, LAYOUTS
from tests.engine import ldm
from tests.engine.tiny import LONGEST_PROMPT, SIDE, _tokenizer, _vae

CONTEXT = {Base.SD1: 768, Base.SD2: 1024, Base.SDXL: 2048}


@dataclass(frozen=True)
class Checkpoint:
    """file: in the original layout. folder: the same model as diffusers saves it. root: a repository to load it."""

    file: Path
    folder: Path
    root: Path

    def weights(self) -> dict[str, Any]:
        from safetensors.torch import load_file

        return load_file(self.file)

    def changed(self, name: str, weights: Mapping[str, Any], **metadata: str) -> Path:
        """Another file beside it, with these weights."""
        from safetensors.torch import save_file

        file = self.file.with_name(name)
        save_file({key: tensor.clone().contiguous() for key, tensor in weights.items()}, file, metadata or None)
        return file


def make(base: Base, at: Path, *, in_channels: int = 4, dtype: str = "float32") -> Checkpoint:
    """at: an empty folder for all of it."""
    import torch
    from safetensors.torch import save_file

    made = Checkpoint(at / "oil.safetensors", at / "folder", at / "root")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipe = _pipeline(base, in_channels).to(getattr(torch, dtype))
    pipe.save_pretrained(made.folder)
    save_file({name: tensor.contiguous() for name, tensor in _in_one_file(base, pipe).items()}, made.file)
    _save_layout(made, LAYOUTS[base])
    return made


def _in_one_file(base: Base, pipe: Any) -> dict[str, Any]:
    weights = {**ldm.unet(pipe.unet.state_dict()), **ldm.vae(pipe.vae.state_dict())}
    text = pipe.text_encoder.state_dict()
    if base == Base.SD1:
        return {**weights, **ldm.clip(text)}
    if base == Base.SD2:
        return {**weights, **ldm.open_clip(text)}
    second = ldm.open_clip(pipe.text_encoder_2.state_dict(), "conditioner.embedders.1.model.")
    return {**weights, **ldm.clip(text, "conditioner.embedders.0.transformer."), **second}


def _save_layout(made: Checkpoint, name: str) -> None:
    """The folder without its weights and tokenizers; its UNet has 4 channels, as in the repository."""
    configurations = made.root / FOLDER
    ignored = shutil.ignore_patterns("*.safetensors", "tokenizer*")
    shutil.copytree(made.folder, configurations / name, ignore=ignored)
    shutil.copytree(made.folder / "tokenizer", configurations / "tokenizer")
    unet = configurations / name / "unet" / "config.json"
    unet.write_text(json.dumps({**json.loads(unet.read_text()), "in_channels": 4}))


def _pipeline(base: Base, in_channels: int) -> Any:
    import diffusers

    is_xl = base == Base.SDXL
    tokenizer = _padded("<|endoftext|>" if base != Base.SD2 else "!")
    first = _text_encoder(len(tokenizer), 1024, act="gelu") if base == Base.SD2 else _text_encoder(len(tokenizer), 768)
    parts = {
        "vae": _vae(),
        "text_encoder": first,
        "tokenizer": tokenizer,
        "unet": _unet(base, in_channels),
        "scheduler": diffusers.DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
    }
    if not is_xl:
        without = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        return diffusers.StableDiffusionPipeline(**parts, **without)
    second = _text_encoder(len(tokenizer), 1280, act="gelu", projected=True)
    return diffusers.StableDiffusionXLPipeline(
        **parts, text_encoder_2=second, tokenizer_2=_padded("!"), add_watermarker=False
    )


def _padded(token: str) -> Any:
    tokenizer = _tokenizer()
    tokenizer.pad_token = token
    return tokenizer


def _unet(base: Base, in_channels: int) -> Any:
    from diffusers import UNet2DConditionModel

    told_sizes = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }
    return UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=2,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=CONTEXT[base],
        use_linear_projection=base != Base.SD1,
        **(told_sizes if base == Base.SDXL else {}),
    )


def _text_encoder(words: int, width: int, *, act: str = "quick_gelu", projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    return kind(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=width,
            intermediate_size=32,
            num_attention_heads=4,
            num_hidden_layers=2,
            max_position_embeddings=LONGEST_PROMPT,
            hidden_act=act,
            bos_token_id=words - 2,
            eos_token_id=words - 1,
            pad_token_id=words - 1,
            projection_dim=width,
        )
    ).eval()
