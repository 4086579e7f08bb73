"""What a LoRA is, by the names and shapes of its tensors and the metadata of its trainer.

Names: those of kohya-ss/sd-scripts, of LyCORIS, of PEFT and of diffusers' earlier attention processors. Which model it
was made for is told by the width of the text that its cross-attention reads, and by names of blocks.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from core.domain.model_file import Base

Shapes = Mapping[str, tuple[int, ...]]

NAMED_BY_KOHYA = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_", "lora_te3_", "lora_transformer_", "lycoris_")

DOWN = re.compile(r"(?:\.lora_down\.weight|\.lora_A(?:\.\w+)?\.weight|[._]lora\d?\.down\.weight)$")
UP = re.compile(r"(?:\.lora_up\.weight|\.lora_B(?:\.\w+)?\.weight|[._]lora\d?\.up\.weight)$")
OTHER = re.compile(
    r"\.(?:hada_[wt][12](?:_[ab])?|lokr_[wt][12](?:_[ab])?|oft_blocks|oft_diag|oft_R\.weight|dora_scale|"
    r"lora_magnitude_vector(?:\.weight)?|diff|diff_b|set_weight|on_input)$"
)

CROSS_ATTENTION = re.compile(
    r"(?:down|up|mid|input|output|middle)_blocks?[._].*attn2[._](?:processor[._])?to_[kv](?=[._])"
)
ONLY_TEXT_ENCODER = re.compile(r"(?:lora_te_|text_encoder\.).*self_attn[._][qkv]_proj")
CONTEXT = {768: Base.SD1, 1024: Base.SD2, 2048: Base.SDXL, 128: Base.POCKET}
"""Width of the text that cross-attention reads."""

SAID = (
    (r"stable-diffusion-xl|sdxl", Base.SDXL),
    (r"stable-diffusion-v?3|sd3", Base.SD3),
    (r"stable-diffusion-v2|sd_?v?2", Base.SD2),
    (r"stable-diffusion-v1|sd_?v?1", Base.SD1),
    (r"flux[-_. ]?2", Base.FLUX2),
    (r"flux", Base.FLUX1),
    (r"chroma", Base.CHROMA),
    (r"qwen[-_ ]?image", Base.QWEN),
    (r"z[-_ ]?image", Base.Z_IMAGE),
    (r"lumina", Base.LUMINA2),
    (r"hunyuan[-_ ]?video", Base.HUNYUAN_VIDEO),
    (r"\bwan", Base.WAN),
    (r"ltxv|ltx-video", Base.LTX),
)
"""Beginnings of what stands in modelspec.architecture (of the ModelSpec standard) and in kohya's
ss_base_model_version."""

MOST_WORDS = 10
LONGEST_WORD = 100


def is_lora(shapes: Shapes) -> bool:
    return any(name.startswith(NAMED_BY_KOHYA) or DOWN.search(name) or OTHER.search(name) for name in shapes)


def facts(shapes: Shapes, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a ModelFile."""
    return {
        "base": _base(shapes, said_base(metadata)),
        "network": _network(shapes),
        "naming": _naming(shapes),
        "rank": max(_ranks(shapes), default=None),
        "parts": _parts(shapes),
        "trigger_words": trigger_words(metadata),
    }


def said_base(metadata: Mapping[str, str]) -> Base | None:
    said = (metadata.get("modelspec.architecture") or metadata.get("ss_base_model_version") or "").lower()
    return next((base for pattern, base in SAID if re.match(pattern, said)), None)


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The phrase that the file names, else the tags in at least half as many captions as the most frequent one."""
    if phrase := _clean(metadata.get("modelspec.trigger_phrase", "")):
        return (phrase,)
    tags = _tags(metadata.get("ss_tag_frequency", ""))
    least = max(tags.values(), default=0) / 2
    words = (_clean(tag) for tag, count in tags.most_common() if count >= least)
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_WORDS]


def _tags(text: str) -> Counter[str]:
    """Tag -> in how many captions, of the JSON that kohya's trainer writes: folder -> tag -> count."""
    counts: Counter[str] = Counter()
    try:
        folders = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return counts
    for tags in folders.values() if isinstance(folders, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            if type(count) is int and 0 < count < 2**31:
                counts[tag] += count
    return counts


def _clean(text: str) -> str:
    """In one line, without what is no text; nothing of what is too long to be a word."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LONGEST_WORD else ""


def _base(shapes: Shapes, said: Base | None) -> Base | None:
    """said: by the metadata; it counts where the tensors leave a choice."""
    names = " ".join(shapes)
    widths = {_width_in(shapes, name) for name in shapes if CROSS_ATTENTION.search(name)}
    if found := next((CONTEXT[width] for width in CONTEXT if width in widths), None):
        return found
    if found := _of_transformer(shapes, names):
        return found
    if any(sign in names for sign in ("double_blocks", "single_blocks", "single_transformer_blocks")):
        return _of_flux(shapes, said)
    # Those with transformers have several text encoders too.
    if "lora_te2_" in names or "text_encoder_2." in names:
        return Base.SDXL
    return _of_text_encoder(shapes) or said


def _of_flux(shapes: Shapes, said: Base | None) -> Base:
    """The blocks of Chroma and HunyuanVideo have the names of FLUX.1; those of FLUX.2 are wider inside."""
    single, double = (
        _ratio(shapes, layer) for layer in (r"single_blocks[._]\d+[._]linear1", r"double_blocks.*img_mlp[._]0")
    )
    if single == 9 or double == 6 or any("to_qkv_mlp_proj" in name for name in shapes):
        return Base.FLUX2
    could_be = (Base.CHROMA, Base.HUNYUAN_VIDEO) if single or double else (Base.CHROMA, Base.HUNYUAN_VIDEO, Base.FLUX2)
    return said if said is not None and said in could_be else Base.FLUX1


def _of_text_encoder(shapes: Shapes) -> Base | None:
    """By the width of the only text encoder: versions 1 and 2 have one, and its name no number."""
    widths = {_width_in(shapes, name) for name in shapes if ONLY_TEXT_ENCODER.match(name)}
    return Base.SD1 if 768 in widths else Base.SD2 if 1024 in widths else None


def _of_transformer(shapes: Shapes, names: str) -> Base | None:
    """By blocks that only one architecture has."""
    if "img_mlp_fc1" in names or "img_mod_linear" in names or "individual_token_refiner" in names:
        return Base.HUNYUAN_VIDEO
    if "joint_blocks" in names:
        return Base.SD3
    if re.search(r"transformer_blocks[._]\d+[._](?:img|txt)_m", names):
        return Base.QWEN
    if re.search(r"transformer_blocks[._]\d+[._]attn[._]add_", names):
        return Base.SD3 if _any_width(shapes, {1536, 2432}) else None
    if re.search(r"(?:^|[ ._])layers[._]\d+[._](?:attention|adaLN_modulation|feed_forward)", names):
        return Base.Z_IMAGE if _any_width(shapes, {3840}) else Base.LUMINA2 if _any_width(shapes, {2304}) else None
    if re.search(r"(?:^|[ ._])blocks[._]\d+[._](?:self|cross)_attn[._][qkvo](?:[._]|$)", names):
        return Base.WAN
    if re.search(r"(?:^|[ .])blocks\.\d+\.attn[12]\.", names):  # the same in diffusers' names
        return Base.WAN
    if re.search(r"(?:^| )(?:transformer\.|diffusion_model\.)?transformer_blocks\.\d+\.attn[12]\.", names):
        return Base.PIXART if _any_width(shapes, {1152}) else Base.LTX if _any_width(shapes, {2048, 4096}) else None
    return None


def _any_width(shapes: Shapes, widths: set[int]) -> bool:
    return any(shape[-1:] and shape[-1] in widths for name, shape in shapes.items() if DOWN.search(name))


def _ratio(shapes: Shapes, layer: str) -> float | None:
    """Outputs of this layer for each of its inputs."""
    for name, shape in shapes.items():
        if (match := DOWN.search(name)) and re.search(layer, name) and len(shape) == 2 and shape[1]:
            stem = name[: match.start()]
            up = next((shapes[other] for other in shapes if other.startswith(stem) and UP.search(other)), None)
            return up[0] / shape[1] if up else None
    return None


def _width_in(shapes: Shapes, name: str) -> int | None:
    """Inputs of the layer that the tensor of this name belongs to, where it tells them."""
    shape = shapes[name]
    if len(shape) < 2:
        return None
    if DOWN.search(name) or name.endswith((".hada_w1_b", ".diff")):
        return shape[1]
    stem, _, ending = name.rpartition(".")
    if ending not in ("lokr_w1", "lokr_w1_b"):
        return None
    second = shapes.get(f"{stem}.lokr_w2") or shapes.get(f"{stem}.lokr_w2_b") or ()
    return shape[1] * second[1] if len(second) > 1 else None


def _ranks(shapes: Shapes) -> Iterator[int]:
    for name, shape in shapes.items():
        if shape and (DOWN.search(name) or name.endswith((".hada_w1_b", ".lokr_w1_b", ".lokr_w2_b"))):
            yield shape[0]


def _network(shapes: Shapes) -> str:
    names = " ".join(shapes)
    for sign, network in (
        (".hada_", "LoHa"),
        (".lokr_", "LoKr"),
        (".oft_", "OFT"),
        (".dora_scale", "DoRA"),
        (".lora_magnitude_vector", "DoRA"),
        (".on_input", "IA3"),
        (".a1.weight", "GLoRA"),
    ):
        if sign in names:
            return network
    downs = [shape for name, shape in shapes.items() if DOWN.search(name)]
    if not downs:
        return "full difference"
    return "LoCon" if any(math.prod(shape[2:]) > 1 for shape in downs) else "LoRA"


def _naming(shapes: Shapes) -> str:
    if any(name.startswith(NAMED_BY_KOHYA) for name in shapes):
        return "kohya"
    return "PEFT" if any(".lora_A." in name for name in shapes) else "diffusers"


PARTS = (
    ("text_encoder_3", re.compile(r"lora_te3_|text_encoder_3\.")),
    ("text_encoder_2", re.compile(r"lora_te2_|text_encoder_2\.")),
    ("text_encoder", re.compile(r"lora_te1?_|text_encoder\.")),
)


def _parts(shapes: Shapes) -> tuple[str, ...]:
    found = {next((part for part, sign in PARTS if sign.match(name)), "denoiser") for name in shapes}
    return tuple(sorted(found))
