"""Pictures and bundles from elsewhere: what a file says of its making becomes a row of the gallery.

Of a picture only the result is known, not what it was painted over: its row has itself as the source and an empty
mask. What the file states is its record.imported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO

from PIL import Image

from core.domain.environment import Environment
from core.domain.errors import ImageTooLarge, StudioError
from core.domain.files.picture import MAX_FILE_BYTES, Picture
from core.domain.generation import Generation, Relation, Status
from core.domain.geometry import Size
from core.domain.hashing import pixels_sha256
from core.domain.imported import Imported, kept_raw
from core.domain.params import MAX_MODEL, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.record import Record, SharedRecord
from core.metadata.ours import model_name
from core.metadata.read import read, read_text
from core.ports import ImageStore
from core.services.bundle import Bundles
from core.services.collector import store_again
from core.services.pictures import Pictures
from core.services.thumbnails import thumbnail
from db.generations import GenerationRepo
from db.imports import ImportRepo

UNKNOWN = "unknown"
ZIP = b"PK"


class Result(StrEnum):
    IMPORTED = "imported"
    KNOWN = "already here"
    NO_METADATA = "no metadata"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What became of one file. ids: the rows that it is now, or was already. known: those of them that were here.

    tool: which made it, None if the file does not say. stated: the parameters that the file really holds.
    """

    name: str
    result: Result
    ids: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    tool: str | None = None
    stated: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Imports:
    """models: keys of the models of this installation; only these can be named by a stranger's file."""

    repo: GenerationRepo
    found: ImportRepo
    images: ImageStore
    bundles: Bundles
    models: Callable[[], Collection[str]]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    pictures: Pictures

    def read(self, data: bytes, picture: Picture) -> Imported | None:
        """What a picture file says about how it was made; None if it says nothing that is understood.

        picture: what was read from it.
        """
        return read(data, models=self.models(), pixels=picture.image)

    def import_(
        self, file: BinaryIO, name: str, *, beside: str | None = None, without_metadata: bool = False
    ) -> ImportedFile:
        """Take one file into the gallery: a bundle or a picture. Whatever is wrong with it is told, not raised.

        beside: the text of a file of that name with .txt, where some tools write what others put into the picture.
        without_metadata: also pictures without generation metadata. Duplicates are skipped.
        """
        try:
            head = file.read(len(ZIP))
            file.seek(0)
            return self._bundle(file, name) if head == ZIP else self._picture(file, name, beside, without_metadata)
        except StudioError as error:
            return ImportedFile(name, Result.REFUSED, reason=str(error))

    def _bundle(self, file: BinaryIO, name: str) -> ImportedFile:
        done = self.bundles.import_(file)
        result = Result.IMPORTED if done.ids else Result.KNOWN
        return ImportedFile(name, result, (*done.ids, *done.known), done.known, tool="inpaint-studio")

    def _picture(self, file: BinaryIO, name: str, beside: str | None, without_metadata: bool) -> ImportedFile:
        data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ImageTooLarge(f"This file is larger than {MAX_FILE_BYTES // 2**20} MiB.")
        picture = self.pictures.read(data)
        metadata = self.read(data, picture) or (read_text(beside, models=self.models()) if beside else None)
        tool, stated = (metadata.tool, tuple(sorted(metadata.params))) if metadata else (None, ())
        if metadata is None and not without_metadata:
            return ImportedFile(name, Result.NO_METADATA, reason="It has no generation metadata.")
        key = self.images.put(picture.image)
        known = self.found.find(pixels_sha256(picture.image), _ours(metadata).created_at)
        if known is not None:
            reason = "It is in the trash." if self.repo.get(known).deleted_at else None
            return ImportedFile(name, Result.KNOWN, (known,), (known,), tool, stated, reason)
        generation = self._row(picture, key, metadata, name)
        self.repo.add_made([(generation, Environment(generation.environment))])
        store_again(self.images, {key: picture.image, generation.mask: _no_mask(picture)})
        refused = " ".join(metadata.refusals) if metadata else ""
        return ImportedFile(name, Result.IMPORTED, (generation.id,), (), tool, stated, refused or None)

    def _row(self, picture: Picture, key: str, metadata: Imported | None, name: str) -> Generation:
        size = Size(*picture.image.size)
        ours = _ours(metadata)
        return Generation(
            id=self.new_id(),
            status=Status.SUCCEEDED,
            params=_params(metadata),
            device=ours.device or UNKNOWN,
            source=key,
            mask=self.images.put(_no_mask(picture)),
            width=size.width,
            height=size.height,
            created_at=self.now(),
            relation=Relation.IMPORT,
            source_name=name,
            source_exif=self.pictures.keep_exif(picture),
            dtype=ours.dtype,
            model_revision=ours.model.revision,
            output=key,
            thumbnail=self.images.put_file(thumbnail(picture.image), ".webp"),
            pixels_sha256=pixels_sha256(picture.image),
            environment=ours.environment,
            record=Record.of({"imported": _imported(metadata)}),
        )


def _ours(metadata: Imported | None) -> SharedRecord:
    return SharedRecord.of(metadata.record if metadata else {})


def _no_mask(picture: Picture) -> Image.Image:
    return Mask.empty(Size(*picture.image.size)).to_image()


def _params(metadata: Imported | None) -> InpaintParams:
    """The stated values, and defaults in place of the others; the model as the tool named it."""
    stated = dict(metadata.params) if metadata else {}
    stated.setdefault("model", _model(metadata))
    return InpaintParams(**stated)


def _model(metadata: Imported | None) -> str:
    named = metadata.raw.get("model", "").strip() if metadata else ""
    # A stranger's file names no folder of this machine.
    return model_name(named)[:MAX_MODEL].strip() or UNKNOWN


def _imported(metadata: Imported | None) -> dict[str, Any]:
    if metadata is None:
        return {"tool": None, "stated": []}
    return {
        "tool": metadata.tool,
        "stated": sorted(metadata.params),
        "size": list(metadata.size) if metadata.size else None,
        "seed": metadata.seed_text,
        "model": metadata.raw.get("model"),
        "raw": kept_raw(metadata.raw),
        "record": dict(metadata.record),
    }
