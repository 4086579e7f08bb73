"""What a file of weights is, told by its header before anything of it is loaded.

The libraries are no judges of that: diffusers takes every file that it does not know for a Stable Diffusion 1. The
signs are names and shapes of tensors, as ComfyUI, A1111, kohya-ss/sd-scripts, spandrel (upscalers) and diffusers
(loaders/single_file_utils.py) write and tell them.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.domain.errors import DamagedModel, UnsafeWeights
from core.domain.model_file import Base, FileKind, ModelFile
from core.engine.models import header, lora_header, onnx_header, onnx_kinds, other_kinds
from core.engine.models.header import DTYPES, Damaged, Header
from core.engine.models.lora_header import CONTEXT, Shapes
from core.engine.models.weights import UNSAFE
from core.files import open_regular, why

LDM = "model.diffusion_model."
"""What the names of the diffusion model begin with in a file that also holds other parts; some hold it without."""

FIRST_LAYER = "input_blocks.0.0.weight"
VAES = ("first_stage_model.", "vae.")
TEXT_ENCODERS = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.")

QUANTISED = (
    (("scaled_fp8", ".scale_weight", ".weight_scale", ".comfy_quant"), "scaled float8"),
    ((".weight.absmax", ".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4"), "bitsandbytes"),
    ((".qweight", ".wscales"), "Nunchaku"),
)

CHANNELS = {4: None, 9: "inpainting", 8: "instruct-pix2pix", 5: "depth", 7: "x4 upscaler"}
FLUX_CHANNELS = {128: "Canny or Depth", 384: "Fill"}

VECTOR = {2816: Base.SDXL, 2560: Base.SDXL}
"""Width of the sizes and the pooled prompt that the base model and the refiner of XL are told."""

REFINER_CONTEXT = 1280

SAYS_V = re.compile(r"(?:^|[^a-z])(?:v[-_ ]?pred|768[-_ ]?v(?:[^a-z]|$))")
SAYS_EPSILON = re.compile(r"(?:^|[^a-z])(?:eps(?:ilon)?[-_ ]?pred|epsilon|512[-_ ]?base)")
"""In the name of a file, in lower case: as authors name their files, and as Stability named those of version 2."""

MANY = 100
"""Tensors: averaged weights (model_ema) are a whole second model, and not the counters that also bear the name."""

TRANSFORMERS: Sequence[tuple[FileKind, Base, Sequence[frozenset[str]]]] = tuple(
    (kind, base, tuple(frozenset(names.split()) for names in alternatives))
    for kind, base, *alternatives in (
        (FileKind.VIDEO, Base.WAN, "head.modulation", "condition_embedder.time_proj.weight"),
        (
            FileKind.VIDEO,
            Base.LTX,
            "patchify_proj.weight",
            "proj_in.weight time_embed.emb.timestep_embedder.linear_1.weight caption_projection.linear_1.weight",
        ),
        (
            FileKind.VIDEO,
            Base.HUNYUAN_VIDEO,
            "txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias",
            "context_embedder.token_refiner.refiner_blocks.0.norm1.weight",
        ),
        (FileKind.VIDEO, Base.COGVIDEO, "patch_embed.text_proj.weight transformer_blocks.0.norm1.linear.weight"),
        (FileKind.VIDEO, Base.MOCHI, "blocks.0.attn.qkv_x.weight", "time_embed.pooler.to_kv.weight"),
        (FileKind.VIDEO, Base.COSMOS, "net.x_embedder.proj.1.weight"),
        (
            FileKind.DIFFUSION_MODEL,
            Base.FLUX2,
            "single_stream_modulation.lin.weight",
            "single_stream_modulation.linear.weight",
        ),
        (FileKind.DIFFUSION_MODEL, Base.CHROMA, "distilled_guidance_layer.in_proj.bias"),
        (
            FileKind.DIFFUSION_MODEL,
            Base.FLUX1,
            "double_blocks.0.img_attn.norm.key_norm.scale",
            "double_blocks.0.img_attn.norm.key_norm.weight",
            "single_transformer_blocks.0.attn.to_q.weight x_embedder.weight",
        ),
        (
            FileKind.DIFFUSION_MODEL,
            Base.SD3,
            "joint_blocks.0.context_block.adaLN_modulation.1.bias",
            "pos_embed.proj.weight transformer_blocks.0.attn.add_k_proj.weight",
        ),
        (FileKind.DIFFUSION_MODEL, Base.QWEN, "txt_norm.weight img_in.weight"),
        (
            FileKind.DIFFUSION_MODEL,
            Base.Z_IMAGE,
            "layers.0.adaLN_modulation.0.weight cap_embedder.0.weight",
        ),
        (
            FileKind.DIFFUSION_MODEL,
            Base.LUMINA2,
            "cap_embedder.0.weight",
            "time_caption_embed.caption_embedder.0.weight",
        ),
        (
            FileKind.DIFFUSION_MODEL,
            Base.SANA,
            "attention_y_norm.weight blocks.0.cross_attn.q_linear.weight",
            "caption_norm.weight patch_embed.proj.weight",
        ),
        (
            FileKind.DIFFUSION_MODEL,
            Base.PIXART,
            "blocks.0.cross_attn.q_linear.weight",
            "adaln_single.linear.weight pos_embed.proj.weight",
        ),
        (
            FileKind.DIFFUSION_MODEL,
            Base.AURAFLOW,
            "double_layers.0.attn.w1q.weight",
            "register_tokens joint_transformer_blocks.0.attn.to_q.weight",
        ),
        (FileKind.DIFFUSION_MODEL, Base.HIDREAM, "double_stream_blocks.0.block.adaLN_modulation.1.bias"),
        (
            FileKind.DIFFUSION_MODEL,
            Base.CASCADE,
            "clip_txt_mapper.weight",
            "down_blocks.1.0.channelwise.0.weight",
        ),
    )
)
"""Tensors that only diffusion models of one architecture have, without the prefix of LDM: all of one of the groups,
of which the first is of the original layout and another of diffusers'. The first row that fits."""


def of(path: Path) -> ModelFile:
    """What this file is. Raises UnsafeWeights for a pickle, DamagedModel for what is no file of weights."""
    if path.name.lower().endswith(UNSAFE):
        raise UnsafeWeights(
            f"{path.name} is in a format that can run code when it is loaded (such as a pickle), so it is never "
            "opened. Use the same model in the safetensors format."
        )
    try:
        about = path.stat()
        return _of(path, (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino))
    except Damaged as error:
        raise DamagedModel(f"The file {path.name} {error}. Download or copy it again.") from error
    except (OSError, ValueError) as error:
        reason = why(error) if isinstance(error, OSError) else error
        raise DamagedModel(f"The file {path.name} cannot be read ({reason}). Check the path.") from error


@functools.lru_cache(maxsize=4096)
def _of(path: Path, state: tuple[int, ...]) -> ModelFile:
    """state: what changes with the file."""
    if path.name.lower().endswith(onnx_header.ENDING):
        return onnx_kinds.of(path)
    if size := _size_of_gguf(path):
        return ModelFile(FileKind.GGUF, size)
    return of_header(header.read(path), path.name)


def of_header(head: Header, name: str = "") -> ModelFile:
    """name: of the file; authors put into it what the format has no place for."""
    shapes = {key: tensor.shape for key, tensor in head.tensors.items()}
    facts = _facts(shapes, head.metadata, name)
    return ModelFile(size=head.size, dtypes=_dtypes(head), quantised=_quantised(shapes), **facts)


def _facts(shapes: Shapes, metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    """Fields of a ModelFile. The order matters: additions to a model bear names of the model's own tensors."""
    if any("motion_modules." in key for key in shapes):
        return {"kind": FileKind.VIDEO, "base": Base.ANIMATEDIFF, "variant": "motion module"}
    if guide := other_kinds.guide(shapes):
        return guide
    if lora_header.is_lora(shapes):
        return {"kind": FileKind.LORA, **lora_header.facts(shapes, metadata)}
    unet = _unet(shapes)
    if unet is not None:
        return {**unet, **_prediction(shapes, metadata, unet.get("base"), name)}
    return _transformer(shapes) or other_kinds.part(shapes, metadata) or {"kind": FileKind.UNKNOWN}


def _unet(shapes: Shapes) -> dict[str, Any] | None:
    """Of a diffusion model of Stable Diffusion 1, 2 or XL, in the original layout or in diffusers'; None of others."""
    prefix = next((prefix for prefix in (LDM, "") if prefix + FIRST_LAYER in shapes), None)
    if prefix is not None:
        first, vector = shapes[prefix + FIRST_LAYER], shapes.get(f"{prefix}label_emb.0.0.weight", ())
        blocks = [key for key in shapes if key.startswith(f"{prefix}input_blocks.")]
    elif {"conv_in.weight", "time_embedding.linear_1.weight"} <= shapes.keys():
        first, vector = shapes["conv_in.weight"], shapes.get("add_embedding.linear_1.weight", ())
        blocks = [key for key in shapes if key.startswith("down_blocks.")]
    else:
        return None
    channels = first[1] if len(first) > 1 else None
    context = next((shapes[key][-1] for key in blocks if key.endswith("attn2.to_k.weight") and shapes[key]), None)
    facts = {"in_channels": channels, "lacks": _lacks(shapes), "has_ema": _has_ema(shapes)}
    kind = FileKind.CHECKPOINT if _is_whole(shapes) else FileKind.DIFFUSION_MODEL
    if any("time_stack" in key or "temporal_" in key for key in blocks):
        return {"kind": FileKind.VIDEO, "base": Base.SVD, **facts}
    if context == REFINER_CONTEXT:
        return {"kind": FileKind.REFINER, "base": Base.SDXL, **facts}
    if f"{prefix}label_emb.weight" in shapes or channels == 7:
        return {"kind": FileKind.UPSCALER, "base": Base.SD2, "variant": "x4 upscaler", **facts}
    base = CONTEXT.get(context or 0)
    variant = CHANNELS.get(channels or 0, f"{channels} input channels")
    if base == Base.SDXL and any("encoder_hid_proj" in key for key in shapes):
        base = Base.KOLORS
    elif base == Base.SD2 and vector:
        variant = "unCLIP"
    elif {"edm_mean", "edm_vpred.sigma_max"} & shapes.keys():
        variant = "EDM"
    elif base == Base.SDXL and vector[1:] and vector[1] not in VECTOR:
        variant = f"{vector[1]} conditions"
    return {"kind": kind, "base": base, "variant": variant, **facts}


def _transformer(shapes: Shapes) -> dict[str, Any] | None:
    bare = {key.removeprefix(LDM): shape for key, shape in shapes.items()}
    for kind, base, alternatives in TRANSFORMERS:
        if not any(names <= bare.keys() for names in alternatives):
            continue
        if kind == FileKind.DIFFUSION_MODEL and _is_whole(shapes):
            kind = FileKind.CHECKPOINT
        facts: dict[str, Any] = {"kind": kind, "base": base, "lacks": _lacks(shapes)}
        if base == Base.FLUX1:
            first = bare.get("img_in.weight") or bare.get("x_embedder.weight") or ()
            channels = first[1] if len(first) > 1 else None
            is_guided = any("guidance_in." in key or "guidance_embedder." in key for key in bare)
            variant = FLUX_CHANNELS.get(channels or 0, "dev" if is_guided else "schnell")
            facts.update(in_channels=channels, variant=variant)
        return facts
    return None


def _is_whole(shapes: Shapes) -> bool:
    return any(key.startswith((*VAES, *TEXT_ENCODERS)) for key in shapes)


def _lacks(shapes: Shapes) -> tuple[str, ...]:
    parts = (("VAE", VAES), ("text encoder", TEXT_ENCODERS))
    return tuple(part for part, begins in parts if not any(key.startswith(begins) for key in shapes))


def _has_ema(shapes: Shapes) -> bool:
    return sum(key.startswith("model_ema.") for key in shapes) > MANY


def _prediction(shapes: Shapes, metadata: Mapping[str, str], base: Base | None, name: str) -> dict[str, Any]:
    """What it predicts, where it can be told: the keys v_pred and ztsnr are a convention of XL models."""
    if base not in CONTEXT.values():
        return {}
    said = metadata.get("modelspec.prediction_type", "").lower()
    architecture, name = metadata.get("modelspec.architecture", "").lower(), name.lower()
    told = None
    if "v_pred" in shapes or said in ("v", "v_prediction") or "768-v" in architecture:
        told = "v_prediction"
    elif said in ("epsilon", "eps") or "v2-512" in architecture:
        told = "epsilon"
    elif SAYS_V.search(name):
        told = "v_prediction"
    elif SAYS_EPSILON.search(name):
        told = "epsilon"
    return {"prediction_type": told, "zero_terminal_snr": "ztsnr" in shapes}


def _dtypes(head: Header) -> tuple[str, ...]:
    """Of the diffusion model, where the file has one beside other parts."""
    sizes: Counter[str] = Counter()
    has_one = any(key.startswith(LDM) for key in head.tensors)
    for key, tensor in head.tensors.items():
        if tensor.dtype in DTYPES and (key.startswith(LDM) or not has_one):
            sizes[DTYPES[tensor.dtype]] += tensor.end - tensor.start
    return tuple(dtype for dtype, _ in sizes.most_common())


def _quantised(keys: Iterable[str]) -> str | None:
    names = " ".join(keys)
    return next((method for signs, method in QUANTISED if any(sign in names for sign in signs)), None)


def _size_of_gguf(path: Path) -> int | None:
    """Bytes of a GGUF file; None of any other. Raises Damaged."""
    try:
        with open_regular(path) as file:
            return file.seek(0, 2) if file.read(4) == b"GGUF" else None
    except OSError as error:
        raise Damaged(f"cannot be read ({why(error)})") from error
