"""What strangers send, by kind: how one is made by chance, and who reads it."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from core.bootstrap import Studio, make_catalogue, make_loader
from core.domain.draft import Draft
from core.domain.files.painted_mask import read_painted
from core.domain.files.picture import Picture, read_picture
from core.domain.gallery.filter import GalleryFilter
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.drawing import Drawing
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.metadata.read import read, read_text
from core.settings import Settings
from tests.harness.mutations import any_value, mutated, mutated_json, mutated_text, text_of
from tests.harness.studio import MAX_MEGAPIXELS, a_request
from tests.metadata import make_samples

DATA = Path(__file__).parents[1] / "data"
POCKET = Path(__file__).parents[2] / "assets" / "models" / "pocket-inpaint"
SIDE = 48
MAX_PIXELS = MAX_MEGAPIXELS * 10**6


@dataclass(frozen=True)
class Bench:
    """studio: with the stand-in for the engine, on a folder of its own. template: a bundle."""

    folder: Path
    studio: Studio
    template: bytes


Make = Callable[[random.Random, Bench], Any]
Read = Callable[[Bench, Any], object]


@dataclass(frozen=True)
class Kind:
    """part: of all inputs. seconds, mb: processor time, and memory beside what there was, that reading one may take."""

    part: float
    make: Make
    read: Read
    seconds: float = 5.0
    mb: int = 1_000


# Pictures --------------------------------------------------------------------------------------------------------


@cache
def pictures() -> tuple[bytes, ...]:
    """Of every format and mode that is taken, with profiles, orientation, texts and animation."""
    chance = np.random.default_rng(1)
    colour = Image.fromarray(chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x0131] = 6, "a picture", "a camera"
    exif[0x8769] = {0x9286: b"ASCII\0\0\0a comment", 0xA002: SIDE}
    exif[0x8825] = {1: "N", 2: (50.0, 1.0, 2.0)}
    about = {"icc_profile": profile, "exif": exif}
    made = []
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"):
        deep = Image.fromarray(chance.integers(0, 2**16, (SIDE, SIDE), dtype=np.uint16))
        made.append(_file(deep if mode == "I;16" else colour.convert(mode), "PNG", **about))
    made += [_file(colour.convert(mode), "JPEG", **about, comment=b"a comment") for mode in ("RGB", "L", "CMYK")]
    made.append(_file(colour, "JPEG", progressive=True, dpi=(300, 300)))
    made += [_file(colour.convert("RGBA"), "WEBP", lossless=lossless, **about) for lossless in (False, True)]
    made += [_file(colour.convert(mode), "AVIF", **about) for mode in ("RGB", "RGBA")]
    made += [_file(colour, name, save_all=True, append_images=[colour.rotate(90)]) for name in ("WEBP", "AVIF", "PNG")]
    made += [path.read_bytes() for path in sorted((DATA / "metadata").glob("*.*")) if path.suffix != ".json"]
    return tuple(made)


def _file(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def a_picture_file(chance: random.Random, bench: Bench) -> bytes:
    return mutated(chance, chance.choice(pictures()))


def read_picture_file(bench: Bench, data: bytes) -> None:
    """As an upload, and as an import; what is stored can be read again."""
    result = bench.studio.imports.import_(io.BytesIO(data), "photo.png", without_metadata=True)
    for id in result.ids:
        bench.studio.gallery.image(bench.studio.gallery.get(id).output)
        if id not in result.known:
            bench.studio.gallery.trash([id])
            bench.studio.gallery.delete_for_good([id])
    picture = read_picture(data, max_pixels=MAX_PIXELS)
    drafts = bench.studio.drafts
    drafts.save("hostile", drafts.open_picture(Draft(), picture, "photo.png"))


# Metadata --------------------------------------------------------------------------------------------------------

_JSON_TEXTS: tuple[tuple[str, Any], ...] = (
    ("invokeai_metadata", make_samples.INVOKEAI),
    ("prompt", make_samples.COMFYUI),
    ("prompt", make_samples.COMFYUI_CUSTOM),
    ("workflow", make_samples.WORKFLOW),
    ("parameters", make_samples.FOOOCUS),
    ("Comment", make_samples.NOVELAI_COMMENT),
)
_PLAIN_TEXTS = (make_samples.A1111, make_samples.SDNEXT, make_samples.FOOOCUS_A1111)


def a_metadata_text(chance: random.Random, bench: Bench) -> tuple[str, str]:
    """Under the name of a chunk."""
    if chance.random() < 0.4:
        return "parameters", mutated_text(chance, chance.choice(_PLAIN_TEXTS))
    if chance.random() < 0.3:
        record = json.loads((DATA / "metadata" / "studio-1.json").read_text())
        return "inpaint_studio", text_of(chance, mutated_json(chance, record))
    name, value = chance.choice(_JSON_TEXTS)
    return name, text_of(chance, mutated_json(chance, value))


def read_metadata_text(bench: Bench, named: tuple[str, str]) -> None:
    """Pasted, and in a picture; what was understood goes into a form, a row and a bundle."""
    name, text = named
    read_text(text)
    encoded = text.encode("utf-8", "replace").decode()
    found = read(make_samples.png({name: encoded}))
    if found is not None:
        InpaintParams(**found.params)
    result = bench.studio.imports.import_(io.BytesIO(make_samples.png({name: encoded})), "a.png", without_metadata=True)
    if result.ids and result.ids[0] not in result.known:
        bench.studio.bundles.export(result.ids, io.BytesIO())
        bench.studio.gallery.trash(result.ids)
        bench.studio.gallery.delete_for_good(result.ids)


# Masks -----------------------------------------------------------------------------------------------------------


def a_mask_file(chance: random.Random, bench: Bench) -> tuple[bytes, tuple[int, int]]:
    """And the size of the picture that it is for."""
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[10:30, 10:30] = chance.choice((1, 7, 8, 128, 255))
    mask = Image.fromarray(pixels)
    modes = ("L", "1", "RGB", "RGBA", "P", "LA")
    data = _file(mask.convert(chance.choice(modes)), chance.choice(("PNG", "WEBP", "PNG")))
    size = chance.choice(((SIDE, SIDE), (SIDE, SIDE), (SIDE + 1, SIDE), (16, 4_000)))
    return (mutated(chance, data) if chance.random() < 0.6 else data), size


def read_mask_file(bench: Bench, given: tuple[bytes, tuple[int, int]]) -> None:
    data, size = given
    try:
        read_painted(data, Size(*size))
    finally:
        mask = Mask.from_image(read_picture(data, max_pixels=MAX_PIXELS).image)
        request = InpaintRequest(Image.new("RGB", size), mask, InpaintParams(size=64, num_inference_steps=1))
        mask.grown(9).feathered(9)
        bench.studio.generations.cancel(bench.studio.generations.submit(request)[0])


# Bundles and presets ---------------------------------------------------------------------------------------------


def a_bundle_file(chance: random.Random, bench: Bench) -> bytes:
    if chance.random() < 0.4:
        return mutated(chance, bench.template)
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bench.template)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "bundle.json":
                data = text_of(chance, _with_new_ids(chance, mutated_json(chance, json.loads(data)))).encode(
                    "utf-8", "surrogatepass"
                )
            elif chance.random() < 0.1:
                data = mutated(chance, data)
            method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            new.writestr(name, data, method)
            if chance.random() < 0.02:
                new.writestr(chance.choice(("../x.png", "/x", "images/x.png")), bytes(2**22), zipfile.ZIP_DEFLATED)
    data = file.getvalue()
    return mutated(chance, data) if chance.random() < 0.2 else data


def _with_new_ids(chance: random.Random, index: Any) -> Any:
    """Mostly: so that it is not known already."""
    entries = index.get("generations") if isinstance(index, dict) else None
    for entry in entries if isinstance(entries, list) and chance.random() < 0.8 else ():
        if isinstance(entry, dict) and len(str(entry.get("id"))) == 12:
            entry["id"] = f"{chance.getrandbits(48):012x}"
    return index


def read_bundle_file(bench: Bench, data: bytes) -> None:
    """What came in is shown, goes out again, and goes away."""
    done = bench.studio.bundles.import_(io.BytesIO(data))
    bench.studio.gallery.browse(GalleryFilter())
    for id in done.ids:
        bench.studio.drafts.from_generation(bench.studio.gallery.get(id))
        bench.studio.sheets.of(id)
    if done.ids:
        bench.studio.bundles.export(done.ids, io.BytesIO())
        bench.studio.gallery.trash(done.ids)
        bench.studio.gallery.delete_for_good(done.ids)


def a_presets_file(chance: random.Random, bench: Bench) -> bytes:
    values = {"num_inference_steps": 9, "strength": 0.5, "model": "pocket-inpaint", "prompt": "a cat", "fill": "blur"}
    file = {"kind": "inpaint-studio-presets", "schema": 1, "presets": {"one": values, "two": {"seed": 4}}}
    data = text_of(chance, mutated_json(chance, file)).encode("utf-8", "surrogatepass")
    return mutated(chance, data) if chance.random() < 0.2 else data


def read_presets_file(bench: Bench, data: bytes) -> None:
    for name in bench.studio.presets.import_(data).new:
        bench.studio.presets.delete(name)


# The painter and the canvas --------------------------------------------------------------------------------------


def a_message(chance: random.Random, bench: Bench) -> Any:
    """Of the painter, or of the simple canvas, as text."""
    if chance.random() < 0.5:
        name = chance.choice(("canvas-drawing-1.json", "canvas-drawing-2.json"))
        return text_of(chance, mutated_json(chance, json.loads((DATA / name).read_text())))
    place = {"x": 3, "y": 4, "tolerance": 9, "connected": True, "subtract": False}
    png = base64.b64encode(_file(Image.new("L", (SIDE, SIDE)), "PNG")).decode()
    message = {"png": png, "stamp": "a1", "revision": 2, "place": chance.choice((None, place, place))}
    return mutated_json(chance, message) if chance.random() < 0.95 else any_value(chance)


def read_message(bench: Bench, message: Any) -> None:
    if isinstance(message, str):
        Drawing.from_json(message, Size(SIDE, SIDE)).mask(Size(SIDE, SIDE))
        return
    from pages.ui.inpaint.painter import Painted, with_similar

    painted = Painted.read(message)
    mask = read_painted(painted.png, Size(SIDE, SIDE))
    if painted.place is not None:
        with_similar(bench.studio, _stored_picture(bench), mask, painted.place)


def _stored_picture(bench: Bench) -> str:
    return bench.studio.drafts.open_picture(Draft(), Picture(a_request(0).image), "a.png").source


# Models ----------------------------------------------------------------------------------------------------------


def a_model(chance: random.Random, bench: Bench) -> str:
    """A name, or a folder whose texts or weights were changed."""
    names = ("pocket-inpaint", "sd15-inpainting", "owner/name@main", "content-fill", str(POCKET))
    if chance.random() < 0.5:
        return mutated_text(chance, chance.choice(names))
    folder = bench.folder / f"model-{chance.getrandbits(32):08x}"
    shutil.copytree(POCKET, folder, copy_function=os.link if _same_disk(bench.folder) else shutil.copyfile)
    file = chance.choice(sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"))
    data = file.read_bytes()
    file.unlink()
    if file.suffix == ".json":
        file.write_bytes(text_of(chance, mutated_json(chance, json.loads(data))).encode("utf-8", "surrogatepass"))
    elif chance.random() < 0.8:
        file.write_bytes(mutated(chance, data[: 2**20]) + data[2**20 :])
    if chance.random() < 0.05:
        os.mkfifo(folder / "fifo.json")
        (folder / "model_index.json").unlink(missing_ok=True)
        (folder / "fifo.json").rename(folder / "model_index.json")
    return str(folder)


def _same_disk(folder: Path) -> bool:
    return folder.stat().st_dev == POCKET.stat().st_dev


def look_at_model(bench: Bench, name: str) -> None:
    """As a form does that shows it."""
    try:
        catalogue = make_catalogue(_settings(bench))
        catalogue.find(name)
        catalogue.is_ready(name)
        catalogue.vocabulary(name)
        catalogue.locate(name)
    finally:
        _forget(bench, name)


def load_model(bench: Bench, name: str) -> None:
    """And paints with it, if it can be loaded."""
    try:
        inpainter = make_loader(_settings(bench))(name, "cpu")
        request = a_request(1)
        from core.domain.request import Plan

        inpainter.inpaint(Plan.of(request, inpainter.model.cell).working_request(inpainter.model.cell), lambda at: None)
    finally:
        _forget(bench, name)


def _settings(bench: Bench) -> Settings:
    return Settings(data=bench.folder / "data", offline=True, _env_file=None)


def _forget(bench: Bench, name: str) -> None:
    if name.startswith(str(bench.folder / "model-")):
        shutil.rmtree(name, ignore_errors=True)


KINDS: Mapping[str, Kind] = {
    "pictures": Kind(0.27, a_picture_file, read_picture_file),
    "metadata": Kind(0.2, a_metadata_text, read_metadata_text),
    "masks": Kind(0.1, a_mask_file, read_mask_file),
    "bundles": Kind(0.12, a_bundle_file, read_bundle_file),
    "presets": Kind(0.06, a_presets_file, read_presets_file),
    "messages": Kind(0.1, a_message, read_message),
    "models": Kind(0.04, a_model, look_at_model),
    "loading": Kind(0.006, a_model, load_model, seconds=60.0),
}
