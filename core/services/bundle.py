"""Bundles: generations as one zip file, to be read and verified by another installation.

    bundle.json                 what is in it, in our own words: generations, and the sheets they belong to
    images/<sha256>.png         source, mask and result, each named by the hash of its pixels
    exif/<sha256>.exif          what the photo's file says about it, without where it was taken

No weights, no thumbnails, nothing of the machine but what the record says.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, BinaryIO

from PIL import Image
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, Strict

from core.domain.environment import Environment
from core.domain.errors import (
    DatabaseConflict,
    GenerationNotFound,
    InvalidImage,
    InvalidInput,
    InvalidMove,
    StoredImageDamaged,
    StoredImageMissing,
    StudioError,
)
from core.domain.generation import Generation, Relation, Status
from core.domain.hashing import canonical_json, is_named, pixels_sha256, sha256_of
from core.domain.labels import notes_text, tag_name, title_text
from core.domain.outpaint import Extended
from core.domain.params import InpaintParams
from core.domain.picture import MAX_PIXELS
from core.domain.picture_file import facts_of
from core.domain.record import MAX_DEVICE, MAX_DTYPE, MAX_REVISION, Record
from core.domain.sheet import KeptSheet, Sheet
from core.domain.source_exif import MAX_BYTES, without_place
from core.memory import decoding
from core.ports import ImageStore
from core.services.thumbnails import thumbnail
from db.files import FileRepo
from db.generations import GenerationRepo
from db.sheets import SheetRepo

SCHEMA = 1
INDEX = "bundle.json"
MAX_INDEX_BYTES = 64 * 2**20
EXIF_ENDING = ".exif"
MAX_GENERATIONS = 10_000
MAX_IMAGE_BYTES = 8 * MAX_PIXELS
"""An uncompressed RGBA picture of the largest size, twice: no PNG that we wrote is larger."""


class InvalidBundle(InvalidInput):
    """This file is not a bundle of Inpaint Studio, or it was damaged or changed. Export it again."""


@dataclass(frozen=True, slots=True)
class ImportedBundle:
    """ids: the new rows. known: ids that were already here, with the same pixels, and were left as they are."""

    ids: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bundles:
    repo: GenerationRepo
    files: FileRepo
    sheets: SheetRepo
    images: ImageStore
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def export(self, ids: Sequence[str], file: BinaryIO) -> None:
        """Write a zip. Raises InvalidMove for a generation without a result, InvalidInput for too many of them."""
        ids = list(dict.fromkeys(ids))
        _check_count(len(ids))
        generations = [self.repo.get(id) for id in ids]
        for generation in generations:
            if generation.output is None:
                raise InvalidMove(f"Generation {generation.id} has no result to export. Leave it out.")
        exif = self._exif_of(generations)
        generations = [replace(g, source_exif=exif[g.source_exif][0]) if g.source_exif else g for g in generations]
        index = {
            "schema": SCHEMA,
            "generations": [_to_dict(g) for g in generations],
            "sheets": [_sheet_to_dict(kept) for kept in self.sheets.holding(ids)],
        }
        text = canonical_json(index).encode()
        if len(text) > MAX_INDEX_BYTES:
            raise InvalidInput("The records of these generations are too large for one bundle. Make several.")
        # Stored, not deflated: PNG files are compressed already.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
            bundle.writestr(INDEX, text, zipfile.ZIP_DEFLATED)
            for key in _keys(generations):
                bundle.writestr(_name(key), self._checked(key, generations))
            for name, block in dict(exif.values()).items():
                if name is not None:
                    bundle.writestr(_exif_name(name), block)

    def _exif_of(self, generations: Sequence[Generation]) -> Mapping[str, tuple[str | None, bytes]]:
        """By its key here: key and block of what is handed on, which never says where a photo was taken."""
        found = {}
        for key in _exif_keys(generations):
            block = None
            # The pictures count; they are handed on without it too.
            with suppress(StoredImageMissing):
                block = without_place(self.images.read_file(key))
            found[key] = (sha256_of(block) + EXIF_ENDING, block) if block else (None, b"")
        return found

    def _checked(self, key: str, generations: Sequence[Generation]) -> bytes:
        """The stored file, if it holds what its name says: a bundle that nobody can read is no backup."""
        try:
            data = self.images.read_file(key)
            _decoded(data, key)
        except (InvalidBundle, StoredImageMissing) as error:
            [id, *_] = [g.id for g in generations if key in g.pictures]
            what = "missing" if isinstance(error, StoredImageMissing) else "damaged"
            raise StoredImageDamaged(
                f"A stored picture of generation {id} is {what}, so no bundle was written. Leave that one out, or "
                "restore the data folder from a backup."
            ) from error
        return data

    def import_(self, file: BinaryIO) -> ImportedBundle:
        """Read a bundle into the gallery: all of it or nothing.

        Every picture is checked against its hash before any row is written. Raises InvalidBundle.
        """
        with _opened(file) as bundle:
            generations, sheets = _read_index(bundle)
            found = {key: _facts(_read_picture(bundle, key)) for key in _keys(generations)}
            for generation in generations:
                if any(found[key][0] != (generation.width, generation.height) for key in generation.pictures):
                    raise InvalidBundle("The pictures of a generation in this bundle have different sizes.")
                if found[generation.result][1] != generation.pixels_sha256:
                    raise InvalidBundle
            for key in _exif_keys(generations):
                _read_exif(bundle, key)
            pictures, exif = partial(_read_picture, bundle), partial(_read_exif, bundle)
            keep = partial(self._keep, generations, sheets, pictures, exif)
            # Another process may read the same bundle: what it has written is known at the next look.
            with suppress(DatabaseConflict):
                return keep()
            return keep()

    def _keep(
        self,
        generations: Sequence[Generation],
        sheets: Sequence[KeptSheet],
        read: Callable[[str], Image.Image],
        read_exif: Callable[[str], bytes],
    ) -> ImportedBundle:
        # One look at each, so that it stays the same answer: what another process adds meanwhile is a conflict.
        here = {generation.id: self._pixels_here(generation.id) for generation in generations}
        known = [g for g in generations if here[g.id] == g.pixels_sha256]
        new = [g for g in generations if here[g.id] != g.pixels_sha256]
        ids = {g.id: g.id if here[g.id] is None else self.new_id() for g in new}
        # Said before they are there: should this end half way, the collector finds them.
        self.files.release([*_keys(new), *_exif_keys(new)], self.now())
        for key in _exif_keys(new):
            self.images.put_file(read_exif(key), EXIF_ENDING)
        thumbnails = {}
        # One picture at a time: a bundle may hold more than the memory does.
        for key in _keys(new):
            image = read(key)
            self.images.put(image, key)
            if any(g.output == key for g in new):
                thumbnails[key] = self.images.put_file(thumbnail(image), ".webp")
        self.files.release(thumbnails.values(), self.now())
        rows = [
            replace(
                g,
                id=ids[g.id],
                thumbnail=thumbnails[g.result],
                parent_id=self._parent(g, ids),
                relation=Relation.IMPORT,
            )
            for g in new
        ]
        made = [(row, Environment(row.environment)) for row in _parents_first(rows)]
        self.repo.add_made(made, self._new_sheets(sheets, ids | {g.id: g.id for g in known}))
        for key in _keys(new):
            if not self.images.has(key):
                self.images.put(read(key), key)
        for key in _exif_keys(new):
            if not self.images.has(key):
                self.images.put_file(read_exif(key), EXIF_ENDING)
        return ImportedBundle(tuple(row.id for row in rows), tuple(g.id for g in known))

    def _new_sheets(self, sheets: Sequence[KeptSheet], ids: Mapping[str, str]) -> list[KeptSheet]:
        """Those that are not here yet. A field whose generation did not come along fills itself when a later bundle
        brings it. ids: by the ids of the bundle those that the generations have here.
        """
        new: list[KeptSheet] = []
        for sheet in sheets:
            kept = replace(sheet, ids=tuple(tuple(ids.get(id, id) for id in line) for line in sheet.ids))
            came_along = [ids[id] for line in sheet.ids for id in line if id in ids]
            here = [(other.sheet, other.ids) for other in (*self.sheets.holding(came_along), *new)]
            if came_along and (kept.sheet, kept.ids) not in here:
                is_taken = self.sheets.has(kept.id) or kept.id in {other.id for other in new}
                new.append(replace(kept, id=self.new_id()) if is_taken else kept)
        return new

    def _parent(self, generation: Generation, ids: Mapping[str, str]) -> str | None:
        """The parent, if it came along or is already here."""
        parent = generation.parent_id
        if parent is None:
            return None
        return ids.get(parent) or (parent if self._pixels_here(parent) is not None else None)

    def _pixels_here(self, id: str) -> str | None:
        """None if there is no generation of this id; empty if it has no result."""
        try:
            return self.repo.get(id).pixels_sha256 or ""
        except GenerationNotFound:
            return None


@contextmanager
def _opened(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Raises InvalidBundle for what is no zip."""
    with _said_in_words():
        bundle = zipfile.ZipFile(file)
    with bundle:
        yield bundle


@contextmanager
def _said_in_words() -> Iterator[None]:
    """The border: zipfile, zlib, json, Pillow and pydantic each have errors of their own for what strangers send."""
    try:
        yield
    except StudioError:
        raise
    except Exception as error:
        raise InvalidBundle from error


def _check_count(count: int) -> None:
    if count > MAX_GENERATIONS:
        raise InvalidInput(f"A bundle holds at most {MAX_GENERATIONS:,} generations, not {count:,}. Make several.")


def _to_dict(generation: Generation) -> dict[str, Any]:
    columns = {name: getattr(generation, name) for name in _Columns.model_fields}
    times = {name: value.isoformat() for name, value in columns.items() if isinstance(value, datetime)}
    return {
        **columns,
        **times,
        "params": generation.params.to_dict(),
        "extended": generation.extended.to_dict() if generation.extended else None,
        "tags": list(generation.tags),
        "environment": dict(generation.environment),
        "record": dict(generation.record.raw),
    }


def _sheet_to_dict(kept: KeptSheet) -> dict[str, Any]:
    return {
        "id": kept.id,
        "created_at": kept.created_at.isoformat(),
        "sheet": kept.sheet.to_dict(),
        "ids": [list(line) for line in kept.ids],
    }


def _read_index(bundle: zipfile.ZipFile) -> tuple[list[Generation], list[KeptSheet]]:
    with _said_in_words():
        values = json.loads(_read(bundle, INDEX, MAX_INDEX_BYTES))
        # Raises ValueError for what no database takes: halves of characters, and numbers that are none.
        canonical_json(values).encode()
        schema, entries = values["schema"], values["generations"]
        if schema > SCHEMA:
            raise InvalidBundle(f"This bundle was written by a newer version (schema {schema}). Update first.")
        # Bundles that were written before have no sheets.
        sheets = values.get("sheets", ())
        _check_count(max(len(entries), len(sheets)))
        generations = [_from_dict(entry) for entry in entries]
        sheets = [_sheet_from_dict(entry) for entry in sheets]
    if len({g.id for g in generations}) != len(generations):
        raise InvalidBundle("This bundle holds the same generation twice. Export it again.")
    return generations, sheets


def _sheet_from_dict(entry: Mapping[str, Any]) -> KeptSheet:
    created_at = datetime.fromisoformat(entry["created_at"])
    ids = tuple(tuple(line) for line in entry["ids"])
    if created_at.tzinfo is None or not all(_is_id(id) for line in (*ids, (entry["id"],)) for id in line):
        raise InvalidBundle
    return KeptSheet(entry["id"], created_at, Sheet.from_dict(entry["sheet"]), ids)


def _is_id(text: Any) -> bool:
    return isinstance(text, str) and text.isalnum() and len(text) <= 32


def _checked_id(text: str) -> str:
    if not _is_id(text):
        raise InvalidBundle
    return text


Id = Annotated[str, AfterValidator(_checked_id)]
Time = Annotated[AwareDatetime, Strict(False)]
Seconds = Annotated[float, Field(ge=0)]


class _Columns(BaseModel):
    """What the columns of a generation take. The names are those of Generation."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    id: Id
    device: str = Field(max_length=MAX_DEVICE)
    source: str
    mask: str
    output: str
    pixels_sha256: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    created_at: Time
    started_at: Time | None = None
    finished_at: Time | None = None
    parent_id: Id | None = None
    source_name: str | None = None
    source_exif: str | None = Field(None, pattern=r"^sha256:[0-9a-f]{64}\.exif$")
    dtype: str | None = Field(None, max_length=MAX_DTYPE)
    model_revision: str | None = Field(None, max_length=MAX_REVISION)
    runtime_s: Seconds | None = None
    load_s: Seconds | None = None
    favourite: bool = False
    rating: int | None = Field(None, ge=1, le=5)
    title: Annotated[str, AfterValidator(title_text)] = ""
    notes: Annotated[str, AfterValidator(notes_text)] = ""
    tags: list[Annotated[str, AfterValidator(tag_name)]] = []
    environment: dict[str, str]


def _from_dict(entry: Mapping[str, Any]) -> Generation:
    columns = dict(_Columns.model_validate(entry))
    generation = Generation(
        **{**columns, "tags": tuple(columns["tags"])},
        status=Status.SUCCEEDED,
        params=InpaintParams.from_dict(entry["params"]),
        extended=Extended.from_dict(entry["extended"]) if entry.get("extended") else None,
        record=Record.of(dict(entry["record"])),
    )
    if generation.record.malformed or generation.painted_part != generation.record.crop:
        raise InvalidBundle
    return generation


def _keys(generations: Sequence[Generation]) -> list[str]:
    return list(dict.fromkeys(key for g in generations for key in g.pictures))


def _exif_keys(generations: Sequence[Generation]) -> list[str]:
    return list(dict.fromkeys(g.source_exif for g in generations if g.source_exif))


def _parents_first(rows: Sequence[Generation]) -> list[Generation]:
    """A row is added after its parent, whatever their times say; a ring of parents is cut."""
    waiting, ordered = {row.id: row for row in rows}, []
    while waiting:
        ready = [row for row in waiting.values() if row.parent_id not in waiting]
        if not ready:
            ready = [replace(next(iter(waiting.values())), parent_id=None)]
        for row in ready:
            ordered.append(row)
            del waiting[row.id]
    return ordered


def _read_picture(bundle: zipfile.ZipFile, key: str) -> Image.Image:
    with _said_in_words():
        return _decoded(_read(bundle, _name(key), MAX_IMAGE_BYTES), key)


def _facts(image: Image.Image) -> tuple[tuple[int, int], str]:
    """Size, and the hash of the pixels alone."""
    return image.size, pixels_sha256(image)


def _decoded(data: bytes, key: str) -> Image.Image:
    """Raises InvalidBundle unless these bytes are the picture of this key."""
    with _said_in_words():
        try:
            facts_of(data)
        except InvalidImage as error:
            raise InvalidBundle(f"A picture in this bundle cannot be read. {error}") from error
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        if image.width * image.height > MAX_PIXELS:
            raise InvalidBundle
        with decoding(image.width * image.height):
            image.load()
        if not is_named(key, image):
            raise InvalidBundle("A picture in this bundle is not the one that was recorded. Export it again.")
        return image


def _read_exif(bundle: zipfile.ZipFile, key: str) -> bytes:
    with _said_in_words():
        block = _read(bundle, _exif_name(key), MAX_BYTES)
        if sha256_of(block) + EXIF_ENDING != key:
            raise InvalidBundle
        return block


def _read(bundle: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """One file, never more than the limit, whatever its header says."""
    with bundle.open(name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidBundle
    return data


def _exif_name(key: str) -> str:
    return f"exif/{key.removeprefix('sha256:')}"


def _name(key: str) -> str:
    """Only names of this form are ever opened, so a path in a bundle leads nowhere."""
    return f"images/{key.removeprefix('sha256:')}.png"
