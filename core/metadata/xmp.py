"""XMP: the packet that we write, and the texts in packets of others."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from xml.etree import ElementTree

NAMESPACE = "urn:inpaint-studio:ns:1.0/"
"""Ours. Both names below are part of the format: files with them are out in the world."""

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture in which a trained model has repainted a part."""

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:xmpNote="http://ns.adobe.com/xmp/note/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:studio="{namespace}">
   <xmp:CreatorTool>{program}</xmp:CreatorTool>
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>{more}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

EXTENSION = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:studio="{namespace}">{more}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def packet(record_json: str | None, program: str) -> bytes:
    """record_json: our record, or None if it travels elsewhere in the file."""
    more = "" if record_json is None else _record(record_json)
    return _packet(more, program)


def extended(record_json: str, program: str) -> tuple[bytes, bytes]:
    """A packet that leaves the record to an extension, as Adobe's specification has it for JPEG; and the extension."""
    extension = EXTENSION.format(namespace=NAMESPACE, more=_record(record_json)).encode()
    note = f"\n   <xmpNote:HasExtendedXMP>{_digest(extension)}</xmpNote:HasExtendedXMP>"
    return _packet(note, program), extension


def _packet(more: str, program: str) -> bytes:
    return PACKET.format(namespace=NAMESPACE, program=_escaped(program), source_type=SOURCE_TYPE, more=more).encode()


def _record(record_json: str) -> str:
    # The few characters that XML cannot hold stand in JSON only inside of strings, where \u says the same.
    text = NOT_IN_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", record_json)
    return f"\n   <studio:record>{_escaped(text)}</studio:record>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


IN_JPEG = b"http://ns.adobe.com/xmp/extension/\0"
PART = struct.Struct(">32sII")
"""The extension's digest, its length in bytes, and where in it the bytes that follow belong."""

PART_BYTES = 65_000


def segments(extension: bytes) -> bytes:
    """The extension as APP1 segments."""
    digest = _digest(extension).encode()
    written = b""
    for begin in range(0, len(extension), PART_BYTES):
        body = IN_JPEG + PART.pack(digest, len(extension), begin) + extension[begin : begin + PART_BYTES]
        written += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return written


def extension_in(segments: list[bytes], packet: str, limit: int) -> str:
    """The extension that the packet names, put together; empty if it is not whole or longer than limit bytes."""
    parts: dict[int, bytes] = {}
    whole = 0
    for segment in segments:
        if not segment.startswith(IN_JPEG) or len(segment) < len(IN_JPEG) + PART.size:
            continue
        digest, length, begin = PART.unpack_from(segment, len(IN_JPEG))
        if digest.decode("latin-1") in packet and length <= limit:
            whole = length
            parts[begin] = segment[len(IN_JPEG) + PART.size :]
    data = b"".join(parts[begin] for begin in sorted(parts))
    return data.decode("utf-8", "replace") if len(data) == whole else ""


def _digest(extension: bytes) -> str:
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()


def record_in(xmp: str) -> str | None:
    """Our record in an XMP packet, as an element or, as some editors rewrite it, as an attribute."""
    if NAMESPACE not in xmp:
        return None
    name = f"{{{NAMESPACE}}}record"
    return next((text for property, text in _properties(xmp) if property == name), None)


def texts_in(xmp: str) -> dict[str, str]:
    """All texts of a packet by the last part of their property's name: "CreatorTool", "UserComment", "description"."""
    texts: dict[str, str] = {}
    for name, text in _properties(xmp):
        name = name.rpartition("}")[2]
        if text.strip() and len(name) <= 60:
            texts.setdefault(name, text)
    return texts


OF_XML = ("{http://www.w3.org/XML/1998/namespace}", "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}")
CONTAINERS = frozenset({"Alt", "Bag", "Seq", "li", "value", "Description", "RDF", "xmpmeta"})


def _properties(xmp: str) -> Iterator[tuple[str, str]]:
    """Names with their namespaces, and texts: attributes, elements, and what stands in an element's list of texts."""
    if "<!" in xmp:
        # A document type is where entity bombs live; XMP has none.
        return
    try:
        root = ElementTree.fromstring(xmp.replace("\x00", "").strip().lstrip("\ufeff"))
    except (ElementTree.ParseError, ValueError, RecursionError):
        return
    waiting = [(root, "")]
    while waiting:
        element, around = waiting.pop()
        name = around if str(element.tag).rpartition("}")[2] in CONTAINERS else str(element.tag)
        yield from ((key, text) for key, text in element.attrib.items() if not key.startswith(OF_XML))
        if name and element.text:
            yield name, element.text
        waiting += [(child, name) for child in reversed(element)]
