"""Families of generations, and painting a whole chain again from its first source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.domain.errors import InvalidMove
from core.domain.generation import Generation
from core.domain.geometry import Size
from core.domain.lineage import Family, Replay
from core.domain.mask import Mask
from core.domain.outpaint import extended
from core.domain.reproduction import Verdict, compare
from core.ports import Dispatcher, ImageStore
from db.generations import GenerationRepo
from db.lineage import LineageRepo

REPLAYS_SHOWN = 5


def extend(images: ImageStore, key: str, original: Generation) -> str:
    """Store the picture of this key with as much canvas around it as the original's source has.

    Raises InvalidMove if it would not have the original's size.
    """
    picture = images.get(key)
    if original.extended.of(Size(*picture.size)) != Size(original.width, original.height):
        raise InvalidMove(
            f"The picture before generation {original.id} is of another size now, and cannot be extended."
        )
    for extension in original.extended.by:
        picture = extended(picture, extension)
    return images.put(picture)


@dataclass(frozen=True, slots=True)
class Lineage:
    repo: LineageRepo
    generations: GenerationRepo
    images: ImageStore
    dispatcher: Dispatcher
    resolve_device: Callable[[str], str]
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def family(self, id: str) -> Family:
        """Ancestors, siblings and descendants, at most a few hundred. Raises GenerationNotFound."""
        return self.repo.family(id)

    def replay(self, id: str, *, session: str | None = None) -> str:
        """Paint the chain that led to this generation again, each step on the new result of the one before.

        Only the first step is queued now: whoever looks at the queue after it has succeeded queues the next one, also
        after a restart. Returns the id of the replay. Raises InvalidMove for one without a result or imported.
        """
        generation = self.generations.get(id)
        generation.check_can_run_again()
        if generation.output is None:
            raise InvalidMove(f"Generation {id} has no result, so there is no chain to replay. Run it again first.")
        originals = [self.generations.get(step.id) for step in self.family(id).chain]
        steps = [(original.id, self.resolve_device(original.device)) for original in originals]
        replay_id = self.new_id()
        self.repo.add(replay_id, self.now(), session, steps)
        self.advance()
        return replay_id

    def advance(self) -> list[str]:
        """Queue what follows the steps that have succeeded meanwhile. Returns what was queued."""
        queued = self.repo.advance(self.now(), self.new_id)
        for id in queued:
            self.dispatcher.enqueue(id)
        return queued

    def stop(self, replay_id: str) -> None:
        """Begin no further step, and cancel the one that is waiting or being painted."""
        for id in self.repo.stop(replay_id, self.now()):
            self.generations.request_cancel(id, self.now())

    def get_replay(self, replay_id: str) -> Replay:
        return self.repo.get(replay_id)

    def replays_of(self, id: str) -> tuple[Replay, ...]:
        """Replays that end with this generation, or that made it, newest first."""
        return tuple(self.repo.get(replay_id) for replay_id in self.repo.replays_of(id, REPLAYS_SHOWN))

    def verdict(self, replay: Replay) -> Verdict | None:
        """Whether the last picture of the chain came out again; None as long as it is not there."""
        last = replay.steps[-1]
        if last.is_exact is None:
            return None
        if last.is_exact:
            return Verdict.EXACT
        then, now = self.images.get(last.original.output), self.images.get(last.again.output)
        return compare(then, now, Mask.empty(Size(*then.size)).inverted).verdict
