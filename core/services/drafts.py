"""The artist's open work: kept in the database under an id that stands in the page's address."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.domain.draft import Draft
from core.domain.errors import InvalidMove, StorageFull
from core.domain.files.picture import Picture
from core.domain.generation import Generation, Relation
from core.domain.geometry import Size
from core.domain.guide import Guide, Role
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
from db.drafts import DraftRepo

log = logging.getLogger(__name__)

DRAFT_TTL = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Drafts:
    repo: DraftRepo
    images: ImageStore
    pictures: Pictures
    recommendations: Recommendations
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def start(self) -> str:
        """A new draft without a picture; old ones that nobody touched for a month are forgotten.

        The parameters used last come along, but not the prompts, the seeds and how many: those belonged to a picture.
        """
        params = self.recommendations.for_new_draft(self.repo.latest_params())
        id = self.new_id()
        try:
            self.repo.forget_older_than(self.now() - DRAFT_TTL, self.now())
            self.save(id, Draft(params=params))
        except StorageFull as error:
            # A full or read-only disk: the page opens all the same, and what is done there is refused with the reason.
            log.warning("No draft can be stored: %s", error)
        return id

    def get(self, id: str) -> Draft | None:
        return self.repo.get(id)

    def save(self, id: str, draft: Draft) -> None:
        self.repo.save(id, draft, self.now())

    def open_picture(self, draft: Draft, picture: Picture, name: str | None) -> Draft:
        """The draft with another picture; the mask and the lineage belonged to the old one and are dropped."""
        return Draft(
            source=self.images.put(picture.image),
            source_exif=self.pictures.keep_exif(picture),
            source_name=name,
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
            base_mask=self.images.put(mask.to_image()),
            drawing=None,
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
            params=self.from_generation(generation).params,
            guides=generation.guides,
            parent_id=generation.id,
            relation=Relation.CONTINUATION,
        )
