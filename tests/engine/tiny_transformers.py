"""Very small pipelines of the families with a transformer, with random weights, as their folders look."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engine.tiny import _text_encoder, _tokenizer, _vae

LETTERS = [chr(code) for code in range(33, 127)]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
CHAT = "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
WIDTH = 16
ROPE = (4, 4, 8)
TWO_HEADS = {"num_attention_heads": 2, "attention_head_dim": WIDTH}


def save(family: str, folder: Path) -> Path:
    """family: a key of PIPELINES."""
    import torch

    with torch.random.fork_rng(), warnings.catch_warnings():
        # Chroma's class uses an old name of diffusers' own.
        warnings.filterwarnings("ignore", message="`FluxPosEmbed` is deprecated")
        torch.manual_seed(0)
        PIPELINES[family]().save_pretrained(folder)
    return folder


def _flux(kind: str = "FluxPipeline", in_channels: int = WIDTH, *, guidance_embeds: bool = True) -> Any:
    import diffusers

    tokenizer = _tokenizer()
    return getattr(diffusers, kind)(
        scheduler=_shifted(),
        vae=_vae(shift_factor=0.1, scaling_factor=0.4),
        text_encoder=_text_encoder(len(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=_t5(),
        tokenizer_2=t5_tokenizer(),
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=in_channels,
            out_channels=WIDTH,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=ROPE,
            guidance_embeds=guidance_embeds,
            **TWO_HEADS,
        ),
    )


def _flux_fill() -> Any:
    # Latents, those of the masked picture, and 8 x 8 pixels of the mask for each latent; all packed by four.
    return _flux("FluxFillPipeline", in_channels=2 * WIDTH + 8 * 8 * 4)


def _klein() -> Any:
    from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
    from transformers import Qwen3ForCausalLM

    return Flux2KleinPipeline(
        scheduler=_shifted(),
        vae=AutoencoderKLFlux2(block_out_channels=(4, 4, 8, 8), norm_num_groups=4, latent_channels=4),
        # It looks at the layers 9, 18 and 27.
        text_encoder=Qwen3ForCausalLM(_qwen3(layers=28)).eval(),
        tokenizer=_qwen_tokenizer(),
        transformer=Flux2Transformer2DModel(
            in_channels=WIDTH,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=WIDTH,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
            **TWO_HEADS,
        ),
    )


def _sd3() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    tokenizer = _tokenizer()
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=8,
            in_channels=16,
            out_channels=16,
            num_layers=1,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=2 * WIDTH,
            pooled_projection_dim=2 * WIDTH,
            **TWO_HEADS,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(latent_channels=16, shift_factor=0.1, scaling_factor=0.4),
        text_encoder=_text_encoder(len(tokenizer), projected=True),
        tokenizer=tokenizer,
        text_encoder_2=_text_encoder(len(tokenizer), projected=True),
        tokenizer_2=_tokenizer(),
        text_encoder_3=_t5(2 * WIDTH),
        tokenizer_3=t5_tokenizer(),
    )


def _chroma() -> Any:
    from diffusers import ChromaPipeline, ChromaTransformer2DModel

    return ChromaPipeline(
        scheduler=_shifted(),
        vae=_vae(shift_factor=0.1, scaling_factor=0.4),
        text_encoder=_t5(),
        tokenizer=t5_tokenizer(),
        transformer=ChromaTransformer2DModel(
            in_channels=WIDTH,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=WIDTH,
            axes_dims_rope=ROPE,
            approximator_num_channels=8,
            approximator_hidden_dim=8,
            approximator_layers=1,
            **TWO_HEADS,
        ),
    )


def _qwen(kind: str = "QwenImagePipeline", **more: Any) -> Any:
    import diffusers
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    tokenizer = _qwen_tokenizer()
    ids = {
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    }
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [0],
        },
        **ids,
    )
    return getattr(diffusers, kind)(
        scheduler=_shifted(),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 2, 2],
            num_res_blocks=1,
            latents_mean=[0.1, -0.2, 0.0, 0.3],
            latents_std=[1.0, 2.0, 0.5, 1.5],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        transformer=diffusers.QwenImageTransformer2DModel(
            in_channels=WIDTH, out_channels=4, num_layers=1, joint_attention_dim=WIDTH, axes_dims_rope=ROPE, **TWO_HEADS
        ),
        **more,
    )


def qwen_edit(kind: str) -> Any:
    """In memory only: its processor of pictures cannot be made without torchvision, so there is a stand-in."""
    return _qwen(kind, processor=_PictureReader(_qwen_tokenizer()))


class _PictureReader:
    """What Qwen2VLProcessor makes of one text with one picture: patches of 14 pixels, of which 2 x 2 are one token."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, text: list[str], images: Any, **_: Any) -> Any:
        from transformers import BatchFeature, Qwen2VLImageProcessorPil

        seen = Qwen2VLImageProcessorPil(max_pixels=56 * 56, min_pixels=56 * 56)(images, return_tensors="pt")
        places = "<|image_pad|>" * (int(seen["image_grid_thw"].prod()) // 4)
        read = self._tokenizer([one.replace("<|image_pad|>", places) for one in text], return_tensors="pt")
        return BatchFeature({**read, **seen})


def _z_image() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Model

    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(shift_factor=0.1, scaling_factor=0.4),
        text_encoder=Qwen3Model(_qwen3(layers=2)).eval(),
        tokenizer=_qwen_tokenizer(),
        transformer=ZImageTransformer2DModel(
            in_channels=4,
            dim=2 * WIDTH,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=WIDTH,
            axes_dims=ROPE,
            axes_lens=(1024, 64, 64),
        ),
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    "Chroma": _chroma,
    "FLUX.1": _flux,
    "FLUX.1 Fill": _flux_fill,
    "FLUX.1 Kontext": lambda: _flux("FluxKontextPipeline"),
    "FLUX.2 klein": _klein,
    "Qwen-Image": _qwen,
    "Stable Diffusion 3": _sd3,
    "Z-Image": _z_image,
}


def _shifted() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def _t5(width: int = WIDTH) -> Any:
    from transformers import T5Config, T5EncoderModel

    words = len(t5_tokenizer())
    return T5EncoderModel(
        T5Config(vocab_size=words, d_model=width, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=2)
    ).eval()


def t5_tokenizer() -> Any:
    """One token for each letter."""
    from transformers import T5TokenizerFast

    vocabulary = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("\u2581", -2.0),
        *((letter, -2.0) for letter in LETTERS),
    ]
    return T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=512)


def _qwen3(layers: int) -> Any:
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=len(_qwen_tokenizer()),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=4096,
    )


def _qwen_tokenizer() -> Any:
    """One token for each letter."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    letters = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    tokenizer = Qwen2Tokenizer(vocab={token: number for number, token in enumerate(letters)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.chat_template = CHAT
    return tokenizer
