"""Reading what a picture says about how it was made. Files come from strangers: nothing here raises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from PIL import Image

from core.domain.imported import Imported, as_text
from core.domain.picture import MAX_FILE_BYTES
from core.metadata import a1111, comfyui, fooocus, invokeai, novelai, ours
from core.metadata.carriers import MAX_TEXT, USER_COMMENT, Carried, carried_by, load_pixels, open_picture

Reader = Callable[[Carried], Imported | None]

READERS: Mapping[Reader, frozenset[str]] = {
    ours.read: frozenset({ours.CHUNK, a1111.CHUNK, f"exif:{USER_COMMENT}"}),
    invokeai.read: frozenset({invokeai.CHUNK}),
    comfyui.read: frozenset(),
    fooocus.read: frozenset({"parameters", f"exif:{USER_COMMENT}", "fooocus_scheme"}),
    novelai.read: frozenset({novelai.CHUNK, "Source"}),
    a1111.read: frozenset({a1111.CHUNK, f"exif:{USER_COMMENT}", "comment", "fooocus_scheme"}),
}
"""In this order: the first that understands a file wins, for the more exact a format is, the earlier it stands here
(and many tools write A1111's text beside their own). Each with the texts it takes up; all others are kept as raw."""

WITH_HIDDEN_TEXTS = ("PNG", "WEBP")
"""Formats that can hold texts in their pixels."""

PASTED_AS = (ours.CHUNK, comfyui.CHUNK, a1111.CHUNK, novelai.CHUNK, invokeai.CHUNK)
"""Without a chunk's name only the shape tells; InvokeAI's is the loosest."""


def read(data: bytes, *, models: Collection[str] = (), pixels: Image.Image | None = None) -> Imported | None:
    """What a PNG, JPEG, WEBP or AVIF file says about its making; None if it says nothing that is understood.

    models: our own model keys; a model of that very name becomes a param, any other stays raw["model"].
    pixels: the picture in the file, if it was decoded before; else it is, where a text may be hidden in it.
    """
    picture = open_picture(data) if len(data) <= MAX_FILE_BYTES else None
    if picture is None:
        return None
    found = understood(carried_by(picture))
    if found is None and picture.format in WITH_HIDDEN_TEXTS and (pixels is not None or load_pixels(picture)):
        found = understood(novelai.hidden_in(pixels or picture))
    return _with_known_model(found, models)


def read_text(text: str, *, models: Collection[str] = ()) -> Imported | None:
    """The same for a text that was pasted or lay beside the picture. A prompt alone says nothing."""
    if len(text) > MAX_TEXT:
        return None
    for name in PASTED_AS:
        if text.lstrip().startswith("{") and (found := understood(Carried({name: text}))):
            return _with_known_model(replace(found, raw={k: v for k, v in found.raw.items() if v != text}), models)
    return _with_known_model(understood(Carried({"comment": text})), models)


def understood(carried: Carried | None) -> Imported | None:
    if carried is None:
        return None
    for reader, taken_up in READERS.items():
        found = reader(carried)
        if found is not None:
            return _with_the_rest(found, carried, taken_up)
    return None


def _with_the_rest(found: Imported, carried: Carried, taken_up: frozenset[str]) -> Imported:
    rest = {name: text for name, text in carried.texts.items() if name not in taken_up}
    rest |= {name: f"left out: longer than {MAX_TEXT} characters" for name in carried.left_out}
    raw = dict(found.raw)
    for name, text in rest.items():
        raw[as_text(name if name not in raw else f"chunk {name}")] = as_text(text)
    return replace(found, raw=raw)


def _with_known_model(found: Imported | None, models: Collection[str]) -> Imported | None:
    if found is None or found.raw.get("model") not in models:
        return found
    raw = dict(found.raw)
    return replace(found, params={**found.params, "model": raw.pop("model")}, raw=raw)
