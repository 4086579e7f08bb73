"""Painting a whole chain again from its first source: what begins next, and when it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.domain.errors import (
    DatabaseConflict,
    DatabaseUnusable,
    GenerationNotFound,
    InvalidMove,
    StorageFull,
    StudioError,
)
from core.domain.generation import Generation, Relation, Status, Verdict
from core.domain.geometry import Size
from core.domain.pixels.mask import Mask
from core.domain.pixels.outpaint import extend_canvas
from core.domain.replay import Replay, StepState
from core.domain.reproduction import compare
from core.ports import Dispatcher, ImageStore
from core.services.families import Families
from db.generations import GenerationRepo
from db.replays import ReplayRepo

log = logging.getLogger(__name__)

REPLAYS_SHOWN = 5

MAX_INTERRUPTIONS = 3
"""So often a step is queued again by itself after its worker died. Then it waits for a word: it may be the culprit."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Queue the original of the step at this place again. parent_id, source: the new generation of the step before, and
    its result; None for the first step.
    """

    place: int
    device: str
    original_id: str
    parent_id: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Resume:
    """Queue the interrupted generation of the step at this place again, in its own row."""

    place: int
    id: str


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to be done."""


def next_of(steps: Sequence[StepState]) -> Begin | Resume | End | None:
    """What a replay does now; None: it waits for its step in work, or for a person."""
    parent_id = source = None
    for place, step in enumerate(steps):
        if step.again_id is None:
            return Begin(place, step.device, step.original_id, parent_id, source) if step.original_id else End()
        if step.status is Status.INTERRUPTED:
            return Resume(place, step.again_id) if step.interruptions < MAX_INTERRUPTIONS else None
        if step.status is not Status.SUCCEEDED:
            return End() if step.status and step.status.is_final else None
        parent_id, source = step.again_id, step.output
    return End()


@dataclass(frozen=True, slots=True)
class ReplaySteps:
    """Queues the steps of all replays, each when the one before has succeeded."""

    repo: ReplayRepo
    generations: GenerationRepo
    images: ImageStore
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def advance(self) -> list[str]:
        """Queue the next step of every replay that waits for one. Returns the ids of what was queued.

        Whoever calls this, and however often: a step is queued once. What was queued when the program died goes on.
        """
        queued: list[str] = []
        for replay_id, session in self.repo.unended().items():
            try:
                queued += self._advance(replay_id, session)
            except (DatabaseConflict, GenerationNotFound):
                # Another process took the same place in the gallery, or deleted a step, at the same moment: the next
                # look finds what there is to do.
                continue
            except (DatabaseUnusable, StorageFull):
                # That is no fault of the replay, and ends it as little as the program's end does.
                raise
            except StudioError as error:
                log.warning("replay %s ends: %s", replay_id, error)
                self.repo.stop(replay_id, self.now())
        return queued

    def _advance(self, replay_id: str, session: str | None) -> list[str]:
        steps = self.repo.steps(replay_id)
        following = next_of(steps)
        if isinstance(following, Begin):
            # To extend a large picture takes seconds. Should anything happen meanwhile, the next look begins anew.
            again = self._again(following, session)
            return [again.id] if self.repo.begin(replay_id, steps, following.place, again) else []
        if isinstance(following, Resume):
            return [following.id] if self.repo.resume(replay_id, steps, following.place, following.id) else []
        if isinstance(following, End):
            self.repo.end(replay_id, steps, self.now())
        return []

    def _again(self, step: Begin, session: str | None) -> Generation:
        """The first step runs its original again; each further one continues the new result of the step before.

        Raises GenerationNotFound for what was just deleted, another StudioError if its picture cannot be extended.
        """
        original = self.generations.get(step.original_id)
        again = original.again(self.new_id(), self.now(), step.device, session)
        again = replace(again, params=original.params_as_painted)
        if step.source is None:
            return again
        relation = Relation.UPSCALE if original.relation is Relation.UPSCALE else Relation.CONTINUATION
        again = replace(again, source=step.source, parent_id=step.parent_id, relation=relation)
        return _extended(self.images, again, original)


@dataclass(frozen=True, slots=True)
class Replays:
    repo: ReplayRepo
    steps: ReplaySteps
    families: Families
    generations: GenerationRepo
    images: ImageStore
    dispatcher: Dispatcher
    resolve_device: Callable[[str], str]
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def start(self, id: str, *, session: str | None = None) -> str:
        """Paint the chain that led to this generation again, each step on the new result of the one before.

        Only the first step is queued now: whoever looks at the queue after it has succeeded queues the next one, also
        after a restart. Returns the id of the replay. Raises InvalidMove for one without a result or imported.
        """
        generation = self.generations.get(id)
        generation.check_can_run_again()
        if generation.output is None:
            raise InvalidMove(f"Generation {id} has no result, so there is no chain to replay. Run it again first.")
        originals = [self.generations.get(step.id) for step in self.families.of(id).chain]
        steps = [(original.id, self.resolve_device(original.device)) for original in originals]
        replay_id = self.new_id()
        self.repo.add(replay_id, self.now(), session, steps)
        self.advance()
        return replay_id

    def advance(self) -> list[str]:
        """Queue what follows the steps that have succeeded meanwhile. Returns what was queued."""
        queued = self.steps.advance()
        for id in queued:
            self.dispatcher.enqueue(id)
        return queued

    def stop(self, replay_id: str) -> None:
        """Begin no further step, and cancel the one that is waiting or being painted."""
        for id in self.repo.stop(replay_id, self.now()):
            self.generations.request_cancel(id, self.now())

    def get(self, replay_id: str) -> Replay:
        """Raises GenerationNotFound."""
        return self.repo.get(replay_id)

    def of(self, id: str) -> tuple[Replay, ...]:
        """Replays that end with this generation, or that made it, newest first."""
        return tuple(self.repo.get(replay_id) for replay_id in self.repo.of(id, REPLAYS_SHOWN))

    def verdict(self, replay: Replay) -> Verdict | None:
        """Whether the last picture of the chain came out again; None as long as it is not there."""
        last = replay.steps[-1]
        if last.results is None or last.is_exact:
            return Verdict.EXACT if last.is_exact else None
        then, now = (self.images.get(key) for key in last.results)
        return compare(then, now, Mask.empty(Size(*then.size)).inverted).verdict


def _extended(images: ImageStore, again: Generation, original: Generation) -> Generation:
    """On its source with as much canvas around it as the original's has, which is stored.

    Raises InvalidMove if it would not have the original's size.
    """
    extension = original.extended
    if extension is None:
        return again
    picture = images.get(again.source)
    if extension.of(Size(*picture.size)) != Size(original.width, original.height):
        raise InvalidMove(
            f"The picture before generation {original.id} is of another size now, and cannot be extended."
        )
    for added in extension.by:
        picture = extend_canvas(picture, added)
    return replace(again, source=images.put(picture), extended=replace(extension, source=again.source))
