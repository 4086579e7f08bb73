"""Very small pipelines of Kandinsky 2.2 with random weights: a decoder, and the prior in a cache of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.engine import families
from tests.engine.loopback_hub import COMMIT
from tests.engine.tiny import LONGEST_PROMPT, SIDE, _text_encoder, _tokenizer

PRIOR = str(families.named("Kandinsky 2.2").companion)
WIDTH = 16


def save(folder: Path, cache: Path) -> Path:
    """The decoder in that folder, and the prior where a download into that cache would leave it."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        _decoder().save_pretrained(folder)
        save_prior(cached_prior(cache))
    ref = cache / f"models--{PRIOR.replace('/', '--')}" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    ref.write_text(COMMIT)
    return folder


def cached_prior(cache: Path) -> Path:
    return cache / f"models--{PRIOR.replace('/', '--')}" / "snapshots" / COMMIT


def save_prior(folder: Path) -> Path:
    import torch
    from diffusers import KandinskyV22PriorPipeline, PriorTransformer, UnCLIPScheduler
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    tokenizer = _tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_attention_heads=2,
        num_hidden_layers=1,
        image_size=32,
        patch_size=16,
    )
    pipe = KandinskyV22PriorPipeline(
        prior=PriorTransformer(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            embedding_dim=WIDTH,
            num_embeddings=LONGEST_PROMPT,
        ),
        image_encoder=CLIPVisionModelWithProjection(vision).eval(),
        text_encoder=_text_encoder(len(tokenizer), projected=True),
        tokenizer=tokenizer,
        scheduler=UnCLIPScheduler(clip_sample_range=5.0, prediction_type="sample"),
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    )
    # Without training all it says would be nothing.
    torch.nn.init.ones_(pipe.prior.clip_std)
    pipe.save_pretrained(folder)
    return folder


def _decoder() -> Any:
    from diffusers import DDPMScheduler, KandinskyV22InpaintPipeline, UNet2DConditionModel, VQModel

    return KandinskyV22InpaintPipeline(
        unet=UNet2DConditionModel(
            sample_size=SIDE // 8,
            # Latents, those of the masked picture, and the mask; noise and its variance.
            in_channels=9,
            out_channels=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            addition_embed_type="image",
            encoder_hid_dim_type="image_proj",
            encoder_hid_dim=WIDTH,
            cross_attention_dim=WIDTH,
            attention_head_dim=4,
            resnet_time_scale_shift="scale_shift",
        ),
        scheduler=DDPMScheduler(
            beta_start=0.00085, beta_end=0.012, clip_sample=False, thresholding=True, sample_max_value=2.0,
            variance_type="learned_range",
        ),
        movq=VQModel(
            block_out_channels=(32,) * 4,
            latent_channels=4,
            vq_embed_dim=4,
            num_vq_embeddings=12,
            norm_type="spatial",
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        ),
    )  # fmt: skip
