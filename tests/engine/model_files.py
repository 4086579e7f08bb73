"""Files of every kind that artists have, with the names and shapes of the real ones and no content.

Made of the real classes of diffusers and transformers where these can, in small but for the widths that tell; else of
key lists, of which each names its source. A file is as large as the tensors that it describes, and takes no room.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.engine import ldm

Shapes = Mapping[str, tuple[int, ...]]

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8}


def write(path: Path, shapes: Shapes, *, dtype: str = "F16", metadata: Mapping[str, str] | None = None) -> Path:
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, shape in shapes.items():
        size = BYTES[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return path


def shapes_of(state: Mapping[str, Any]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@functools.cache
def _state(name: str, /, **config: Any) -> Mapping[str, Any]:
    """The weights of a model of this class, without content. name: a class of diffusers or transformers."""
    import diffusers
    import transformers
    from accelerate import init_empty_weights

    with init_empty_weights(), warnings.catch_warnings():
        # Chroma's class uses an old name of diffusers' own.
        warnings.filterwarnings("ignore", message="`FluxPosEmbed` is deprecated")
        if hasattr(diffusers, name):
            model = getattr(diffusers, name)(**config)
        else:
            kind = getattr(transformers, name)
            model = kind(kind.config_class(**config))
        return model.state_dict()


def _unet(context: int, *, name: str = "UNet2DConditionModel", **more: Any) -> Mapping[str, Any]:
    sizes = {"block_out_channels": (32, 32), "layers_per_block": 1, "attention_head_dim": 8}
    blocks = {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D")}
    if name == "UNet2DConditionModel":
        blocks["up_block_types"] = ("UpBlock2D", "CrossAttnUpBlock2D")
    return _state(name, cross_attention_dim=context, **{**sizes, **blocks, **more})


XL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
REFINER = {**XL, "projection_class_embeddings_input_dim": 2560}


def _vae(latent_channels: int = 4) -> Mapping[str, Any]:
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return _state("AutoencoderKL", block_out_channels=(32, 32), latent_channels=latent_channels, **blocks)


def _text(width: int, name: str = "CLIPTextModel") -> Mapping[str, Any]:
    small = {"num_hidden_layers": 1, "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 100}
    return _state(name, hidden_size=width, projection_dim=width, **small)


def checkpoint(context: int, channels: int = 4, *parts: str) -> Shapes:
    """In the original layout. parts: of "unet", "vae", "text"; default: all."""
    is_xl = context in (1280, 2048)
    unet = _unet(context, in_channels=channels, **(REFINER if context == 1280 else XL if is_xl else {}))
    parts = parts or ("unet", "vae", "text")
    state: dict[str, Any] = ldm.unet(unet) if "unet" in parts else {}
    if "vae" in parts:
        state |= ldm.vae(_vae())
    if "text" in parts:
        state |= _texts(context)
    return shapes_of(state)


def _texts(context: int) -> Mapping[str, Any]:
    big = "CLIPTextModelWithProjection"
    if context == 768:
        return ldm.clip(_text(768))
    if context == 1024:
        return ldm.open_clip(_text(1024))
    if context == 1280:
        return ldm.open_clip(_text(1280, big), "conditioner.embedders.0.model.")
    return {
        **ldm.clip(_text(768), "conditioner.embedders.0.transformer."),
        **ldm.open_clip(_text(1280, big), "conditioner.embedders.1.model."),
    }


def transformer(name: str, prefix: str = "", **config: Any) -> Shapes:
    """Of one of diffusers' classes, with a single block of each kind."""
    return {prefix + key: shape for key, shape in shapes_of(_state(name, **config)).items()}


# LoRA --------------------------------------------------------------------------------------------------------


def _layers(context: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Layers of a UNet that LoRA change: their names in diffusers, and the shapes of their weights."""
    for name, shape in shapes_of(_unet(context, **(XL if context == 2048 else {}))).items():
        if ".attentions." in name and name.endswith(".weight") and len(shape) == 2:
            yield name.removesuffix(".weight"), shape


def _network(name: str, shape: tuple[int, ...], kind: str, rank: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of one layer as kohya-ss/sd-scripts (networks/lora.py) and LyCORIS name them."""
    out, into = shape[:2]
    kernel = shape[2:]
    if kind == "LoHa":
        for side in ("hada_w1", "hada_w2"):
            yield f"{name}.{side}_a", (out, rank)
            yield f"{name}.{side}_b", (rank, into)
    elif kind == "LoKr":
        yield f"{name}.lokr_w1", (2, 2)
        yield f"{name}.lokr_w2_a", (out // 2, rank)
        yield f"{name}.lokr_w2_b", (rank, into // 2)
    elif kind == "OFT":
        yield f"{name}.oft_blocks", (4, out // 4, out // 4)
    else:
        yield f"{name}.lora_down.weight", (rank, into, *kernel)
        yield f"{name}.lora_up.weight", (out, rank, *(1 for _ in kernel))
        if kind == "DoRA":
            yield f"{name}.dora_scale", (1, into)
    yield f"{name}.alpha", ()


def lora_of_kohya(context: int, *, kind: str = "LoRA", rank: int = 16, with_text: bool = True) -> Shapes:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in _layers(context):
        shapes |= dict(_network("lora_unet_" + name.replace(".", "_"), shape, kind, rank))
    if kind == "LoCon":
        shapes |= dict(_network("lora_unet_down_blocks_0_resnets_0_conv1", (32, 32, 3, 3), kind, rank))
    if with_text:
        text = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj" if context == 2048 else ""
        text = text or "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
        width = 768 if context == 2048 else context
        shapes |= dict(_network(text, (width, width), "LoRA", rank))
    return shapes


def lora_of_peft(context: int, rank: int = 8) -> Shapes:
    """As diffusers saves them (save_lora_weights)."""
    shapes = {}
    for name, (out, into) in _layers(context):
        shapes[f"unet.{name}.lora_A.weight"] = (rank, into)
        shapes[f"unet.{name}.lora_B.weight"] = (out, rank)
    return shapes


def lora_of_old_diffusers(context: int, rank: int = 4) -> Shapes:
    """Of its attention processors, as diffusers saved them until 0.21."""
    shapes = {}
    for name, (out, into) in _layers(context):
        if ".to_" in name and ".to_out" not in name:
            block, _, layer = name.rpartition(".")
            shapes[f"unet.{block}.processor.{layer}_lora.down.weight"] = (rank, into)
            shapes[f"unet.{block}.processor.{layer}_lora.up.weight"] = (out, rank)
    return shapes


def lora_by_names(layers: Mapping[str, tuple[int, int]], *, rank: int = 16, kohya: bool = False) -> Shapes:
    """layers: names, outputs and inputs of layers, as trainers of these models name them."""
    down, up = ("lora_down.weight", "lora_up.weight") if kohya else ("lora_A.weight", "lora_B.weight")
    return {
        f"{name}.{side}": shape
        for name, (out, into) in layers.items()
        for side, shape in ((down, (rank, into)), (up, (out, rank)))
    }


# What is no model of its own ------------------------------------------------------------------------------------


def controlnet(context: int) -> Shapes:
    return shapes_of(_unet(context, name="ControlNetModel", **(XL if context == 2048 else {})))


def controlnet_of_lllyasviel(context: int) -> Shapes:
    """lllyasviel/ControlNet, cldm/cldm.py: the first half of the UNet under another name, and its hint and zeros."""
    half = {key for key in checkpoint(context, 4, "unet") if "output_blocks" not in key and ".out." not in key}
    shapes = {key: shape for key, shape in checkpoint(context, 4, "unet").items() if key in half}
    renamed = {key.replace("model.diffusion_model.", "control_model."): shape for key, shape in shapes.items()}
    return {
        **renamed,
        "control_model.input_hint_block.0.weight": (16, 3, 3, 3),
        "control_model.zero_convs.0.0.weight": (32, 32, 1, 1),
    }


def t2i_adapter(kind: str) -> Shapes:
    """Of diffusers; those of XL make tokens of twice as many pixels a side."""
    factor = 16 if kind == "full_adapter_xl" else 8
    return shapes_of(
        _state("T2IAdapter", adapter_type=kind, channels=(32, 32), num_res_blocks=1, downscale_factor=factor)
    )


def t2i_adapter_of_tencent(kind: str) -> Shapes:
    """TencentARC/T2I-Adapter, ldm/modules/encoders/adapter.py: without the prefix, its blocks in one row."""
    if kind == "light_adapter":
        return {"body.0.in_conv.weight": (320, 64, 1, 1), "body.0.body.0.block1.weight": (80, 80, 3, 3)}
    return {"conv_in.weight": (320, 192, 3, 3), "body.0.block1.weight": (320, 320, 3, 3)}


def ip_adapter(context: int) -> Shapes:
    """tencent-ailab/IP-Adapter, ip_adapter.py: two layers for each attention over the picture."""
    return {
        "image_proj.proj.weight": (4 * context, 1024),
        "image_proj.norm.weight": (context,),
        "ip_adapter.1.to_k_ip.weight": (320, context),
        "ip_adapter.1.to_v_ip.weight": (320, context),
    }


def esrgan(kind: str) -> Shapes:
    """xinntao/ESRGAN and xinntao/Real-ESRGAN (basicsr/archs), cszn/BSRGAN, JingyunLiang/SwinIR."""
    return {
        "old": {"model.0.weight": (64, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)},
        "real": {"conv_first.weight": (64, 3, 3, 3), "body.0.rdb1.conv1.weight": (32, 64, 3, 3)},
        "bsrgan": {"conv_first.weight": (64, 3, 3, 3), "RRDB_trunk.0.RDB1.conv1.weight": (32, 64, 3, 3)},
        "compact": {"body.0.weight": (64, 3, 3, 3), "body.1.weight": (64,), "body.2.weight": (64, 64, 3, 3)},
        "swinir": {"conv_first.weight": (180, 3, 3, 3), "layers.0.residual_group.blocks.0.norm1.weight": (180,)},
    }[kind]


def taesd(part: str) -> Shapes:
    """madebyollin/taesd, taesd.py: a Sequential, whose first layer in the decoder has no weights."""
    if part == "decoder":
        return {"1.weight": (64, 4, 3, 3), "1.bias": (64,), "3.conv.0.weight": (64, 64, 3, 3)}
    return {"0.weight": (64, 3, 3, 3), "0.bias": (64,), "1.conv.0.weight": (64, 64, 3, 3)}


SMALL_TEXT = {"num_hidden_layers": 1, "vocab_size": 100}


def clip_l() -> Shapes:
    return shapes_of(_text(768))


def clip_l_of_comfyui() -> Shapes:
    """As published beside FLUX and Stable Diffusion 3: with the names of transformers before version 5."""
    return {f"text_model.{key}": shape for key, shape in clip_l().items()}


def t5() -> Shapes:
    return shapes_of(_state("T5EncoderModel", d_model=64, d_ff=64, num_layers=1, num_heads=4, d_kv=16, vocab_size=100))


def qwen() -> Shapes:
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
    return shapes_of(_state("Qwen3ForCausalLM", **sizes, **SMALL_TEXT))


def clip_vision() -> Shapes:
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    return shapes_of(_state("CLIPVisionModelWithProjection", **sizes))


def vae(latent_channels: int = 4) -> Shapes:
    return shapes_of(_vae(latent_channels))


def vae_of_ldm(prefix: str = "") -> Shapes:
    return shapes_of(ldm.vae(_vae(), prefix))


def tiny_vae() -> Shapes:
    return shapes_of(_state("AutoencoderTiny"))


def unet(context: int, channels: int = 4) -> Shapes:
    more = REFINER if context == 1280 else XL if context == 2048 else {}
    return shapes_of(_unet(context, in_channels=channels, **more))


def motion_module() -> Shapes:
    return shapes_of(_state("MotionAdapter", block_out_channels=(32,), motion_layers_per_block=1))


def svd() -> Shapes:
    """Stability-AI/generative-models, sgm/modules/video_attention.py: beside each block of space one of time."""
    shapes = dict(checkpoint(1024, 8, "unet", "vae"))
    shapes["model.diffusion_model.input_blocks.1.1.time_stack.0.attn1.to_k.weight"] = (32, 32)
    return shapes
