"""Submitting work, and what can be asked of it afterwards. Everything is stored before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image

from core.domain.control import check_pictures
from core.domain.errors import GenerationNotFound, InvalidMove, InvalidParams
from core.domain.generation import Generation, Origin, Progress, Status
from core.domain.guide import Guide
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, StoredRequest, check_guide
from core.domain.sheet import StoredSheet
from core.ports import Dispatcher, ImageStore
from core.services.collector import store_again
from core.services.prompts import Prompts, for_resubmission
from core.services.references import References
from db.generations import GenerationRepo

MAX_COUNT = 64
"""Images of one submission. More is a matter of submitting again."""


UNKNOWN_ORIGIN = Origin()


@dataclass(frozen=True, slots=True)
class Generations:
    """resolve_device: turns a wish ("auto") into a device key. now: the clock, UTC. new_id, random_seed: chance."""

    repo: GenerationRepo
    images: ImageStore
    dispatcher: Dispatcher
    resolve_device: Callable[[str], str]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    random_seed: Callable[[], int]
    prompts: Prompts
    references: References

    def stored(
        self, source: str, mask: Mask | str, params: InpaintParams, guides: Sequence[Guide[str]] = ()
    ) -> StoredRequest:
        """The request for pictures that are in the store, which are not decoded. mask: its pixels, or its key there.

        Raises SizeMismatch or EmptyMask before the mask is stored, and what the store raises for a lost picture.
        """
        size = self.images.size(source)
        for guide in guides:
            check_guide(guide, self.images.size(guide.picture), size)
        if isinstance(mask, str):
            pixels = Mask.stored(self.images.get(mask))
            return StoredRequest.of(source, size, mask, pixels, params, tuple(guides))
        request = StoredRequest.of(source, size, mask.sha256, mask, params, tuple(guides))
        self.images.put(mask.to_image(), request.mask)
        return request

    def submit(
        self,
        request: InpaintRequest | StoredRequest,
        *,
        device: str = "auto",
        count: int = 1,
        origin: Origin = UNKNOWN_ORIGIN,
    ) -> list[str]:
        """Store the request and queue it, count times with the seeds seed, seed + 1, ...; returns the new ids."""
        if not 1 <= count <= MAX_COUNT:
            raise InvalidParams(f"Images: must be from 1 to {MAX_COUNT}, not {count}.")
        return self.submit_all(
            request, [request.params.nth(number) for number in range(count)], device=device, origin=origin
        )

    def submit_all(
        self,
        request: InpaintRequest | StoredRequest,
        all_params: Sequence[InpaintParams],
        *,
        device: str = "auto",
        origin: Origin = UNKNOWN_ORIGIN,
        sheet: Callable[[Sequence[str]], StoredSheet] | None = None,
    ) -> list[str]:
        """Queue the pictures of the request, stored if they are not yet, under each of these params.

        sheet: of the new ids; it is stored with the rows, or neither. Choices in a prompt are made here, by each one's
        seed, and recorded as made. On return the pictures and the rows are on disk: a crash at any later moment loses
        none of them.
        """
        all_params = [self.prompts.expand(params) for params in all_params]
        for params in all_params:
            self._check_pictures(params, request.guides)
        device = self.resolve_device(device)
        stored, pixels = (request, {}) if isinstance(request, StoredRequest) else self._store(request)
        generations = [
            Generation.queued(self.new_id(), self.now(), stored.under(params), device, origin) for params in all_params
        ]
        self.repo.add(generations, [sheet([g.id for g in generations])] if sheet else [])
        store_again(self.images, pixels)
        self._bring_back(generations[0])
        for generation in generations:
            self.dispatcher.enqueue(generation.id)
        return [generation.id for generation in generations]

    def _store(self, request: InpaintRequest) -> tuple[StoredRequest, dict[str, Image.Image]]:
        """The request by its keys, and its pictures by theirs."""
        image, mask = request.image, request.mask.to_image()
        source_key, mask_key = self.images.put(image), self.images.put(mask)
        guides = tuple(guide.showing(self.images.put(guide.picture)) for guide in request.guides)
        stored = StoredRequest(source_key, mask_key, request.mask.size, request.params, guides)
        shown = {kept.picture: given.picture for kept, given in zip(guides, request.guides, strict=True)}
        return stored, {source_key: image, mask_key: mask, **shown}

    def _bring_back(self, generation: Generation) -> None:
        """Its files may lie in the trash, if what named them was deleted a moment ago: asked for, they come back."""
        for key in generation.files:
            self.images.has(key)

    def check(self, params: InpaintParams, guides: Sequence[Guide[str]] = ()) -> None:
        """Raises InvalidParams for what submit would refuse."""
        self.prompts.expand(params)
        self._check_pictures(params, guides)

    def _check_pictures(self, params: InpaintParams, guides: Sequence[Guide[Any]]) -> None:
        check_pictures(params.controlnet, guides)
        self.references.check_pictures(params, guides)

    def rerun(self, id: str, *, device: str | None = None, session: str | None = None) -> str:
        """Queue the same request again: same picture, mask, parameters and seed.

        Raises InvalidMove for an imported picture.
        """
        original = self.repo.get(id)
        original.check_can_run_again()
        again = original.again(self.new_id(), self.now(), self.resolve_device(device or original.device), session)
        self.repo.add([again])
        self._bring_back(again)
        self.dispatcher.enqueue(again.id)
        return again.id

    def vary(
        self,
        original: Generation,
        changes: Sequence[Mapping[str, Any]],
        *,
        session: str,
        device: str | None = None,
    ) -> list[str]:
        """Queue its picture and mask again, once under each of these changes of its parameters; returns the new ids.

        Raises InvalidMove for an imported picture, InvalidParams for changes that cannot be.
        """
        original.check_can_run_again()
        all_params = [for_resubmission(original.params).changed(**change) for change in changes]
        request = self.stored(original.source, original.mask, all_params[0], original.guides)
        origin = Origin.variation_of(original, session)
        return self.submit_all(request, all_params, device=device or original.device, origin=origin)

    def resume(self, id: str) -> None:
        """Queue an interrupted generation again, in its own row."""
        self.repo.requeue(id)
        self.dispatcher.enqueue(id)

    def retry(self, id: str, *, session: str | None = None) -> str:
        """Queue one again that did not come to its end: an interrupted one in its own row, others as a new one.

        Returns the id of the row that waits now. Raises InvalidMove for one that succeeded or is still in work.
        """
        status = self.repo.status(id)
        if status is Status.INTERRUPTED:
            self.resume(id)
            return id
        if status not in (Status.FAILED, Status.CANCELLED):
            raise InvalidMove(f"This generation is {status}, so it cannot be retried. Use Re-run instead.")
        return self.rerun(id, session=session)

    def is_active(self, id: str) -> bool:
        """Whether it waits or is being painted; False for one that was deleted for good."""
        try:
            return self.repo.status(id).is_active
        except GenerationNotFound:
            return False

    def cancel(self, id: str) -> None:
        self.repo.request_cancel(id, self.now())

    def progress(self, id: str) -> Progress:
        return self.repo.progress(id)
