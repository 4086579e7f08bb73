"""Bundles: generations as one zip file, to be read and verified by another installation.

Beside the pictures (picture_zip.py), which are source, mask, result and others, it holds bundle.json: generations, and
the sheets they belong to, in our own words. No weights, no thumbnails, nothing of the machine but what the record says.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from PIL.Image import Image

from core.domain.environment import Environment
from core.domain.errors import (
    DatabaseConflict,
    GenerationNotFound,
    InvalidMove,
    StoredImageDamaged,
    StoredImageMissing,
)
from core.domain.files.source_exif import without_place
from core.domain.generation import Generation, Relation
from core.domain.hashing import pixels_sha256, sha256_of
from core.domain.sheet import StoredSheet
from core.ports import ImageStore
from core.services import bundle_index
from core.services.bundle_index import InvalidBundle, check_count
from core.services.picture_zip import EXIF_ENDING, PictureZip, decoded, exif_name_of, name_of
from core.services.thumbnails import thumbnail
from db.files import FileRepo
from db.generations import GenerationRepo
from db.sheets import SheetRepo

INDEX = "bundle.json"


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
        check_count(len(ids))
        generations = [self.repo.get(id) for id in ids]
        for generation in generations:
            if generation.output is None:
                raise InvalidMove(f"Generation {generation.id} has no result to export. Leave it out.")
        exif = self._exif_of(generations)
        generations = [replace(g, source_exif=exif[g.source_exif][0]) if g.source_exif else g for g in generations]
        text = bundle_index.written(generations, self.sheets.holding(ids))
        # Stored, not deflated: PNG files are compressed already.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
            bundle.writestr(INDEX, text, zipfile.ZIP_DEFLATED)
            for key in _keys(generations):
                bundle.writestr(name_of(key), self._checked(key, generations))
            for name, block in dict(exif.values()).items():
                if name is not None:
                    bundle.writestr(exif_name_of(name), block)

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
            decoded(data, key, InvalidBundle)
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
        with PictureZip.opened(file, InvalidBundle) as bundle:
            generations, sheets = bundle_index.read(bundle.read(INDEX, bundle_index.MAX_INDEX_BYTES))
            found = {key: _size_and_hash(bundle.picture(key)) for key in _keys(generations)}
            for generation in generations:
                if any(found[key][0] != size.sides for key, size in generation.sizes):
                    raise InvalidBundle("The pictures of a generation in this bundle have different sizes.")
                if found[generation.result][1] != generation.pixels_sha256:
                    raise InvalidBundle
            for key in _exif_keys(generations):
                bundle.exif(key)
            # Another process may read the same bundle: what it has written is known at the next look.
            with suppress(DatabaseConflict):
                return self._keep(generations, sheets, bundle)
            return self._keep(generations, sheets, bundle)

    def _keep(
        self, generations: Sequence[Generation], sheets: Sequence[StoredSheet], bundle: PictureZip
    ) -> ImportedBundle:
        # One look at each, so that it stays the same answer: what another process adds meanwhile is a conflict.
        here = {generation.id: self._pixels_here(generation.id) for generation in generations}
        known = [g for g in generations if here[g.id] == g.pixels_sha256]
        new = [g for g in generations if here[g.id] != g.pixels_sha256]
        ids = {g.id: g.id if here[g.id] is None else self.new_id() for g in new}
        # Said before they are there: should this end half way, the collector finds them.
        self.files.release([*_keys(new), *_exif_keys(new)], self.now())
        for key in _exif_keys(new):
            self.images.put_file(bundle.exif(key), EXIF_ENDING)
        thumbnails = {}
        # One picture at a time: a bundle may hold more than the memory does.
        for key in _keys(new):
            image = bundle.picture(key)
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
                self.images.put(bundle.picture(key), key)
        for key in _exif_keys(new):
            if not self.images.has(key):
                self.images.put_file(bundle.exif(key), EXIF_ENDING)
        return ImportedBundle(tuple(row.id for row in rows), tuple(g.id for g in known))

    def _new_sheets(self, sheets: Sequence[StoredSheet], ids: Mapping[str, str]) -> list[StoredSheet]:
        """Those that are not here yet. A field whose generation did not come along fills itself when a later bundle
        brings it. ids: by the ids of the bundle those that the generations have here.
        """
        new: list[StoredSheet] = []
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


def _size_and_hash(image: Image) -> tuple[tuple[int, int], str]:
    """Size, and the hash of the pixels alone."""
    return image.size, pixels_sha256(image)
