"""The artist's open work: kept in the database under an id that stands in the page's address, and found by person."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from PIL.Image import Image

from core.domain.draft import Draft, KeptDraft, latest_steps
from core.domain.errors import (
    InvalidInput,
    InvalidMove,
    StorageFull,
    StoredImageDamaged,
    StoredImageMissing,
    StudioError,
)
from core.domain.files.picture import Picture
from core.domain.generation import Generation, Relation
from core.domain.geometry import Size
from core.domain.guide import Guide, Role
from core.domain.labels import MAX_TITLE, title_text
from core.domain.pixels.outpaint import (
    CanvasExtension,
    ExtensionHistory,
    extend_canvas,
    extend_control,
    mask_of_extension,
)
from core.ports import ImageStore
from core.services.pictures import Pictures
from core.services.prompts import PROMPTS, escape
from core.services.recommendations import Recommendations
from core.services.thumbnails import thumbnail
from db.drafts import DraftRepo

log = logging.getLogger(__name__)

DRAFT_TTL = timedelta(days=30)
"""For so long one without a name is kept after its last change, and a deleted one after that."""

LISTED = 200
"""Drafts of one person, of which the latest step of each is shown."""


@dataclass(frozen=True, slots=True)
class Drafts:
    repo: DraftRepo
    images: ImageStore
    pictures: Pictures
    recommendations: Recommendations
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def start(self, person: str | None = None) -> str:
        """A new draft without a picture, of this person; old ones that nobody touched for a month are forgotten.

        The parameters used last come along, but not the prompts, the seeds and how many: those belonged to a picture.
        """
        params = self.recommendations.for_new_draft(self.repo.latest_params())
        id = self.new_id()
        try:
            self.repo.forget_older_than(self.now() - DRAFT_TTL, self.now())
            self.repo.add(id, Draft(params=params), self.now(), title="", person=person)
        except StorageFull as error:
            # A full or read-only disk: the page opens all the same, and what is done there is refused with the reason.
            log.warning("No draft can be stored: %s", error)
        return id

    def get(self, id: str) -> Draft | None:
        return self.repo.get(id)

    def save(self, id: str, draft: Draft) -> None:
        self.repo.save(id, draft, self.now())

    # Finding them again

    def of(self, person: str | None) -> list[KeptDraft]:
        """What this person can go on with, changed last first: the latest step of each. None: everybody's."""
        return latest_steps(self.repo.of(person, LISTED))

    def deleted(self, person: str | None) -> list[KeptDraft]:
        """Those of this person that can be restored."""
        return list(self.repo.of(person, LISTED, deleted=True))

    def adopt(self, id: str, person: str) -> None:
        """Who opens a draft that is nobody's finds it again."""
        # It is opened all the same where nothing can be written.
        with suppress(StorageFull):
            self.repo.adopt(id, person)

    def rename(self, id: str, title: str) -> None:
        """Raises InvalidInput. An empty title takes it away."""
        self.repo.rename(id, title_text(title))

    def duplicate(self, id: str, person: str | None = None) -> str:
        """The same work once more, without its results; returns the new id. Raises InvalidInput."""
        kept = self.kept(id)
        copy, title = kept.draft.changed(generations=(), sheet=None), _copy_of(kept.name)
        return self.take_in(copy, title, person)

    def take_in(self, draft: Draft, title: str, person: str | None) -> str:
        """A new draft with all this in it; returns its id."""
        id = self.new_id()
        self.repo.add(id, draft, self.now(), title=title_text(title), person=person)
        # Its files may lie in the trash, if what named them was deleted a moment ago: asked for, they come back.
        for key in draft.files:
            self.images.has(key)
        return id

    def kept(self, id: str) -> KeptDraft:
        """Raises InvalidInput if there is none."""
        if (kept := self.repo.kept(id)) is None:
            raise InvalidInput("There is no such draft: it was deleted a month ago, or never kept here.")
        return kept

    def delete(self, id: str) -> None:
        """Out of the list; restore brings it back within TRASH_TTL, and so does a change of it."""
        self.repo.set_deleted(id, self.now())

    def restore(self, id: str) -> None:
        self.repo.set_deleted(id, None)

    def thumbnail(self, kept: KeptDraft) -> bytes:
        """A small WEBP of its picture; one that is missing or damaged is made again. Raises as the store does."""
        if kept.draft.thumbnail is not None:
            with suppress(StoredImageMissing, StoredImageDamaged):
                return self.images.read_file(kept.draft.thumbnail)
        made = thumbnail(self.images.get(kept.draft.picture))
        # It is shown also where it cannot be kept.
        with suppress(StudioError):
            key = self.images.put_file(made, ".webp")
            self.repo.keep_thumbnail(kept.id, kept.draft.picture, key, self.now())
        return made

    # Opening something

    def open_picture(self, draft: Draft, picture: Picture, name: str | None) -> Draft:
        """The draft with another picture; the mask and the lineage belonged to the old one and are dropped."""
        return Draft(
            source=self.images.put(picture.image),
            source_exif=self.pictures.keep_exif(picture),
            source_name=name,
            thumbnail=self._thumbnail_of(picture.image),
            notes=picture.notes,
            params=self.recommendations.for_another_picture(draft.params),
            has_simple_canvas=draft.has_simple_canvas,
        )

    def extend_canvas(self, id: str, extension: CanvasExtension, *, overlap_px: int, max_pixels: int) -> Draft:
        """The draft of this id with more canvas around its picture, all of it masked, and parameters that suit it.

        A mask painted before belonged to the smaller picture: it stays with the draft of this id.
        Raises InvalidMove without a picture, ImageTooLarge if it would have more than max_pixels.
        """
        draft = self.repo.get(id)
        if draft is None or draft.source is None:
            raise InvalidMove("There is no picture to extend. Open one first.")
        picture = self.images.get(draft.source)
        larger = extend_canvas(picture, extension, max_pixels=max_pixels)
        mask = mask_of_extension(Size(*picture.size), extension, overlap_px)
        return draft.changed(
            source=self.images.put(larger),
            thumbnail=self._thumbnail_of(larger),
            base_mask=self.images.put(mask.to_image()),
            drawing=None,
            selection=(),
            params=self.recommendations.for_extended(draft.params),
            extended=draft.extended.once_more(extension)
            if draft.extended
            else ExtensionHistory(draft.source, (extension,)),
            guides=tuple(self._extended(guide, extension, Size(*picture.size)) for guide in draft.guides),
            before=id,
            said={},
            generations=(),
            sheet=None,
        )

    def _thumbnail_of(self, picture: Image) -> str:
        return self.images.put_file(thumbnail(picture), ".webp")

    def _extended(self, guide: Guide[str], extension: CanvasExtension, size: Size) -> Guide[str]:
        if guide.role is not Role.CONTROL:
            return guide
        return guide.showing(self.images.put(extend_control(self.images.get(guide.picture), extension, size)))

    def from_generation(self, generation: Generation) -> Draft:
        """To try again with other choices: the same pictures, mask and parameters.

        Of an imported picture only the parameters that it stated, and no mask: it has none.
        """
        params = generation.params.model_dump()
        if (imported := generation.record.imported) is not None:
            params = {name: params[name] for name in imported.stated if name in params}
        if generation.params.upscale:
            # Its model only enlarges, and nothing else was chosen.
            params = {name: params[name] for name in PROMPTS}
        params |= {name: escape(params[name]) for name in PROMPTS if name in params}
        return Draft(
            source=generation.source,
            source_exif=generation.source_exif,
            source_name=generation.source_name,
            base_mask=None if generation.is_imported_picture else generation.mask,
            selection=tuple(generation.record.selection),
            params=params,
            parent_id=generation.id,
            relation=Relation.VARIATION,
            extended=generation.extended,
            guides=generation.guides,
        )

    def continued_from(self, generation: Generation) -> Draft:
        """To paint on: the result becomes the picture, with a fresh mask, and the same parameters and guides."""
        if generation.output is None:
            raise InvalidMove("This generation has no result to continue from. Run it again first.")
        return Draft(
            source=generation.output,
            source_exif=generation.source_exif,
            source_name=generation.source_name,
            thumbnail=generation.thumbnail,
            params=self.from_generation(generation).params,
            guides=generation.guides,
            parent_id=generation.id,
            relation=Relation.CONTINUATION,
        )


def _copy_of(name: str) -> str:
    return f"{name[: MAX_TITLE - 7]} (copy)"
