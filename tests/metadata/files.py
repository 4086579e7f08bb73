"""Files as other tools write them, and what is to be read from them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from PIL import Image

from tests.metadata import make_samples as made

BARN = {
    "prompt": "a red barn",
    "negative_prompt": "blurry",
    "num_inference_steps": 20,
    "guidance_scale": 7.0,
    "seed": 42,
}
SIZED = BARN | {"size": 768}
UNSAID = {name: value for name, value in SIZED.items() if name != "negative_prompt"}
LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 768x512"
A1111 = f"a red barn\nNegative prompt: blurry\n{LINE}"
EULER_A = {"scheduler": "euler-ancestral"}

XMP_TEXT = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:any="urn:any" {attributes}>{elements}
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def xmp(*elements: str, **attributes: str) -> bytes:
    given = " ".join(f"any:{name}={quoteattr(text)}" for name, text in attributes.items())
    return XMP_TEXT.format(elements="".join(elements), attributes=given).encode()


def element(name: str, text: str, *, listed: bool = False) -> str:
    inner = f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>' if listed else escape(text)
    return f"<{name}>{inner}</{name}>"


def with_xmp(packet: bytes, format: str) -> bytes:
    if format == "PNG":
        return png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, format, xmp=packet)
    return file.getvalue()


def png_with(kind: bytes, body: bytes) -> bytes:
    data = made.png({})
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


def raw_profile(name: str, block: bytes) -> bytes:
    """A PNG that ImageMagick made of another format."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return made.png({f"Raw profile type {name}": f"\n{name}\n{len(block):>8}\n{lines}\n"})


def commented(data: bytes, format: str) -> bytes:
    return made.jpeg({made.EXIF_IFD: {made.USER_COMMENT: data}}, format)


exif_formats = pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "PNG"])


def is_valid_import(found: Any, tool: str, params: dict[str, Any], *, model: str | None = None) -> None:
    assert found.tool == tool
    assert dict(found.params) == params
    if model:
        assert found.raw["model"] == model
