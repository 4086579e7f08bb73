"""Very small pipelines of the real classes with random weights: 64 px, some hundred kilobytes each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import WorkingRequest

SIDE = 64
LONGEST_PROMPT = 24


def save_pipeline(
    folder: Path,
    *,
    in_channels: int = 9,
    scheduler: dict[str, Any] | None = None,
    tiny_vae: bool = False,
    safety_checker: bool = False,
    seed: int = 0,
    **saving: Any,
) -> Path:
    """scheduler: settings of its DDIM scheduler. saving: further arguments of save_pretrained."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = _unet(in_channels, cross_attention_dim=16)
        tokenizer = _tokenizer()
        pipe = StableDiffusionInpaintPipeline(
            vae=_tiny_vae() if tiny_vae else _vae(),
            text_encoder=_text_encoder(len(tokenizer)),
            tokenizer=tokenizer,
            unet=unet,
            scheduler=DDIMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
                **(scheduler or {}),
            ),
            **_safety(safety_checker),
        )
    pipe.save_pretrained(folder, **saving)
    return folder


def save_xl_pipeline(folder: Path, *, in_channels: int = 9) -> Path:
    """Of the Stable Diffusion XL family: two text encoders, and sizes that are told to the model."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionXLInpaintPipeline

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = _tokenizer()
        pipe = StableDiffusionXLInpaintPipeline(
            vae=_vae(),
            text_encoder=_text_encoder(len(tokenizer)),
            text_encoder_2=_text_encoder(len(tokenizer), projected=True),
            tokenizer=tokenizer,
            tokenizer_2=_tokenizer(),
            unet=_unet(
                in_channels,
                cross_attention_dim=32,
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=16 + 6 * 8,
            ),
            scheduler=DDIMScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
            ),
            add_watermarker=False,
        )
    pipe.save_pretrained(folder)
    return folder


def save_instruct_pipeline(folder: Path) -> Path:
    """InstructPix2Pix: it sees the latents of the picture beside its own, and no mask."""
    import torch
    from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = _tokenizer()
        pipe = StableDiffusionInstructPix2PixPipeline(
            vae=_vae(),
            text_encoder=_text_encoder(len(tokenizer)),
            tokenizer=tokenizer,
            unet=_unet(8, cross_attention_dim=16),
            scheduler=EulerAncestralDiscreteScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
            ),
            **_safety(False),
        )
    pipe.save_pretrained(folder)
    return folder


def _unet(in_channels: int, **more: Any):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        **more,
    )


def _vae(latent_channels: int = 4, **scaling: float):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        norm_num_groups=4,
        latent_channels=latent_channels,
        sample_size=SIDE,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        **scaling,
    )


def _tiny_vae():
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        encoder_block_out_channels=(4, 4, 4, 4),
        decoder_block_out_channels=(4, 4, 4, 4),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    )


def _tokenizer():
    """One token for each letter."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=LONGEST_PROMPT
    )


def _text_encoder(words: int, *, projected: bool = False):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    return kind(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=16,
            intermediate_size=32,
            num_attention_heads=2,
            num_hidden_layers=2,
            max_position_embeddings=LONGEST_PROMPT,
            bos_token_id=words - 2,
            eos_token_id=words - 1,
            pad_token_id=words - 1,
            projection_dim=16,
        )
    ).eval()


def _safety(wanted: bool) -> dict[str, Any]:
    if not wanted:
        return {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPTextConfig, CLIPVisionConfig

    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    config = CLIPConfig(
        vision_config=CLIPVisionConfig(**small, image_size=32, patch_size=16).to_dict(),
        text_config=CLIPTextConfig(**small).to_dict(),
        projection_dim=16,
    )
    return {
        "safety_checker": StableDiffusionSafetyChecker(config),
        "feature_extractor": CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    }


def a_picture(width: int = SIDE, height: int = SIDE, *, seed: int = 5) -> Image.Image:
    """Smooth colours with some noise."""
    noise = np.random.default_rng(seed).integers(0, 255, (max(2, height // 8), max(2, width // 8), 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def a_mask(width: int = SIDE, height: int = SIDE, box: tuple[int, int, int, int] = (16, 16, 48, 48)) -> Mask:
    pixels = np.zeros((height, width), np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = 255
    return Mask(pixels)


def a_working_request(
    width: int = SIDE, height: int = SIDE, *, mask: Mask | None = None, **params: Any
) -> WorkingRequest:
    picture = a_picture(width, height)
    return WorkingRequest(
        image=picture,
        mask=mask or Mask.empty(Size(width, height)).union(a_mask(width, height, (16, 16, width - 16, height - 16))),
        params=InpaintParams(
            **{
                "prompt": "a red ball",
                "num_inference_steps": 4,
                "seed": 7,
                "size": SIDE,
                "guidance_scale": 3.0,
                **params,
            }
        ),
    )
