"""What a file is, is told by its header: every kind that artists have, and what strangers may have made of one."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.domain.errors import DamagedModel, ModelUnavailable, UnsafeWeights
from core.domain.model_file import Base, FileKind, ModelFile
from core.engine.models import kinds
from core.engine.models.header import Header, Tensor
from tests.engine import model_files as files

CHECKPOINT, LORA, CONTROLNET = FileKind.CHECKPOINT, FileKind.LORA, FileKind.CONTROLNET
ALONE, VIDEO, UPSCALER = FileKind.DIFFUSION_MODEL, FileKind.VIDEO, FileKind.UPSCALER
LDM = kinds.LDM
FLUX_WIDTH, FLUX2_WIDTH = 3072, 6144


def _with(shapes: files.Shapes, **more: tuple[int, ...]) -> files.Shapes:
    return {**shapes, **{name.replace("__", "."): shape for name, shape in more.items()}}


def _flux(**config: Any) -> files.Shapes:
    return files.transformer("FluxTransformer2DModel", num_layers=1, num_single_layers=1, **config)


def _one_block(name: str, *counts: str, **config: Any) -> Callable[[], files.Shapes]:
    return lambda: files.transformer(name, **dict.fromkeys(counts or ("num_layers",), 1), **config)


def _lora(layers: dict[str, tuple[int, int]], **how: Any) -> Callable[[], files.Shapes]:
    return lambda: files.lora_by_names(layers, **how)


KINDS: dict[str, tuple[Callable[[], files.Shapes], dict[str, Any]]] = {
    "Stable Diffusion 1": (
        lambda: files.checkpoint(768),
        {"kind": CHECKPOINT, "base": Base.SD1, "in_channels": 4, "lacks": (), "variant": None},
    ),
    "Stable Diffusion 1 inpainting": (
        lambda: files.checkpoint(768, 9),
        {"kind": CHECKPOINT, "base": Base.SD1, "in_channels": 9, "variant": "inpainting"},
    ),
    "Stable Diffusion 2": (lambda: files.checkpoint(1024), {"kind": CHECKPOINT, "base": Base.SD2, "in_channels": 4}),
    "Stable Diffusion 2 inpainting": (lambda: files.checkpoint(1024, 9), {"base": Base.SD2, "in_channels": 9}),
    "Stable Diffusion XL": (lambda: files.checkpoint(2048), {"kind": CHECKPOINT, "base": Base.SDXL, "in_channels": 4}),
    "Stable Diffusion XL inpainting": (lambda: files.checkpoint(2048, 9), {"base": Base.SDXL, "in_channels": 9}),
    "refiner": (lambda: files.checkpoint(1280), {"kind": FileKind.REFINER, "base": Base.SDXL}),
    "refiner of diffusers": (lambda: files.unet(1280), {"kind": FileKind.REFINER, "base": Base.SDXL}),
    "instruct-pix2pix": (lambda: files.checkpoint(768, 8), {"kind": CHECKPOINT, "variant": "instruct-pix2pix"}),
    "depth": (lambda: files.checkpoint(1024, 5), {"kind": CHECKPOINT, "variant": "depth"}),
    "x4 upscaler": (lambda: files.checkpoint(1024, 7), {"kind": UPSCALER}),
    "without VAE": (lambda: files.checkpoint(768, 4, "unet", "text"), {"kind": CHECKPOINT, "lacks": ("VAE",)}),
    "without text encoder": (
        lambda: files.checkpoint(768, 4, "unet", "vae"),
        {"kind": CHECKPOINT, "lacks": ("text encoder",)},
    ),
    "UNet in the original layout": (
        lambda: files.checkpoint(768, 4, "unet"),
        {"kind": ALONE, "base": Base.SD1, "lacks": ("VAE", "text encoder")},
    ),
    "UNet of diffusers": (lambda: files.unet(2048, 9), {"kind": ALONE, "base": Base.SDXL, "in_channels": 9}),
    "with averaged weights": (
        lambda: {**files.checkpoint(768), **{f"model_ema.diffusion_model{n}": (4,) for n in range(200)}},
        {"kind": CHECKPOINT, "has_ema": True},
    ),
    "FLUX.1 schnell": (_flux, {"kind": ALONE, "base": Base.FLUX1, "variant": "schnell", "in_channels": 64}),
    "FLUX.1 dev": (lambda: _flux(guidance_embeds=True), {"base": Base.FLUX1, "variant": "dev"}),
    "FLUX.1 Fill": (lambda: _flux(in_channels=384, guidance_embeds=True), {"base": Base.FLUX1, "variant": "Fill"}),
    "FLUX.1 in the original layout, whole": (
        lambda: {
            f"{LDM}double_blocks.0.img_attn.norm.key_norm.scale": (128,),
            f"{LDM}img_in.weight": (FLUX_WIDTH, 64),
            f"{LDM}guidance_in.in_layer.bias": (FLUX_WIDTH,),
            "text_encoders.t5xxl.transformer.shared.weight": (32128, 4096),
            "vae.decoder.conv_in.weight": (512, 16, 3, 3),
        },
        {"kind": CHECKPOINT, "base": Base.FLUX1, "variant": "dev", "lacks": ()},
    ),
    "FLUX.2": (_one_block("Flux2Transformer2DModel", "num_layers", "num_single_layers"), {"base": Base.FLUX2}),
    "Chroma": (_one_block("ChromaTransformer2DModel", "num_layers", "num_single_layers"), {"base": Base.CHROMA}),
    "Stable Diffusion 3": (
        _one_block("SD3Transformer2DModel", sample_size=8, pos_embed_max_size=8),
        {"kind": ALONE, "base": Base.SD3},
    ),
    "Stable Diffusion 3 in the original layout": (
        lambda: {f"{LDM}joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,)},
        {"kind": ALONE, "base": Base.SD3},
    ),
    "Qwen-Image": (_one_block("QwenImageTransformer2DModel"), {"base": Base.QWEN}),
    "Z-Image": (_one_block("ZImageTransformer2DModel", "n_layers", "n_refiner_layers"), {"base": Base.Z_IMAGE}),
    "Lumina 2": (_one_block("Lumina2Transformer2DModel", "num_layers", "num_refiner_layers"), {"base": Base.LUMINA2}),
    "Sana": (_one_block("SanaTransformer2DModel"), {"base": Base.SANA}),
    "PixArt": (_one_block("PixArtTransformer2DModel", sample_size=8), {"base": Base.PIXART}),
    "AuraFlow": (
        _one_block("AuraFlowTransformer2DModel", "num_mmdit_layers", "num_single_dit_layers"),
        {"base": Base.AURAFLOW},
    ),
    "Wan": (_one_block("WanTransformer3DModel"), {"kind": VIDEO, "base": Base.WAN}),
    "LTX-Video": (_one_block("LTXVideoTransformer3DModel"), {"kind": VIDEO, "base": Base.LTX}),
    "HunyuanVideo": (
        _one_block("HunyuanVideoTransformer3DModel", "num_layers", "num_single_layers", "num_refiner_layers"),
        {"kind": VIDEO, "base": Base.HUNYUAN_VIDEO},
    ),
    "CogVideoX": (
        _one_block("CogVideoXTransformer3DModel", sample_width=8, sample_height=8, sample_frames=5),
        {"kind": VIDEO, "base": Base.COGVIDEO},
    ),
    "Mochi": (_one_block("MochiTransformer3DModel"), {"kind": VIDEO, "base": Base.MOCHI}),
    "Stable Video Diffusion": (files.svd, {"kind": VIDEO, "base": Base.SVD}),
    "motion module": (files.motion_module, {"kind": VIDEO, "base": Base.ANIMATEDIFF}),
    "LoRA of kohya": (
        lambda: files.lora_of_kohya(768),
        {
            "kind": LORA,
            "base": Base.SD1,
            "network": "LoRA",
            "naming": "kohya",
            "rank": 16,
            "parts": ("denoiser", "text_encoder"),
        },
    ),
    "LoRA for Stable Diffusion 2": (lambda: files.lora_of_kohya(1024, rank=4), {"base": Base.SD2, "rank": 4}),
    "LoRA for XL": (lambda: files.lora_of_kohya(2048), {"kind": LORA, "base": Base.SDXL}),
    "LoCon": (lambda: files.lora_of_kohya(768, kind="LoCon"), {"kind": LORA, "base": Base.SD1, "network": "LoCon"}),
    "LoHa": (lambda: files.lora_of_kohya(2048, kind="LoHa"), {"base": Base.SDXL, "network": "LoHa", "rank": 16}),
    "LoKr": (
        lambda: files.lora_of_kohya(768, kind="LoKr", with_text=False),
        {"base": Base.SD1, "network": "LoKr", "parts": ("denoiser",)},
    ),
    "DoRA": (lambda: files.lora_of_kohya(768, kind="DoRA"), {"kind": LORA, "base": Base.SD1, "network": "DoRA"}),
    "OFT": (lambda: files.lora_of_kohya(768, kind="OFT"), {"kind": LORA, "base": Base.SD1, "network": "OFT"}),
    "LoRA of PEFT": (
        lambda: files.lora_of_peft(2048),
        {"kind": LORA, "base": Base.SDXL, "naming": "PEFT", "rank": 8, "parts": ("denoiser",)},
    ),
    "LoRA of earlier diffusers": (
        lambda: files.lora_of_old_diffusers(768),
        {"kind": LORA, "base": Base.SD1, "naming": "diffusers", "rank": 4},
    ),
    "LoRA for the text encoder alone": (
        _lora({"lora_te_text_model_encoder_layers_0_self_attn_q_proj": (768, 768)}, kohya=True),
        {"base": Base.SD1, "parts": ("text_encoder",)},
    ),
    "LoRA for XL with kohya's names of blocks": (
        _lora({"lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k": (640, 2048)}, kohya=True),
        {"kind": LORA, "base": Base.SDXL},
    ),
    "LoRA for FLUX.1 of kohya": (
        _lora({"lora_unet_single_blocks_0_linear1": (7 * FLUX_WIDTH, FLUX_WIDTH)}, kohya=True),
        {"kind": LORA, "base": Base.FLUX1, "naming": "kohya"},
    ),
    "LoRA for FLUX.1 of PEFT": (
        _lora({"transformer.single_transformer_blocks.0.attn.to_q": (FLUX_WIDTH, FLUX_WIDTH)}),
        {"kind": LORA, "base": Base.FLUX1, "naming": "PEFT"},
    ),
    "LoRA for FLUX.2 with double blocks alone": (
        _lora({"diffusion_model.double_blocks.0.img_mlp.0": (6 * FLUX_WIDTH, FLUX_WIDTH)}),
        {"base": Base.FLUX2},
    ),
    "LoRA for FLUX.2 of diffusers": (
        _lora({"transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj": (27648, 3072)}),
        {"base": Base.FLUX2},
    ),
    "LoRA for FLUX.2": (
        _lora({"diffusion_model.single_blocks.0.linear1": (9 * FLUX2_WIDTH, FLUX2_WIDTH)}),
        {"base": Base.FLUX2},
    ),
    "LoRA for Stable Diffusion 3": (
        _lora({"transformer.transformer_blocks.0.attn.add_k_proj": (1536, 1536)}),
        {"base": Base.SD3},
    ),
    "LoRA for Qwen-Image": (
        _lora({"transformer.transformer_blocks.0.img_mlp.net.0.proj": (12288, 3072)}),
        {"base": Base.QWEN},
    ),
    "LoRA for Z-Image": (_lora({"diffusion_model.layers.0.attention.to_q": (3840, 3840)}), {"base": Base.Z_IMAGE}),
    "LoRA for Wan": (_lora({"diffusion_model.blocks.0.self_attn.q": (5120, 5120)}), {"base": Base.WAN}),
    "LoRA for LTX-Video, whose text is as wide as that of XL": (
        _lora({"transformer.transformer_blocks.0.attn2.to_k": (2048, 2048)}),
        {"kind": LORA, "base": Base.LTX},
    ),
    "LoRA for Wan of diffusers": (_lora({"transformer.blocks.0.attn2.to_k": (5120, 5120)}), {"base": Base.WAN}),
    "LoRA for PixArt": (_lora({"transformer.transformer_blocks.0.attn1.to_k": (1152, 1152)}), {"base": Base.PIXART}),
    "LoRA for HunyuanVideo": (
        _lora({"lora_unet_double_blocks_0_img_mlp_fc1": (12288, 3072)}, kohya=True),
        {"base": Base.HUNYUAN_VIDEO},
    ),
    "LoRA for Stable Diffusion 3 of kohya, with its second text encoder": (
        _lora(
            {
                "lora_unet_joint_blocks_0_x_block_attn_qkv": (4608, 1536),
                "lora_te2_text_model_encoder_layers_0_self_attn_q_proj": (1280, 1280),
            },
            kohya=True,
        ),
        {"base": Base.SD3},
    ),
    "LoRA for the text encoders of XL": (
        _lora({"lora_te2_text_model_encoder_layers_0_self_attn_q_proj": (1280, 1280)}, kohya=True),
        {"base": Base.SDXL, "parts": ("text_encoder_2",)},
    ),
    "LoRA for the self-attention alone of a UNet": (
        _lora({"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k": (320, 320)}),
        {"kind": LORA, "base": None},
    ),
    "embedding of A1111": (
        lambda: {"emb_params": (8, 768)},
        {"kind": FileKind.EMBEDDING, "base": Base.SD1, "vectors": 8},
    ),
    "embedding of diffusers": (
        lambda: {"<cat-toy>": (1024,)},
        {"kind": FileKind.EMBEDDING, "base": Base.SD2, "vectors": 1},
    ),
    "embedding for XL": (
        lambda: {"clip_l": (2, 768), "clip_g": (2, 1280)},
        {"kind": FileKind.EMBEDDING, "base": Base.SDXL, "vectors": 2},
    ),
    "embedding for SD3": (
        lambda: {"clip_l": (2, 768), "clip_g": (2, 1280), "t5xxl": (2, 4096)},
        {"kind": FileKind.EMBEDDING, "base": Base.SD3, "vectors": 2},
    ),
    "embedding of A1111 for a model of its own": (
        lambda: {"emb_params": (1, 16)},
        {"kind": FileKind.EMBEDDING, "base": None, "vectors": 1},
    ),
    "VAE of diffusers": (files.vae, {"kind": FileKind.VAE, "latent_channels": 4}),
    "VAE of FLUX.1": (lambda: files.vae(16), {"kind": FileKind.VAE, "latent_channels": 16}),
    "VAE in the original layout": (files.vae_of_ldm, {"kind": FileKind.VAE, "latent_channels": 4}),
    "VAE cut out of a checkpoint": (
        lambda: files.vae_of_ldm("first_stage_model."),
        {"kind": FileKind.VAE, "latent_channels": 4},
    ),
    "VAE of Wan": (
        lambda: {
            "encoder.conv_in.weight": (96, 3, 3, 3, 3),
            "decoder.up_blocks.0.resnets.0.norm1.gamma": (384, 1, 1, 1),
        },
        {"kind": FileKind.VAE, "variant": "three-dimensional"},
    ),
    "tiny autoencoder": (files.tiny_vae, {"kind": FileKind.TINY_VAE, "latent_channels": 4}),
    "TAESD's decoder": (lambda: files.taesd("decoder"), {"kind": FileKind.TINY_VAE, "latent_channels": 4}),
    "TAESD's encoder": (lambda: files.taesd("encoder"), {"kind": FileKind.TINY_VAE}),
    "ControlNet of diffusers": (lambda: files.controlnet(768), {"kind": CONTROLNET, "base": Base.SD1}),
    "ControlNet for XL": (lambda: files.controlnet(2048), {"kind": CONTROLNET, "base": Base.SDXL}),
    "ControlNet in the original layout": (
        lambda: files.controlnet_of_lllyasviel(1024),
        {"kind": CONTROLNET, "base": Base.SD2},
    ),
    "ControlNet of the first release, with the whole model": (
        lambda: {**files.checkpoint(768), **files.controlnet_of_lllyasviel(768)},
        {"kind": CONTROLNET, "base": Base.SD1},
    ),
    "ControlNet for FLUX.1": (
        _one_block("FluxControlNetModel", "num_layers", "num_single_layers"),
        {"kind": CONTROLNET, "base": Base.FLUX1},
    ),
    "ControlNet for Stable Diffusion 3": (
        _one_block("SD3ControlNetModel", sample_size=8, pos_embed_max_size=8),
        {"kind": CONTROLNET, "base": Base.SD3},
    ),
    "Control-LoRA": (
        lambda: {"lora_controlnet": (0,), "label_emb.0.0.up": (1280, 256), "input_hint_block.0.weight": (16, 3, 3, 3)},
        {"kind": CONTROLNET, "base": Base.SDXL, "variant": "Control-LoRA"},
    ),
    "ControlNet-LLLite": (
        lambda: {"lllite_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.down.0.weight": (64, 640)},
        {"kind": CONTROLNET, "base": Base.SDXL, "variant": "ControlNet-LLLite"},
    ),
    "T2I-Adapter of diffusers": (
        lambda: files.t2i_adapter("full_adapter"),
        {"kind": FileKind.T2I_ADAPTER, "base": Base.SD1},
    ),
    "T2I-Adapter for XL": (
        lambda: files.t2i_adapter("full_adapter_xl"),
        {"kind": FileKind.T2I_ADAPTER, "base": Base.SDXL},
    ),
    "T2I-Adapter of Tencent": (
        lambda: files.t2i_adapter_of_tencent("full"),
        {"kind": FileKind.T2I_ADAPTER, "base": Base.SD1},
    ),
    "light T2I-Adapter of Tencent": (
        lambda: files.t2i_adapter_of_tencent("light_adapter"),
        {"kind": FileKind.T2I_ADAPTER, "base": Base.SD1},
    ),
    "IP-Adapter": (lambda: files.ip_adapter(768), {"kind": FileKind.IP_ADAPTER, "base": Base.SD1}),
    "IP-Adapter for XL": (lambda: files.ip_adapter(2048), {"kind": FileKind.IP_ADAPTER, "base": Base.SDXL}),
    "IP-Adapter with a LoRA (FaceID)": (
        lambda: _with(files.ip_adapter(768), ip_adapter__0__to_q_lora__down__weight=(128, 320)),
        {"kind": FileKind.IP_ADAPTER, "base": Base.SD1},
    ),
    "CLIP": (files.clip_l, {"kind": FileKind.TEXT_ENCODER, "variant": "CLIP"}),
    "CLIP of ComfyUI": (files.clip_l_of_comfyui, {"kind": FileKind.TEXT_ENCODER, "variant": "CLIP"}),
    "T5": (files.t5, {"kind": FileKind.TEXT_ENCODER, "variant": "T5"}),
    "language model": (files.qwen, {"kind": FileKind.TEXT_ENCODER, "variant": "language model"}),
    "image encoder": (files.clip_vision, {"kind": FileKind.IMAGE_ENCODER}),
    "ESRGAN": (lambda: files.esrgan("old"), {"kind": UPSCALER}),
    "Real-ESRGAN": (lambda: files.esrgan("real"), {"kind": UPSCALER}),
    "BSRGAN": (lambda: files.esrgan("bsrgan"), {"kind": UPSCALER}),
    "compact upscaler": (lambda: files.esrgan("compact"), {"kind": UPSCALER}),
    "SwinIR": (lambda: files.esrgan("swinir"), {"kind": UPSCALER}),
    "anything else": (lambda: {"model.weight": (3, 3)}, {"kind": FileKind.UNKNOWN, "base": None}),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_each_kind_is_told_by_its_header(name, tmp_path):
    make, expected = KINDS[name]

    told = kinds.of(files.write(tmp_path / "some name.safetensors", make()))

    assert {field: getattr(told, field) for field in expected} == expected
    assert told.size == (tmp_path / "some name.safetensors").stat().st_size
    assert told.title
    assert (told.advice is None) == (told.kind == FileKind.CHECKPOINT)


def _of(shapes: files.Shapes, name: str = "oil.safetensors", **metadata: str) -> ModelFile:
    tensors, at = {}, 0
    for key, shape in shapes.items():
        tensors[key] = Tensor("F16", shape, at, at)
    return kinds.of_header(Header(tensors, metadata, 0), name)


@pytest.mark.parametrize(
    ("context", "more", "metadata", "name", "expected"),
    [
        (2048, {"v_pred": (0,)}, {}, "oil.safetensors", "v_prediction"),
        (2048, {}, {}, "noobaiXLNAIXL_vPred10Version.safetensors", "v_prediction"),
        (2048, {}, {}, "noobaiXLNAIXL_epsilonPred11Version.safetensors", "epsilon"),
        (2048, {}, {}, "sd_xl_base_1.0.safetensors", None),
        (1024, {}, {}, "v2-1_768-v-ema-pruned.safetensors", "v_prediction"),
        (1024, {}, {}, "v2-1_768-ema-pruned.safetensors", None),
        (1024, {}, {}, "512-base-ema.safetensors", "epsilon"),
        (1024, {}, {"modelspec.prediction_type": "v"}, "oil.safetensors", "v_prediction"),
        (1024, {}, {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "oil.safetensors", "v_prediction"),
        (1024, {}, {"modelspec.prediction_type": "epsilon"}, "my-vpred.safetensors", "epsilon"),
        (768, {}, {}, "improved-predictions.safetensors", None),
        (768, {}, {}, "v1-5-pruned-emaonly.safetensors", None),
        (768, {}, {}, "dreamshaper_v8.safetensors", None),
    ],
)
def test_what_a_model_predicts_is_told_by_the_file_or_its_name_or_not_at_all(context, more, metadata, name, expected):
    told = _of({**files.checkpoint(context, 4, "unet"), **more}, name, **metadata)

    assert told.prediction_type == expected


def test_zero_terminal_snr_is_told_by_its_mark():
    assert _of({**files.checkpoint(2048, 4, "unet"), "ztsnr": (0,)}).zero_terminal_snr
    assert not _of(files.checkpoint(2048, 4, "unet")).zero_terminal_snr


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"modelspec.trigger_phrase": " oil painting \n of a "}, ("oil painting of a",)),
        (
            {
                "ss_tag_frequency": json.dumps(
                    {"10_oil": {"oilstyle": 40, "1girl": 30, "sky": 4}, "5_b": {"oilstyle": 2}}
                )
            },
            ("oilstyle", "1girl"),
        ),
        ({"ss_tag_frequency": "[" * 100_000}, ()),
        ({"ss_tag_frequency": json.dumps({"a": {"b": -1, "c": "many", "x" * 5000: 9}, "d": 7})}, ()),
        ({"ss_tag_frequency": json.dumps({"a": {"\ud800": 3, "\u202e": 3, "red\x00": 3}})}, ("red",)),
        ({"ss_sd_model_name": "/home/somebody/models/private.ckpt"}, ()),
        ({}, ()),
    ],
)
def test_the_words_that_a_lora_wants_are_those_of_its_metadata(metadata, words):
    assert _of(files.lora_of_peft(768), **metadata).trigger_words == words


@pytest.mark.parametrize(
    ("metadata", "base"),
    [
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, Base.SDXL),
        ({"modelspec.architecture": "flux-1-dev/lora"}, Base.FLUX1),
        ({"ss_base_model_version": "sd_v1"}, Base.SD1),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, Base.SDXL),
        ({"ss_base_model_version": "flux2_klein_4b"}, Base.FLUX2),
        ({"ss_base_model_version": "something new"}, None),
        ({}, None),
    ],
)
def test_where_the_tensors_do_not_tell_what_a_lora_is_for_its_metadata_do(metadata, base):
    shapes = files.lora_by_names({"lora_unet_mid_block_resnets_0_conv1": (1280, 1280)}, kohya=True)

    assert _of(shapes, **metadata).base == base
    assert _of(files.lora_of_peft(768), **metadata).base == Base.SD1


@pytest.mark.parametrize(
    ("layers", "metadata", "base"),
    [
        ({"double_blocks.0.img_attn.proj": (3072, 3072)}, {}, Base.FLUX1),
        ({"double_blocks.0.img_attn.proj": (3072, 3072)}, {"modelspec.architecture": "flux-2-dev/lora"}, Base.FLUX2),
        ({"double_blocks.0.img_attn.proj": (3072, 3072)}, {"modelspec.architecture": "chroma/lora"}, Base.CHROMA),
        ({"single_blocks.0.linear1": (21504, 3072)}, {"modelspec.architecture": "flux-2-dev/lora"}, Base.FLUX1),
        ({"single_blocks.0.linear1": (27648, 3072)}, {"modelspec.architecture": "flux-1-dev/lora"}, Base.FLUX2),
    ],
)
def test_of_architectures_that_share_names_the_metadata_choose(layers, metadata, base):
    layers = {f"diffusion_model.{name}": shape for name, shape in layers.items()}

    assert _of(files.lora_by_names(layers), **metadata).base == base


def test_weights_in_a_method_of_their_own_are_told(tmp_path):
    shapes = files.checkpoint(2048, 4, "unet")

    assert _of({**shapes, f"{LDM}out.2.scale_weight": (1,)}).quantised == "scaled float8"
    assert _of({**shapes, f"{LDM}out.2.weight.absmax": (9,)}).quantised == "bitsandbytes"
    assert _of(shapes).quantised is None
    plain = kinds.of(files.write(tmp_path / "a.safetensors", shapes, dtype="F8_E4M3"))
    assert (plain.quantised, plain.dtypes) == (None, ("float8_e4m3fn",))


# What strangers make ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["oil.ckpt", "oil.pt", "oil.PTH", "oil.bin", "oil.pkl"])
def test_a_pickle_is_never_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)

    with pytest.raises(UnsafeWeights, match="can run code"):
        kinds.of(tmp_path / name)


@pytest.mark.parametrize("start", [b"PK\x03\x04 archive/data.pkl", b"\x80\x02}q\x00X", b"\x80\x04\x95"])
def test_a_pickle_under_another_name_is_told(tmp_path, start):
    (tmp_path / "oil.safetensors").write_bytes(start + bytes(100))

    with pytest.raises(DamagedModel, match="pickle"):
        kinds.of(tmp_path / "oil.safetensors")


@pytest.mark.parametrize("name", ["flux1-dev-Q4_K_S.gguf", "renamed.safetensors"])
def test_a_gguf_file_is_told_by_its_first_bytes(tmp_path, name):
    (tmp_path / name).write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(60))

    told = kinds.of(tmp_path / name)

    assert (told.kind, told.size) == (FileKind.GGUF, 68)
    assert told.advice


def _header(content: Any, rest: int = 0) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return len(text).to_bytes(8, "little") + text + bytes(rest)


def _tensor(start: Any = 0, end: Any = 4, shape: Any = (2,), dtype: Any = "F16") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


DAMAGED = {
    "empty": b"",
    "seven bytes": b"\x00" * 7,
    "a header longer than any": (2**63).to_bytes(8, "little") + b"{}",
    "a header longer than the file": (2**20).to_bytes(8, "little") + b"{}",
    "no JSON": _header(b"{"),
    "deep JSON": _header(b"[" * 100_000),
    "not UTF-8": _header(b"\xff\xfe"),
    "a list": _header([]),
    "no tensors": _header({}),
    "metadata that are no texts": _header({"__metadata__": {"a": 1}, "x": _tensor()}, 4),
    "a list of metadata": _header({"__metadata__": ["a"], "x": _tensor()}, 4),
    "cut off": _header({"x": _tensor()}, 3),
    "more than it says": _header({"x": _tensor()}, 5),
    "overlapping tensors": _header({"x": _tensor(), "y": _tensor(2, 6)}, 6),
    "the same bytes twice": _header({"x": _tensor(), "y": _tensor()}, 4),
    "a gap": _header({"x": _tensor(), "y": _tensor(6, 10)}, 10),
    "an end before the start": _header({"x": _tensor(4, 0)}, 4),
    "a negative start": _header({"x": _tensor(-4, 0)}, 4),
    "a size that is none": _header({"x": _tensor(0, 4, [True, 2])}, 4),
    "fractions": _header({"x": _tensor(0.0, 4.0)}, 4),
    "another size than the shape's": _header({"x": _tensor(0, 4, [3])}, 4),
    "sides of a million digits": _header({"x": _tensor(0, 4, [10**4000] * 200)}, 4),
    "many sides": _header({"x": _tensor(0, 4, [1] * 100_000 + [2])}, 4),
    "an unknown type": _header({"x": _tensor(dtype="Q4")}, 4),
    "a type that is none": _header({"x": _tensor(dtype=["F16"])}, 4),
    "a tensor that is none": _header({"x": None}, 4),
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "a web page": b"<!DOCTYPE html><html><body>404</body></html>",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_file_of_weights_is_refused_in_one_sentence(tmp_path, name):
    (tmp_path / "oil.safetensors").write_bytes(DAMAGED[name])

    with pytest.raises(DamagedModel) as refused:
        kinds.of(tmp_path / "oil.safetensors")

    assert str(refused.value).startswith("The file oil.safetensors ")
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "make",
    [
        Path.mkdir,
        os.mkfifo,
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("gone"),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: None,
    ],
    ids=["folder", "fifo", "loop", "dangling", "device", "nothing"],
)
def test_what_is_not_even_a_file_is_refused_and_never_waited_for(tmp_path, make):
    make(tmp_path / "oil.safetensors")

    with pytest.raises(DamagedModel, match="cannot be read"):
        kinds.of(tmp_path / "oil.safetensors")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
TENSOR = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["F16", "F32", "BOOL", "Q4"]) | VALUES, "shape": VALUES, "data_offsets": VALUES}
)


@given(st.binary(max_size=80) | st.dictionaries(st.text(max_size=6), TENSOR | VALUES, max_size=4).map(_header))
@example(_header({"\ud800": _tensor()}, 4))
def test_any_bytes_are_a_file_or_refused_in_words(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("file") / "oil.safetensors"
    path.write_bytes(data)

    try:
        told = kinds.of(path)
    except ModelUnavailable as refused:
        assert str(refused).endswith(".")
    else:
        told.title.encode()


@functools.cache
def _names() -> list[str]:
    """Of tensors of every third kind; made when they are asked for, as collecting tests needs no torch."""
    return sorted({name for make, _ in list(KINDS.values())[::3] for name in make()})


NAMES = st.deferred(lambda: st.sampled_from(_names()))
SHAPE = st.lists(st.integers(0, 5) | st.sampled_from([16, 320, 768, 1024, 1280, 2048, 3072]), max_size=5).map(tuple)


@given(
    st.dictionaries(NAMES | st.text(max_size=8), SHAPE, min_size=1, max_size=6),
    st.dictionaries(
        st.sampled_from(["ss_tag_frequency", "modelspec.architecture", "modelspec.trigger_phrase"]), st.text(max_size=9)
    ),
)
def test_known_names_with_any_shapes_are_told_as_something(shapes, metadata):
    told = _of(shapes, **metadata)

    assert told.kind in FileKind
    told.title.encode()
