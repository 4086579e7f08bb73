"""NovelAI: JSON in the chunk Comment; and the same texts hidden in the lowest bits of the pixels (stealth info)."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from core.domain.imported import Imported
from core.metadata.carriers import Carried
from core.metadata.json_text import MAX_TEXT, json_object
from core.metadata.samplers import scheduler_of

TOOL = "novelai"
CHUNK = "Comment"

FIELDS = {
    "prompt": "prompt",
    "uc": "negative_prompt",
    "steps": "num_inference_steps",
    "scale": "guidance_scale",
    "strength": "strength",
    "seed": "seed",
}
FROM_TEXT = "PromptGenerateRequest"
"""Of a request of this type the strength means nothing."""


def read(carried: Carried) -> Imported | None:
    """In a WEBP file the chunks of a PNG are one JSON object in EXIF."""
    around = next((value for _, value in carried.objects if _is_signed(value)), carried.texts)
    for _, comment in carried.objects:
        if _is_novelai(comment, around):
            return _imported(comment, around)
    return None


def _imported(comment: dict[str, Any], around: Mapping[str, Any]) -> Imported:
    rest = {name: value for name, value in comment.items() if name not in FIELDS}
    found = {field: comment.get(name) for name, field in FIELDS.items()}
    if rest.get("request_type") == FROM_TEXT:
        rest["strength"] = found.pop("strength")
    found["prompt"] = found["prompt"] or _caption(comment.get("v4_prompt")) or around.get("Description")
    found["negative_prompt"] = found["negative_prompt"] or _caption(comment.get("v4_negative_prompt"))
    found["scheduler"] = scheduler_of(rest.get("sampler"), rest.get("noise_schedule"))
    if found["scheduler"]:
        rest = {name: value for name, value in rest.items() if name not in ("sampler", "noise_schedule")}
    size = (rest.pop("width"), rest.pop("height")) if "width" in rest and "height" in rest else None
    return Imported.of(TOOL, found, size=size, raw={**rest, "model": around.get("Source")})


def _is_signed(values: Mapping[str, Any]) -> bool:
    return str(values.get("Software", "")).startswith("NovelAI")


def _is_novelai(comment: dict[str, Any], around: Mapping[str, Any]) -> bool:
    return (_is_signed(around) and "steps" in comment) or {"uc", "sampler", "steps"} <= comment.keys()


def _caption(prompt: Any) -> Any:
    caption = prompt.get("caption") if isinstance(prompt, dict) else None
    return caption.get("base_caption") if isinstance(caption, dict) else None


# Stealth info: 15 bytes that say which form, 4 that say how many bits, then the text.
SIGNATURES = {
    b"stealth_pnginfo": ((3,), False),
    b"stealth_pngcomp": ((3,), True),
    b"stealth_rgbinfo": ((0, 1, 2), False),
    b"stealth_rgbcomp": ((0, 1, 2), True),
}
"""Which channels hold the bits, and whether the text is gzipped."""

HEAD_BYTES = 15 + 4


def hidden_in(picture: Image.Image) -> Carried | None:
    """The texts in the lowest bits of a decoded picture, if there are any. Never written by us: it changes pixels."""
    if picture.mode not in ("RGB", "RGBA"):
        return None
    for signature, (channels, is_compressed) in SIGNATURES.items():
        if channels[-1] >= len(picture.getbands()):
            continue
        head = _lowest_bits(picture, channels, HEAD_BYTES)
        if head.startswith(signature) and len(head) == HEAD_BYTES:
            length = min(int.from_bytes(head[15:], "big") // 8, MAX_TEXT)
            return _texts(_lowest_bits(picture, channels, HEAD_BYTES + length)[HEAD_BYTES:], is_compressed)
    return None


def _lowest_bits(picture: Image.Image, channels: tuple[int, ...], count: int) -> bytes:
    """The first bytes, read down the columns from left to right."""
    columns = math.ceil(count * 8 / (picture.height * len(channels)))
    pixels = np.asarray(picture.crop((0, 0, min(columns, picture.width), picture.height)))
    bits = pixels[:, :, channels[0] : channels[-1] + 1].transpose(1, 0, 2).reshape(-1)[: count * 8] & 1
    return np.packbits(bits[: len(bits) // 8 * 8]).tobytes()


def _texts(data: bytes, is_compressed: bool) -> Carried | None:
    if is_compressed:
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, MAX_TEXT)
        except zlib.error:
            return None
    text = data.decode("utf-8", "replace")
    texts = json_object(text)
    if texts is None:
        return Carried({"parameters": text})
    return Carried({k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in texts.items()})
