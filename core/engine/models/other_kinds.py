"""Files that are no diffusion model: what guides one (ControlNet, adapters), its parts, and upscalers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.domain.model_file import Base, FileKind
from core.domain.reference import FACE_ID, FULL, PLUS
from core.engine.models.lora_header import CONTEXT, Shapes, said_base

CROSS_ATTENTION = re.compile(r"attn2\.to_k\.weight$")
IP_KEYS = re.compile(r"to_k_ip\.weight$")
PIXELS_OF_XL = (256, 768)
"""Channels of the hint that a T2I-Adapter of XL reads: one or three, of 16 x 16 pixels each; others read 8 x 8."""

MOST_IN_EMBEDDING = 4
EMBEDDED = {768: Base.SD1, 1024: Base.SD2, 1280: Base.SDXL, 4096: None}
"""Width of a token, by the text encoder; that of T5 is read by several."""

IN_EMBEDDING = ("emb_params", "clip_l", "clip_g")
"""Names that no other file has, whatever the width."""

TINY_LAYER = re.compile(r"(?:taesd_(?:en|de)coder\.)?(\d+)\.(?:weight|bias|conv\.\d+\.(?:weight|bias)|skip\.weight)")
VAE = re.compile(r"(?:first_stage_model\.|vae\.)?(?:encoder\.(?:down|mid)|decoder\.(?:up|mid))(?:_blocks?)?\.")
THREE_D_VAE = re.compile(r"(?:decoder|encoder)\.(?:middle\.0\.residual|conv_in\.conv\.|downsamples\.0\.residual)")

SEES = re.compile(r"embeddings\.patch_embedding\.weight$")
LANGUAGE_MODELS = (
    (re.compile(r"encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight"), "T5"),
    (re.compile(r"(?:text_model\.|transformer\.text_model\.)?encoder\.layers\.0\.self_attn\.q_proj\.weight"), "CLIP"),
    (re.compile(r"(?:model\.)?transformer\.resblocks\.0\.attn\.in_proj_weight"), "OpenCLIP"),
    (re.compile(r"(?:model\.)?(?:language_model\.)?layers\.0\.self_attn\.q_proj\.weight"), "language model"),
)


def guide(shapes: Shapes) -> dict[str, Any] | None:
    """Fields of the ModelFile of a ControlNet or an adapter; None of any other."""
    if any(key.startswith(("ip_adapter.", "image_proj.", "ip_adapter_proj_model.")) for key in shapes):
        return {"kind": FileKind.IP_ADAPTER, "base": _base_by(shapes, IP_KEYS), **_reads(shapes)}
    if any("processor.ip_adapter" in key for key in shapes):
        return {"kind": FileKind.IP_ADAPTER, "base": Base.FLUX1}
    return _controlnet(shapes) or _t2i_adapter(shapes)


def part(shapes: Shapes, metadata: Mapping[str, str]) -> dict[str, Any] | None:
    """Fields of the ModelFile of an embedding, a VAE, an encoder or an upscaler; None of any other."""
    return _embedding(shapes) or _autoencoder(shapes, metadata) or _upscaler(shapes) or _encoder(shapes)


def _base_by(shapes: Shapes, key: re.Pattern[str]) -> Base | None:
    widths = {shape[-1] for name, shape in shapes.items() if len(shape) == 2 and key.search(name)}
    return next((CONTEXT[width] for width in CONTEXT if width in widths), None)


def _reads(shapes: Shapes) -> dict[str, Any]:
    """What an IP-Adapter is told of a picture, by the names of its projection (diffusers' loaders/unet.py)."""
    is_of_faces = any("_lora." in key or key.startswith("image_proj.perceiver_resampler.") for key in shapes)
    if whole := shapes.get("image_proj.proj.weight"):
        return {"variant": FACE_ID if is_of_faces else None, "image_embeds": whole[-1]}
    if patches := shapes.get("image_proj.proj_in.weight"):
        return {"variant": FACE_ID if is_of_faces else PLUS, "image_states": patches[-1]}
    if "image_proj.proj.3.weight" in shapes and (full := shapes.get("image_proj.proj.0.weight")):
        return {"variant": FULL, "image_states": full[-1]}
    return {"variant": FACE_ID} if is_of_faces or "image_proj.norm.weight" in shapes else {}


def _controlnet(shapes: Shapes) -> dict[str, Any] | None:
    names = " ".join(shapes)
    if any(key.startswith("lllite_") for key in shapes):
        # Only XL has blocks of several transformers.
        base = Base.SDXL if "transformer_blocks_1_" in names else None
        return {"kind": FileKind.CONTROLNET, "base": base, "variant": "ControlNet-LLLite"}
    signs = ("control_model.", "controlnet_", "input_hint_block.", "zero_convs.", "control_layers.")
    is_one = any(key.startswith((*signs, "control_all_x_embedder.")) for key in shapes)
    if "lora_controlnet" in shapes:
        base = Base.SDXL if any("label_emb." in key for key in shapes) else _base_by(shapes, CROSS_ATTENTION)
        return {"kind": FileKind.CONTROLNET, "base": base, "variant": "Control-LoRA"}
    if not is_one:
        return None
    is_union = "task_embedding" in shapes or "control_add_embedding." in names
    base = _base_by(shapes, CROSS_ATTENTION)
    if base is None and "controlnet_" in names:
        if "single_transformer_blocks." in names or "controlnet_x_embedder." in names or "double_blocks." in names:
            base = Base.FLUX1
        elif "pos_embed.proj.weight" in shapes or "pos_embed_input.proj.weight" in shapes:
            base = Base.SD3
    if "control_layers." in names or "control_all_x_embedder." in names:
        base = Base.Z_IMAGE
    return {"kind": FileKind.CONTROLNET, "base": base, "variant": "union" if is_union else None}


def _t2i_adapter(shapes: Shapes) -> dict[str, Any] | None:
    bare = {key.removeprefix("adapter."): shape for key, shape in shapes.items()}
    has_body = any(key.startswith("body.") for key in bare)
    first = bare.get("body.0.in_conv.weight") or (bare.get("conv_in.weight") if has_body else None)
    if not first or len(first) < 2:
        return None
    return {"kind": FileKind.T2I_ADAPTER, "base": Base.SDXL if first[1] in PIXELS_OF_XL else Base.SD1}


def _embedding(shapes: Shapes) -> dict[str, Any] | None:
    """Of A1111 (emb_params), of XL (clip_l and clip_g), and of diffusers, where the name is that of the token."""
    if len(shapes) > MOST_IN_EMBEDDING:
        return None
    is_named = any(name in shapes for name in IN_EMBEDDING)
    if not all(1 <= len(shape) <= 2 and (is_named or shape[-1] in EMBEDDED) for shape in shapes.values()):
        return None
    vectors = max(shape[0] if len(shape) == 2 else 1 for shape in shapes.values())
    widths = {shape[-1] for shape in shapes.values()}
    base = EMBEDDED.get(max(widths))
    if "clip_l" in shapes and 4096 in widths:
        base = Base.SD3
    elif "clip_g" not in shapes and len(widths) > 1:
        base = None
    return {"kind": FileKind.EMBEDDING, "base": base, "vectors": vectors}


def _autoencoder(shapes: Shapes, metadata: Mapping[str, str]) -> dict[str, Any] | None:
    if any(THREE_D_VAE.search(key) for key in shapes) or len(_of(shapes, "encoder.conv_in.weight")) == 5:
        return {"kind": FileKind.VAE, "variant": "three-dimensional"}
    if any(VAE.match(key) for key in shapes):
        last = _of(shapes, "decoder.conv_in.weight")
        return {
            "kind": FileKind.VAE,
            "base": said_base(metadata),
            "latent_channels": last[1] if len(last) == 4 else None,
        }
    is_tiny = all(TINY_LAYER.fullmatch(key) for key in shapes) and any(".conv.0.weight" in key for key in shapes)
    by_diffusers = [key for key in shapes if re.match(r"(?:en|de)coder\.layers\.\d+\.conv\.0\.weight", key)]
    if not is_tiny and not by_diffusers:
        return None
    first = (
        _of(shapes, "decoder.layers.0.weight") or shapes.get("1.weight") or shapes.get("taesd_decoder.1.weight") or ()
    )
    return {"kind": FileKind.TINY_VAE, "latent_channels": first[1] if len(first) == 4 else None}


def _of(shapes: Shapes, name: str) -> tuple[int, ...]:
    return next((shapes[prefix + name] for prefix in ("", "first_stage_model.", "vae.") if prefix + name in shapes), ())


def _upscaler(shapes: Shapes) -> dict[str, Any] | None:
    """Of the architectures that people have most: ESRGAN and Real-ESRGAN, SwinIR, HAT, DAT, compact ones and SPAN."""
    is_compact = len(shapes.get("body.0.weight", ())) == 4 and len(shapes.get("body.1.weight", ())) == 1
    is_old_esrgan = "model.0.weight" in shapes and any(key.startswith("model.1.sub.") for key in shapes)
    is_one = is_compact or is_old_esrgan or "conv_first.weight" in shapes or "block_1.c1_r.sk.weight" in shapes
    return {"kind": FileKind.UPSCALER} if is_one else None


def _encoder(shapes: Shapes) -> dict[str, Any] | None:
    reads_words = any(
        key.endswith(("token_embedding.weight", "embed_tokens.weight", "shared.weight")) for key in shapes
    )
    if not reads_words and any(key.startswith(("vision_model.", "visual.")) or SEES.search(key) for key in shapes):
        states = shapes.get("vision_model.embeddings.class_embedding")
        projected = shapes.get("visual_projection.weight")
        return {
            "kind": FileKind.IMAGE_ENCODER,
            "image_states": states[0] if states else None,
            "image_embeds": projected[0] if projected else None,
        }
    for sign, name in LANGUAGE_MODELS:
        if any(sign.fullmatch(key) for key in shapes):
            return {"kind": FileKind.TEXT_ENCODER, "variant": name}
    return None
