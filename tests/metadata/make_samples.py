"""Writes tests/data/metadata: small pictures that carry what each tool writes, made by its documented grammar.

Run from the repository: python tests/metadata/make_samples.py. The files of our own schemas are never made anew, for
they show that what was once written is read for ever.
"""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

FOLDER = Path(__file__).parents[1] / "data" / "metadata"

EXIF_IFD, USER_COMMENT, MAKER_NOTE, SOFTWARE = 0x8769, 0x9286, 0x927C, 0x0131

A1111 = (
    "a lighthouse, (storm:1.2)\nsecond line\nNegative prompt: people, boats\n"
    "Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4294967295, Size: 768x512, "
    "Model hash: 0123456789, Model: some-model, Denoising strength: 0.75, Clip skip: 2, Mask blur: 6, "
    'Inpaint area: Only masked, Masked area padding: 48, RNG: CPU, TI hashes: "one: 1a, two: 2b", Version: v1.10.1'
)
SDNEXT = (
    "a mill by a stream\nNegative prompt: fog\n"
    "Steps: 20, Size: 1024x768, Sampler: Euler a, Seed: 77, CFG scale: 5, CLiP-skip: 1, App: SD.Next, "
    'Denoising strength: 0.4, Pipeline: StableDiffusionInpaintPipeline, Operations: "inpaint, face", Model: some-model'
)
FOOOCUS_A1111 = (
    "a red barn, cinematic\nNegative prompt: text\n"
    "Steps: 30, Sampler: DPM++ 2M Karras, Seed: 8888888888888888888, Size: 1152x896, CFG scale: 4, Sharpness: 2, "
    'ADM Guidance: "(1.5, 0.8, 0.3)", Model: some-xl, Model hash: 0123456789, Performance: Speed, Scheduler: karras, '
    "Raw prompt: a red barn, Raw negative prompt: text, Version: Fooocus v2.5.5"
)
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "some-xl",
    "base_model_hash": "0123456789",
    "full_prompt": ["a red barn", "cinematic"],
    "guidance_scale": 4.0,
    "loras": [["some-lora", 0.1, "aa"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "text",
    "performance": "Speed",
    "prompt": "a red barn",
    "resolution": "(1152, 896)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "123",
    "sharpness": 2.0,
    "steps": 30,
    "styles": "['Cinematic']",
    "version": "Fooocus v2.5.5",
}
INVOKEAI = {
    "app_version": "6.14.0",
    "cfg_scale": 7.0,
    "clip_skip": 0,
    "generation_mode": "inpaint",
    "height": 512,
    "loras": [],
    "model": {"base": "sd-1", "hash": "blake3:00", "key": "k", "name": "some-model", "type": "main"},
    "negative_prompt": "rain",
    "positive_prompt": "a cabin in the snow",
    "rand_device": "cpu",
    "scheduler": "dpmpp_2m_k",
    "seed": 1234567,
    "steps": 28,
    "strength": 0.7,
    "width": 640,
}
COMFYUI = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "cfg": 8,
            "denoise": 0.9,
            "latent_image": ["11", 0],
            "model": ["12", 0],
            "negative": ["7", 0],
            "positive": ["6", 0],
            "sampler_name": "euler_ancestral",
            "scheduler": "normal",
            "seed": ["20", 0],
            "steps": 25,
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "some-model.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": ["21", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "watermark"}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
    "11": {
        "class_type": "VAEEncodeForInpaint",
        "inputs": {"grow_mask_by": 6, "mask": ["10", 1], "pixels": ["10", 0], "vae": ["4", 2]},
    },
    "10": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "12": {"class_type": "LoraLoader", "inputs": {"lora_name": "l", "model": ["4", 0], "clip": ["4", 1]}},
    "20": {"class_type": "PrimitiveInt", "inputs": {"value": 156680208700286}},
    "21": {"class_type": "PrimitiveString", "inputs": {"value": "a glass bottle with a galaxy inside"}},
}
COMFYUI_CUSTOM = {
    "1": {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {
            "guider": ["3", 0],
            "latent_image": ["6", 2],
            "noise": ["2", 0],
            "sampler": ["4", 0],
            "sigmas": ["5", 0],
        },
    },
    "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
    "3": {
        "class_type": "CFGGuider",
        "inputs": {"cfg": 3.5, "model": ["8", 0], "negative": ["6", 1], "positive": ["6", 0]},
    },
    "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "uni_pc"}},
    "5": {
        "class_type": "BasicScheduler",
        "inputs": {"denoise": 1.0, "model": ["8", 0], "scheduler": "beta", "steps": 12},
    },
    "6": {
        "class_type": "InpaintModelConditioning",
        "inputs": {"mask": ["10", 1], "negative": ["7", 0], "pixels": ["10", 0], "positive": ["9", 0]},
    },
    "7": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["9", 0]}},
    "8": {"class_type": "UNETLoader", "inputs": {"unet_name": "some-unet.safetensors"}},
    "9": {"class_type": "CLIPTextEncode", "inputs": {"text": "a paper boat"}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "11": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0]}},
    "12": {"class_type": "PreviewImage", "inputs": {"images": ["11", 0]}},
}
WORKFLOW = {"last_node_id": 21, "nodes": [], "version": 0.4}
COMFYUI_EXIF = {0x0110: f"prompt:{json.dumps(COMFYUI)}", 0x010F: f"workflow:{json.dumps(WORKFLOW)}"}
NOVELAI_COMMENT = {
    "cfg_rescale": 0,
    "height": 1216,
    "n_samples": 1,
    "noise_schedule": "native",
    "prompt": "an owl on a fence",
    "sampler": "k_euler_ancestral",
    "scale": 5,
    "seed": 3071474384,
    "steps": 28,
    "uc": "lowres",
    "v4_prompt": {"caption": {"base_caption": "an owl on a fence", "char_captions": []}},
    "width": 832,
}
NOVELAI = {
    "Title": "NovelAI generated image",
    "Description": "an owl on a fence",
    "Software": "NovelAI",
    "Source": "NovelAI Diffusion V4",
    "Comment": json.dumps(NOVELAI_COMMENT),
}


def picture(mode: str = "RGB", width: int = 24, height: int = 16) -> Image.Image:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    channels = [x * 10, y * 15, (x + y) * 6, np.full_like(x, 255)][: len(mode)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def png(texts: dict[str, str], image: Image.Image | None = None) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    return _file(image or picture(), "PNG", pnginfo=chunks)


def jpeg(tags: dict[int, Any], format: str = "JPEG") -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    return _file(picture(), format, exif=exif)


def commented(text: str, format: str = "JPEG") -> bytes:
    """As A1111 writes JPEG, WEBP and AVIF."""
    return jpeg({EXIF_IFD: {USER_COMMENT: b"UNICODE\0" + text.encode("utf-16-be")}}, format)


def stealth(text: str, *, mode: str, compressed: bool) -> bytes:
    """The text in the lowest bits, down the columns from left to right."""
    data = gzip.compress(text.encode(), mtime=0) if compressed else text.encode()
    name = f"stealth_{'png' if mode == 'RGBA' else 'rgb'}{'comp' if compressed else 'info'}"
    bits = np.unpackbits(np.frombuffer(name.encode() + (len(data) * 8).to_bytes(4, "big") + data, np.uint8))
    pixels = np.array(picture(mode, 96, 96))
    columns = pixels.transpose(1, 0, 2).copy()
    hiding = columns[..., 3:] if mode == "RGBA" else columns
    flat = hiding.reshape(-1)
    flat[: len(bits)] = flat[: len(bits)] & 0xFE | bits
    hiding[...] = flat.reshape(hiding.shape)
    return _file(Image.fromarray(columns.transpose(1, 0, 2).copy()), "PNG")


def _file(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def samples() -> dict[str, bytes]:
    return {
        "a1111.png": png({"parameters": A1111}),
        "a1111.jpg": commented(A1111),
        "a1111.webp": commented(A1111, "WEBP"),
        "sdnext.png": png({"parameters": SDNEXT}),
        "fooocus-a1111.png": png({"parameters": FOOOCUS_A1111, "fooocus_scheme": "a1111"}),
        "fooocus.png": png({"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"}),
        "fooocus.jpg": jpeg({USER_COMMENT: json.dumps(FOOOCUS), SOFTWARE: "Fooocus v2.5.5", MAKER_NOTE: "fooocus"}),
        "invokeai.png": png({"invokeai_metadata": json.dumps(INVOKEAI), "invokeai_graph": '{"nodes":{}}'}),
        "invokeai-graph.png": png({"invokeai_graph": json.dumps({"nodes": {"core_metadata:1": INVOKEAI}})}),
        "comfyui.png": png({"prompt": json.dumps(COMFYUI), "workflow": json.dumps(WORKFLOW)}),
        "comfyui.webp": jpeg(COMFYUI_EXIF, "WEBP"),
        "comfyui-custom.png": png({"prompt": json.dumps(COMFYUI_CUSTOM)}),
        "novelai.png": png(NOVELAI),
        "novelai-stealth.png": stealth(json.dumps(NOVELAI), mode="RGBA", compressed=True),
        "a1111-stealth.png": stealth(A1111, mode="RGBA", compressed=False),
        "a1111-stealth-rgb.png": stealth(A1111, mode="RGB", compressed=True),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file_name, content in samples().items():
        (FOLDER / file_name).write_bytes(content)
