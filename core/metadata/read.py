"""Reading what a picture says about how it was made. Files come from strangers: nothing here raises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from PIL import Image

from core.domain.files.picture import MAX_FILE_BYTES
from core.domain.imported import Imported, as_text
from core.metadata import a1111, carriers, comfyui, flat, fooocus, invokeai, labels, novelai, ours
from core.metadata.carriers import Carried, carried_by, load_pixels, open_picture
from core.metadata.json_text import MAX_TEXT

Reader = Callable[[Carried], Imported | None]

SPOKEN = frozenset({a1111.CHUNK, *carriers.SPOKEN})
TAKEN_UP: Mapping[Reader, Collection[str]] = {
    ours.read: SPOKEN | {ours.CHUNK},
    invokeai.read: {invokeai.CHUNK, invokeai.SD_METADATA, invokeai.DREAM},
    flat.read: SPOKEN | flat.CHUNKS,
    comfyui.read: {},
    fooocus.read: SPOKEN | {"fooocus_scheme"},
    novelai.read: {novelai.CHUNK, "Source"},
    a1111.read: SPOKEN | {"fooocus_scheme"},
    flat.read_any: SPOKEN,
    labels.read_midjourney: {*labels.DESCRIPTIONS},
    labels.read_source_type: {},
}
"""In this order: the first that understands a file wins, for the more exact a format is, the earlier it stands here
(and many tools write A1111's text beside their own). Each with the texts it takes up; all others are kept as raw."""

BESIDE_A_GRAPH = (a1111.read, flat.read_any)
"""Savers for ComfyUI write one of these beside the graph, which does not always say all."""

WITH_HIDDEN_TEXTS = ("PNG", "WEBP")
"""Formats that can hold texts in their pixels."""


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
    return _with_known_model(found or labels.read_credentials(data), models)


def read_text(text: str, *, models: Collection[str] = ()) -> Imported | None:
    """The same for a text that was pasted or lay beside the picture. A prompt alone says nothing."""
    if len(text) > MAX_TEXT:
        return None
    pasted = text.strip("\x00\ufeff \t\r\n")
    found = understood(Carried({"comment": pasted}))
    if found is not None:
        found = replace(found, raw={name: kept for name, kept in found.raw.items() if kept != pasted})
    return _with_known_model(found, models)


def understood(carried: Carried | None) -> Imported | None:
    if carried is None:
        return None
    for reader, taken_up in TAKEN_UP.items():
        found = reader(carried)
        if found is not None:
            if found.tool == comfyui.TOOL:
                found = _filled(found, carried)
            return _with_the_rest(found, carried, taken_up)
    return None


def _filled(found: Imported, carried: Carried) -> Imported:
    for reader in BESIDE_A_GRAPH:
        if (other := reader(carried)) is not None:
            return found.filled_by(other)
    return found


def _with_the_rest(found: Imported, carried: Carried, taken_up: Collection[str]) -> Imported:
    rest = {name: text for name, text in carried.texts.items() if name not in taken_up and not _is_packing(name)}
    rest |= dict.fromkeys(carried.left_out, f"left out: longer than {MAX_TEXT} characters")
    raw = dict(found.raw)
    for name, text in rest.items():
        raw[as_text(name if name not in raw else f"chunk {name}")] = as_text(text)
    return replace(found, raw=raw)


def _is_packing(name: str) -> bool:
    """What XMP says of the file rather than of its making."""
    return name.startswith("xmp:") and name not in carriers.SPOKEN


def _with_known_model(found: Imported | None, models: Collection[str]) -> Imported | None:
    if found is None or found.raw.get("model") not in models:
        return found
    raw = dict(found.raw)
    return replace(found, params={**found.params, "model": raw.pop("model")}, raw=raw)
