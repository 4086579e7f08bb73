"""A draft as one file: its picture, its mask, further pictures and what the form says, to go on with elsewhere.

Beside the pictures (picture_zip.py) the zip holds draft.json. What belongs to one installation stays behind: results,
the device, where the photo was taken. The strokes of the simple canvas become the mask that they make.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from core.domain.draft import Draft, KeptDraft
from core.domain.errors import GenerationNotFound, StoredImageDamaged, StoredImageMissing
from core.domain.files.source_exif import without_place
from core.domain.geometry import Size
from core.domain.hashing import sha256_of
from core.domain.pixels.drawing import Drawing, canvas_size
from core.domain.pixels.mask import Mask
from core.services import draft_index
from core.services.draft_index import InvalidDraft
from core.services.drafts import Drafts
from core.services.picture_zip import EXIF_ENDING, PictureZip, decoded, exif_name_of, name_of
from db.files import FileRepo
from db.generations import GenerationRepo

INDEX = "draft.json"
ENDING = ".draft.zip"
MAX_FILE_BYTES = 2**30
"""Of a whole file, where it must be read at once."""

SAME_SHAPE = 0.02
"""By how much the shapes of a mask and its picture may differ: a pixel or two of a small one."""


@dataclass(frozen=True, slots=True)
class DraftFiles:
    drafts: Drafts
    generations: GenerationRepo
    files: FileRepo
    max_pixels: int

    def export(self, id: str, file: BinaryIO) -> None:
        """Write a zip. Raises InvalidInput without such a draft or without a picture, StoredImageDamaged."""
        kept = self.drafts.kept(id)
        draft, exif = self._without_drawing(kept.draft), self._exif_of(kept.draft)
        exif_key = sha256_of(exif) + EXIF_ENDING if exif else None
        # Stored, not deflated: PNG files are compressed already.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(INDEX, draft_index.written(kept.title, draft, exif_key), zipfile.ZIP_DEFLATED)
            for key in _pictures(draft):
                archive.writestr(name_of(key), self._checked(key))
            if exif and exif_key:
                archive.writestr(exif_name_of(exif_key), exif)

    def import_(self, file: BinaryIO, person: str | None = None) -> str:
        """Keep it as a new draft of this person; returns its id. All of it or nothing. Raises InvalidDraft."""
        with PictureZip.opened(file, InvalidDraft, self.max_pixels) as archive:
            title, draft = draft_index.read(archive.read(INDEX, draft_index.MAX_INDEX_BYTES))
            sizes = {key: Size(*archive.picture(key).size) for key in _pictures(draft)}
            _check_shape(draft, sizes)
            exif = archive.exif(draft.source_exif) if draft.source_exif else None
            # Said before they are there: should this end half way, the collector finds them.
            self.files.release(draft.files, self.drafts.now())
            for key in sizes:
                self.drafts.images.put(archive.picture(key), key)
            if exif is not None:
                self.drafts.images.put_file(exif, EXIF_ENDING)
            return self.drafts.take_in(self._at_home(draft), title, person)

    def _without_drawing(self, draft: Draft) -> Draft:
        """With the strokes of the simple canvas in its mask, which is stored."""
        if draft.drawing is None:
            return draft
        images, size = self.drafts.images, self.drafts.images.size(draft.picture)
        base = Mask.from_image(images.get(draft.base_mask)).resized(size) if draft.base_mask else None
        drawing = Drawing.from_json(draft.drawing, canvas_size(size, draft.canvas_width or size.width))
        return draft.changed(drawing=None, base_mask=images.put(drawing.mask(size, base).to_image()))

    def _exif_of(self, draft: Draft) -> bytes | None:
        """What is handed on, which never says where a photo was taken."""
        if draft.source_exif is None:
            return None
        try:
            return without_place(self.drafts.images.read_file(draft.source_exif))
        except StoredImageMissing:
            # The picture counts; it is handed on without it too.
            return None

    def _checked(self, key: str) -> bytes:
        """The stored file, if it holds what its name says."""
        data = self.drafts.images.read_file(key)
        try:
            decoded(data, key, InvalidDraft)
        except InvalidDraft as error:
            raise StoredImageDamaged(
                "A stored picture of this draft is damaged, so no file was written. Restore the data folder from a "
                "backup, or open the picture again."
            ) from error
        return data

    def _at_home(self, draft: Draft) -> Draft:
        """Its lineage goes on only where the generation is known that it came from."""
        try:
            if draft.parent_id is not None:
                self.generations.get(draft.parent_id)
        except GenerationNotFound:
            return draft.changed(parent_id=None, relation=None)
        return draft


def _pictures(draft: Draft) -> list[str]:
    """Keys of what travels as a picture, each once."""
    keys = (draft.picture, draft.base_mask, *(guide.picture for guide in draft.guides))
    return list(dict.fromkeys(key for key in keys if key))


def _check_shape(draft: Draft, sizes: Mapping[str, Size]) -> None:
    """Raises InvalidDraft for a mask of another picture."""
    picture, mask = sizes[draft.picture], sizes[draft.base_mask or draft.picture]
    ratio = (mask.width * picture.height) / (mask.height * picture.width)
    if abs(ratio - 1) > SAME_SHAPE:
        raise InvalidDraft("The mask in this file does not fit its picture. Save the draft again.")


def file_name(kept: KeptDraft) -> str:
    """For the file of a draft: what it is called, without what file systems do not take."""
    stem = re.sub(r"\.(png|jpe?g|webp|avif)$", "", kept.name, flags=re.IGNORECASE)
    return (" ".join(re.sub(r"[^\w-]+", " ", stem).split())[:60] or "picture") + ENDING
